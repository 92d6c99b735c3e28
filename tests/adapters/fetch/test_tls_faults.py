import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from banlistd.adapters.fetch.http_faults import tls_reason
from banlistd.core.config.model import Source
from banlistd.errors import FetchError
from banlistd.model import SourceId, Validators
from support.certificates import EXPIRED, Authority, self_signed, server_context
from support.feed_server import FeedServer
from support.in_process_parser import ONE_TRY, body_of, downloads, ignored

LIST = b"192.0.2.1\n"


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority.made_in(folder)


def fault_of(url: str, tls: ssl.SSLContext | None = None) -> FetchError:
    source = Source(id=SourceId("a-list"), url=url, timeout=10.0)
    with pytest.raises(FetchError) as caught:
        asyncio.run(downloads("1", retry=ONE_TRY, tls=tls).fetch(source, Validators(), ignored))
    assert "not permitted" not in str(caught.value)
    assert url in caught.value.message
    return caught.value


def fault_with(certificate: Path, tls: ssl.SSLContext | None) -> FetchError:
    with FeedServer(tls=server_context(certificate)) as server:
        server.serve("/list", LIST)
        fault = fault_of(server.url("/list"), tls)
        assert not server.requests
    return fault


def test_a_good_certificate_of_a_known_authority_is_accepted(authority: Authority) -> None:
    with FeedServer(tls=server_context(authority.signed("good"))) as server:
        server.serve("/list", LIST)
        source = Source(id=SourceId("a-list"), url=server.url("/list"), timeout=10.0)
        fetcher = downloads("1", retry=ONE_TRY, tls=authority.trusted())
        assert body_of(asyncio.run(fetcher.fetch(source, Validators(), ignored))) == LIST


def test_a_self_signed_certificate_is_named(folder: Path) -> None:
    fault = fault_with(self_signed(folder, "own"), None)
    assert "certificate is self-signed" in fault.message
    assert "update-ca-certificates" in fault.hint


def test_an_expired_certificate_is_named(authority: Authority) -> None:
    fault = fault_with(authority.signed("old", validity=EXPIRED), authority.trusted())
    assert "certificate has expired" in fault.message
    assert "clock" in fault.hint


@pytest.mark.parametrize("names", ["DNS:other.example", "IP:192.0.2.1"])
def test_a_certificate_for_another_host_is_named(authority: Authority, names: str) -> None:
    fault = fault_with(authority.signed("other", names), authority.trusted())
    assert "certificate is for another address" in fault.message


def test_a_certificate_for_another_name_is_named(authority: Authority) -> None:
    with FeedServer(tls=server_context(authority.signed("name", "DNS:other.example"))) as server:
        fault = fault_of(server.url("/list", "localhost"), authority.trusted())
    assert "certificate is for another host name" in fault.message
    assert "source's url" in fault.hint


def test_an_unknown_authority_is_named(authority: Authority) -> None:
    fault = fault_with(authority.signed("unknown"), None)
    assert "an authority that this machine does not know" in fault.message
    assert "update-ca-certificates" in fault.hint


def strict(authority: Authority) -> ssl.SSLContext:
    """As the default is from Python 3.13 on."""
    client = authority.trusted()
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    return client


def test_an_authority_without_key_usage_is_named(tmp_path: Path) -> None:
    authority = Authority.made_in(tmp_path, extensions=())
    fault = fault_with(authority.signed("plain"), strict(authority))
    assert "was issued by an authority whose own certificate lacks the extension keyUsage" in fault.message
    assert "Python 3.13" in fault.hint
    assert "keyCertSign" in fault.hint


def test_an_authority_that_breaks_another_rule_is_named_in_the_words_of_openssl(tmp_path: Path) -> None:
    lax = ("-addext", "keyUsage=critical,keyCertSign", "-addext", "basicConstraints=CA:TRUE")
    authority = Authority.made_in(tmp_path, extensions=lax)
    fault = fault_with(authority.signed("lax"), strict(authority))
    assert "is not valid by RFC 5280: Basic Constraints of CA cert not marked critical" in fault.message
    assert "Python 3.13" in fault.hint


def test_what_is_right_by_the_strict_rules_is_accepted(authority: Authority) -> None:
    with FeedServer(tls=server_context(authority.signed("right"))) as server:
        server.serve("/list", LIST)
        source = Source(id=SourceId("a-list"), url=server.url("/list"), timeout=10.0)
        fetcher = downloads("1", retry=ONE_TRY, tls=strict(authority))
        assert body_of(asyncio.run(fetcher.fetch(source, Validators(), ignored))) == LIST


@contextmanager
def openssl_server(tls: ssl.SSLContext | None) -> Iterator[str]:
    """A server for one connection that sends its alerts, as asyncio's does not. Without `tls` it answers in plain HTTP."""

    def serve() -> None:
        with listener.accept()[0] as connection, connection.dup() as spare, suppress(OSError):
            if tls is None:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                connection.recv(10_000)
                return
            with suppress(ssl.SSLError), tls.wrap_socket(connection, server_side=True) as channel:
                channel.recv(10_000)
            while spare.recv(10_000):
                pass  # a socket that is closed with bytes unread resets the connection, and the alert is lost

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/list"
        thread.join()


def test_a_server_without_tls_is_named() -> None:
    with openssl_server(None) as url:
        assert "does not speak TLS" in fault_of(url).message


def test_a_server_with_old_tls_only_is_named(authority: Authority) -> None:
    context, client = server_context(authority.signed("dated")), authority.trusted()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    with openssl_server(context) as url:
        assert "version of TLS in common" in fault_of(url, client).message


def test_a_server_that_hangs_up_in_the_handshake_is_named(authority: Authority) -> None:
    context, client = server_context(authority.signed("rude")), authority.trusted()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    client.minimum_version = ssl.TLSVersion.TLSv1_3
    with FeedServer(tls=context) as server:
        assert "the server hung up" in fault_of(server.url("/list"), client).message


def test_a_server_that_wants_a_certificate_refuses_the_handshake(authority: Authority) -> None:
    context = server_context(authority.signed("strict"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    with openssl_server(context) as url:
        assert "handshake failure" in fault_of(url, authority.trusted()).message


def test_a_server_that_wants_a_certificate_after_the_handshake_is_named_at_once(authority: Authority) -> None:
    """TLS 1.3: the client has sent its request when the alert arrives. The server takes one connection and no second one."""
    context = server_context(authority.signed("stricter"))
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    with openssl_server(context) as url:
        source = Source(id=SourceId("a-list"), url=url, timeout=20.0)
        with pytest.raises(FetchError, match="demands a client certificate") as caught:
            asyncio.run(downloads("1", tls=authority.trusted()).fetch(source, Validators(), ignored))
    assert "within" not in caught.value.message


def test_a_reason_without_a_text_of_ours_is_openssls_own() -> None:
    assert tls_reason(ssl.SSLError(1, "[SSL: NO_SUITABLE_KEY_SHARE] no suitable key share (_ssl.c:992)")) == (
        "no suitable key share"
    )
    assert tls_reason(ssl.SSLError(1, "odd")) == "the TLS connection failed"
    assert tls_reason(ConnectionResetError(104, "Connection reset by peer")) == ""
