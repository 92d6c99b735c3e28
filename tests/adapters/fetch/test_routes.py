import asyncio
import os
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Source
from banlistd.errors import FetchError, PassingError
from banlistd.model import SourceId, Validators
from support.certificates import Authority, self_signed, server_context
from support.feed_server import FeedServer, body, redirect, status
from support.in_process_parser import ONE_TRY, body_of, downloads, ignored
from support.socks_server import SocksServer

LIST = b"192.0.2.1\n"


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        running.serve("/list", LIST)
        yield running


@pytest.fixture
def socks(server: FeedServer) -> Iterator[SocksServer]:
    with SocksServer(server.port) as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made_in(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def safe(authority: Authority) -> Iterator[FeedServer]:
    with FeedServer(tls=server_context(authority.signed("server"))) as running:
        running.serve("/list", LIST)
        yield running


def fetch(url: str, credentials: Path | None = None, **settings: Any) -> bytes:
    source = Source(id=SourceId("a"), url=url, **({"timeout": 10.0} | settings))
    return body_of(asyncio.run(downloads("1", credentials, retry=ONE_TRY).fetch(source, Validators(), ignored)))


# Proxies


def test_a_source_has_a_proxy_of_its_own(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("p@ss")
    server.behave("http://feed.invalid/list", body(LIST))
    proxy = f"http://user:${{credential:key}}@127.0.0.1:{server.port}"
    assert fetch("http://feed.invalid/list", tmp_path, proxy=proxy) == LIST
    assert server.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS5"])
def test_a_proxy_may_speak_socks_and_gets_the_name(socks: SocksServer, scheme: str) -> None:
    assert fetch("http://feed.invalid:8080/list", proxy=f"{scheme}://127.0.0.1:{socks.port}") == LIST
    assert socks.asked == [("feed.invalid", 8080)]


def test_a_socks_proxy_is_found_by_its_name_and_may_want_a_login(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("p@ss")
    with SocksServer(server.port, login=("user", "p@ss")) as socks:
        assert (
            fetch("http://feed.invalid/list", tmp_path, proxy=f"socks5://user:${{credential:key}}@localhost:{socks.port}")
            == LIST
        )
        (tmp_path / "key").write_text("wrong-wrong")
        with pytest.raises(FetchError, match="the proxy refused") as caught:
            fetch("http://feed.invalid/list", tmp_path, proxy=f"socks5://user:${{credential:key}}@localhost:{socks.port}")
    assert "wrong-wrong" not in str(caught.value)
    assert socks.logins[0] == ("user", "p@ss")


def test_tls_goes_through_a_socks_proxy(authority: Authority) -> None:
    with FeedServer(tls=server_context(authority.signed("named", "DNS:feed.invalid"))) as safe, SocksServer(safe.port) as socks:
        safe.serve("/list", LIST)
        proxy = f"socks5://127.0.0.1:{socks.port}"
        assert fetch("https://feed.invalid/list", proxy=proxy, ca=Path(f"{authority.path}.crt")) == LIST
        with pytest.raises(FetchError, match="the server's certificate is for another host name") as caught:
            fetch("https://other.invalid/list", proxy=proxy, ca=Path(f"{authority.path}.crt"))
        assert not isinstance(caught.value, PassingError)


def test_a_socks_proxy_that_does_not_connect_is_named(server: FeedServer) -> None:
    with SocksServer(server.port, reply=5) as socks, pytest.raises(FetchError, match="the proxy refused"):
        fetch("http://feed.invalid/list", proxy=f"socks5://127.0.0.1:{socks.port}")
    with pytest.raises(FetchError, match="cannot connect to the proxy"):
        fetch("http://feed.invalid/list", proxy="socks5://127.0.0.1:1")


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (407, FetchError, "407 Proxy Authentication Required"),
        (403, FetchError, "403 Forbidden"),
        (503, PassingError, "503 Service Unavailable"),
    ],
)
def test_a_proxy_that_makes_no_tunnel_is_named_with_its_answer(
    server: FeedServer, code: int, kind: type[FetchError], words: str
) -> None:
    server.behave("feed.invalid:443", status(code, {"Proxy-Authenticate": "Basic"}))
    with pytest.raises(FetchError, match=f"the proxy refused: {words}") as caught:
        fetch("https://feed.invalid/list", proxy=f"http://127.0.0.1:{server.port}")
    assert type(caught.value) is kind
    assert bool(caught.value.hint) is (code != 503)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_whose_name_is_not_known_is_not_taken_for_the_server(scheme: str) -> None:
    with pytest.raises(PassingError, match="the proxy's name cannot be resolved"):
        fetch("https://feed.example/list", proxy=f"{scheme}://proxy.invalid:3128")


@pytest.mark.parametrize("said", [b"", b"\x05", b"\x05\x00"])
def test_a_socks_proxy_that_hangs_up_is_named(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as thread:

        def hang_up() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(3)
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(100)

        ended = thread.submit(hang_up)
        with pytest.raises(PassingError, match="the proxy hung up"):
            fetch("http://feed.invalid/list", proxy=f"socks5://127.0.0.1:{listening.getsockname()[1]}")
        ended.result(timeout=60)


def test_all_proxy_of_the_environment_counts(socks: SocksServer, monkeypatch: pytest.MonkeyPatch, server: FeedServer) -> None:
    monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{socks.port}")
    assert fetch("http://feed.invalid/list") == LIST
    assert len(socks.asked) == 1
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    assert fetch(server.url("/list")) == LIST
    assert len(socks.asked) == 1


def test_a_source_may_have_no_proxy(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert fetch(server.url("/list"), proxy="off") == LIST
    with pytest.raises(FetchError, match="cannot connect to the proxy"):
        fetch(server.url("/list"))


def test_behind_a_socks_proxy_addresses_cannot_be_seen_and_nothing_private_follows(
    server: FeedServer, socks: SocksServer
) -> None:
    proxy = f"socks5://127.0.0.1:{socks.port}"
    with pytest.raises(FetchError, match="public_only cannot be checked"):
        fetch("http://feed.invalid/list", proxy=proxy, public_only=True)
    server.behave("/away", redirect("http://169.254.169.254/latest/"))
    with pytest.raises(FetchError, match="inside of the network"):
        fetch("http://feed.invalid/away", proxy=proxy)
    assert [host for host, _ in socks.asked] == ["feed.invalid"]


# Certificates


def test_an_authority_of_the_source_counts_in_place_of_the_systems(safe: FeedServer, authority: Authority) -> None:
    assert fetch(safe.url("/list"), ca=Path(f"{authority.path}.crt")) == LIST
    with pytest.raises(FetchError, match="certificate"):
        fetch(safe.url("/list"))


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\xff\xfe"])
def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FetchError, match=r"the ca .*ca\.pem") as caught:
        fetch("https://127.0.0.1:1/", ca=path)
    assert caught.value.hint


@pytest.mark.parametrize("key", ["ca", "client_certificate"])
def test_a_certificate_on_a_disk_that_does_not_answer_is_waited_for_no_longer_than_the_timeout(
    tmp_path: Path, key: str
) -> None:
    fifo = tmp_path / "certificate"
    os.mkfifo(fifo)

    async def life() -> None:
        # The one thread that all else has.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        certificate: dict[str, Any] = {key: fifo}
        source = Source(id=SourceId("a"), url="https://127.0.0.1:1/", timeout=0.1, **certificate)
        fetcher = downloads("1", None, retry=ONE_TRY)
        for message in (r"not read within 0\.1 s", "an earlier attempt has not come back"):
            with pytest.raises(FetchError, match=message):
                await fetcher.fetch(source, Validators(), ignored)
        await asyncio.to_thread(int)

    try:
        asyncio.run(life())
    finally:
        os.close(os.open(fifo, os.O_RDWR | os.O_NONBLOCK))  # it lets the thread go


@pytest.fixture
def demanding(authority: Authority) -> Iterator[FeedServer]:
    context = server_context(authority.signed("server"))
    context.load_verify_locations(f"{authority.path}.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    with FeedServer(tls=context) as running:
        running.serve("/list", LIST)
        yield running


def test_a_certificate_is_shown_to_the_server(demanding: FeedServer, authority: Authority, tmp_path: Path) -> None:
    both = authority.signed("client")
    ca = Path(f"{authority.path}.crt")
    assert fetch(demanding.url("/list"), ca=ca, client_certificate=both) == LIST
    (tmp_path / "key").write_bytes(both.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0])
    apart = {"client_certificate": Path(f"{both}.crt"), "client_key": "${credential:key}"}
    assert fetch(demanding.url("/list"), tmp_path, ca=ca, **apart) == LIST
    with pytest.raises(FetchError, match=r"client certificate|connection was lost|hung up"):
        fetch(demanding.url("/list"), ca=ca)


# aiohttp closes a connection that the server ended in the next rounds of the loop, which ends here at once.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_is_not_shown_to_another_origin(demanding: FeedServer, safe: FeedServer, authority: Authority) -> None:
    safe.behave("/away", redirect(demanding.url("/list")))
    with pytest.raises(FetchError):
        fetch(safe.url("/away"), ca=Path(f"{authority.path}.crt"), client_certificate=authority.signed("client"))
    assert not demanding.requests


def test_a_certificate_whose_key_does_not_fit_is_refused_unseen(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(self_signed(tmp_path, "other").read_bytes().partition(b"-----BEGIN CERTIFICATE")[0])
    settings = {"client_certificate": Path(f"{authority.signed('client')}.crt"), "client_key": "${credential:key}"}
    with pytest.raises(FetchError, match="its key cannot be used") as caught:
        fetch("https://127.0.0.1:1/", tmp_path, **settings)
    assert "PRIVATE" not in str(caught.value)
    with pytest.raises(FetchError, match="LoadCredential=gone"):
        fetch("https://127.0.0.1:1/", tmp_path, **(settings | {"client_key": "${credential:gone}"}))
