"""Lists that are proven before they are read, from a real server."""

import asyncio
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.fetch.http import RetryPolicy
from banlistd.core.config.model import Source
from banlistd.core.config.sections.verify import Verify
from banlistd.core.feeds.evaluate import fetch_key_of
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError, MismatchError, VerificationError
from banlistd.model import NotModified, SourceId, Validators
from support.feed_server import FeedServer, Handler, body, endless, in_turn, redirect, status
from support.in_process_parser import body_of, downloads
from support.signing import Minisign

LIST = b"192.0.2.1\n198.51.100.0/24\n"
NEWER = b"192.0.2.1\n"


def sum_of(content: bytes, name: str = "list") -> bytes:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode()


SHA256 = Verify(sha256=".sha256")


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Fetching:
    """`read`: how often a body was given to a parser. `pauses`: those between tries, which take no time."""

    def __init__(self) -> None:
        self.read = 0
        self.pauses: list[float] = []

    async def on_body(self) -> None:
        self.read += 1

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def fetch(
        self,
        url: str | Sequence[str],
        verify: Verify = SHA256,
        validators: Validators | None = None,
        credentials: Path | None = None,
        **settings: Any,
    ) -> Download | NotModified:
        place = url if isinstance(url, str) else tuple(url)
        source = Source(id=SourceId("a"), url=place, verify=verify, **({"timeout": 10.0} | settings))
        retry = RetryPolicy(sleep=self.sleep, chance=lambda: 0.5)
        return asyncio.run(downloads("1", credentials, retry=retry).fetch(source, validators or Validators(), self.on_body))


@pytest.fixture
def fetching() -> Fetching:
    return Fetching()


def test_a_list_that_fits_its_checksum_is_read(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST, etag='"1"')
    server.serve("/list.sha256", sum_of(LIST))
    outcome = fetching.fetch(server.url("/list"))
    assert body_of(outcome) == LIST
    assert isinstance(outcome, Download)
    assert outcome.validators == Validators('"1"', "", hashlib.sha256(LIST).hexdigest())
    assert [request.path for request in server.requests] == ["/list", "/list.sha256"]


def test_the_server_is_asked_for_the_file_as_it_is(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST, gzipped=True)
    server.serve("/list.sha256", sum_of(LIST))
    assert body_of(fetching.fetch(server.url("/list"))) == LIST
    assert {request.headers["accept-encoding"] for request in server.requests} == {"identity"}


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}], ids=["as a file", "announced as a coding"])
def test_of_a_packed_list_the_packed_bytes_are_proven(server: FeedServer, fetching: Fetching, headers: dict[str, str]) -> None:
    packed = gzip.compress(LIST)
    server.behave("/list.gz", body(packed, headers))
    server.serve("/list.gz.sha256", sum_of(packed, "list.gz"))
    assert body_of(fetching.fetch(server.url("/list.gz"))) == LIST


def test_the_sum_of_what_is_packed_does_not_prove_the_packed_list(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list.gz", gzip.compress(LIST))
    server.serve("/list.gz.sha256", sum_of(LIST, "list.gz"))
    with pytest.raises(MismatchError, match="the list is not verified"):
        fetching.fetch(server.url("/list.gz"))


def test_a_list_that_does_not_fit_is_asked_for_twice_and_never_read(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST)
    server.serve("/list.sha256", sum_of(NEWER))
    with pytest.raises(
        MismatchError, match=r"the list is not verified: its SHA-256 is .*: http://127\.0\.0\.1:\d+/list\.sha256$"
    ):
        fetching.fetch(server.url("/list"))
    assert [request.path for request in server.requests] == ["/list", "/list.sha256"] * 2
    assert fetching.read == 0
    assert len(fetching.pauses) == 1


RENEWED: dict[str, tuple[Sequence[bytes], Sequence[bytes]]] = {
    "the list first": ([NEWER], [sum_of(LIST), sum_of(NEWER)]),
    "its checksum first": ([LIST, NEWER], [sum_of(NEWER)]),
}


@pytest.mark.parametrize("order", RENEWED)
def test_a_renewal_between_the_two_requests_is_no_fault(server: FeedServer, fetching: Fetching, order: str) -> None:
    lists, sums = RENEWED[order]
    server.behave("/list", in_turn(*map(body, lists)))
    server.behave("/list.sha256", in_turn(*map(body, sums)))
    assert body_of(fetching.fetch(server.url("/list"))) == NEWER
    assert fetching.read == 1


def test_a_publisher_with_a_minimum_interval_is_asked_once(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST)
    server.serve("/list.sha256", sum_of(NEWER))
    with pytest.raises(MismatchError):
        fetching.fetch(server.url("/list"), minimum=3600.0)
    assert server.hits("/list") == 1


def test_an_unchanged_list_needs_no_checksum(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST, etag='"1"')
    assert fetching.fetch(server.url("/list"), validators=Validators('"1"', "", "x")) == NotModified()
    known = hashlib.sha256(LIST).hexdigest()
    again = fetching.fetch(server.url("/list"), validators=Validators("", "", known))
    assert again == NotModified(Validators('"1"', "", known))
    assert server.hits("/list.sha256") == 0


def test_the_bytes_of_another_verification_are_not_known() -> None:
    plain = Source(id=SourceId("a"), url="https://lists.example/")
    keys = {fetch_key_of(Source(id=plain.id, url=plain.url, verify=verify)) for verify in (None, SHA256, Verify(sha256=".sum"))}
    assert len(keys) == 3
    assert fetch_key_of(plain) in keys


REFUSED: dict[str, tuple[Handler, str]] = {
    "absent": (status(404), "its checksum cannot be fetched: the server answered 404 Not Found: http://"),
    "forbidden": (status(403), "its checksum cannot be fetched: the server answered 403 Forbidden"),
    "overloaded": (status(503), "its checksum cannot be fetched: the server answered 503"),
    "a web page": (body(b"<html>\n"), "its checksum cannot be read: line 1 is no checksum: <html>"),
    "empty": (body(b""), "its checksum is missing"),
    "too large": (body(b"#" * 70_000), "its checksum cannot be fetched: it is larger than 65536 bytes"),
    "without an end": (endless(), "its checksum cannot be fetched: it is larger than 65536 bytes"),
    "packed": (body(gzip.compress(b"a"), {"Content-Encoding": "gzip"}), "the server packs it, and was asked not to"),
    "of other files": (body(sum_of(LIST, "a") + sum_of(LIST, "b")), "does not name list"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_checksum_that_cannot_be_had_fails_the_list(server: FeedServer, fetching: Fetching, fault: str) -> None:
    handler, reason = REFUSED[fault]
    server.serve("/list", LIST)
    server.behave("/list.sha256", handler)
    with pytest.raises(VerificationError, match=f"the list is not verified: .*{reason}"):
        fetching.fetch(server.url("/list"))
    assert fetching.read == 0
    assert server.hits("/list") == 1


def test_a_passing_fault_of_the_checksum_asks_for_the_checksum_alone(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST)
    server.behave("/list.sha256", in_turn(status(503), body(sum_of(LIST))))
    assert body_of(fetching.fetch(server.url("/list"))) == LIST
    assert (server.hits("/list"), server.hits("/list.sha256")) == (1, 2)


def test_the_list_behind_a_redirect_keeps_its_own_name(server: FeedServer, fetching: Fetching) -> None:
    server.behave("/list", redirect("/objects/1234"))
    server.serve("/objects/1234", LIST)
    server.serve("/sums", sum_of(NEWER, "other") + sum_of(LIST))
    assert body_of(fetching.fetch(server.url("/list"), Verify(sha256=server.url("/sums")))) == LIST


def test_each_of_several_urls_has_a_checksum_of_its_own(server: FeedServer, fetching: Fetching) -> None:
    for name, content in (("/v4", LIST), ("/v6", b"2001:db8::/32\n")):
        server.serve(name, content)
        server.serve(f"{name}.sha256", sum_of(content))
    outcome = fetching.fetch([server.url("/v4"), server.url("/v6")])
    assert isinstance(outcome, Download)
    assert outcome.parsed.entries == 3
    server.serve("/v6.sha256", sum_of(b""))
    with pytest.raises(MismatchError):
        fetching.fetch([server.url("/v4"), server.url("/v6")])


def test_a_list_of_the_day_has_the_checksum_of_the_day(server: FeedServer, fetching: Fetching) -> None:
    # The server has the lists of two days, whichever they are.
    server.behave("/list", status(404))
    with pytest.raises(FetchError, match="404 Not Found"):
        fetching.fetch(server.url("/list-%Y%m%d"), Verify(sha256=server.url("/sums-%Y%m%d")))
    today = server.requests[0].path.removeprefix("/list-")
    server.serve(f"/list-{today}", LIST)
    server.serve(f"/sums-{today}", sum_of(LIST))
    assert body_of(fetching.fetch(server.url("/list-%Y%m%d"), Verify(sha256=server.url("/sums-%Y%m%d")))) == LIST


def test_secrets_go_only_to_the_origin_of_the_list(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST)
    server.serve("/list.sha256", sum_of(LIST))
    with FeedServer() as other:
        other.serve("/sums", sum_of(LIST))
        fetching.fetch(server.url("/list"), headers={"X-Key": "hush"})
        fetching.fetch(server.url("/list"), Verify(sha256=other.url("/sums")), headers={"X-Key": "hush"})
        assert "x-key" not in other.requests[0].headers
    assert [request.headers.get("x-key") for request in server.requests] == ["hush"] * 3


def test_a_secret_in_the_address_of_a_checksum_is_not_shown(server: FeedServer, fetching: Fetching, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush-hush")
    server.serve("/list", LIST)
    with pytest.raises(FetchError, match="404") as caught:
        fetching.fetch(server.url("/list"), Verify(sha256=server.url("/${credential:key}/sums")), credentials=tmp_path)
    assert "hush" not in str(caught.value)
    assert server.requests[1].path == "/hush-hush/sums"


def test_a_redirect_of_the_checksum_into_the_network_is_not_followed(server: FeedServer, fetching: Fetching) -> None:
    server.serve("/list", LIST)
    server.behave("/list.sha256", redirect("http://169.254.169.254/"))
    with pytest.raises(VerificationError, match="cannot be fetched: a redirect leads to"):
        fetching.fetch(server.url("/list"))


def test_a_list_larger_than_its_bound_is_not_kept(server: FeedServer, fetching: Fetching) -> None:
    server.behave("/list", endless())
    with pytest.raises(FetchError, match="larger than 1000000 bytes"):
        fetching.fetch(server.url("/list"), max_bytes=1_000_000)


def test_all_checks_must_pass(server: FeedServer, fetching: Fetching, tmp_path: Path) -> None:
    publisher = Minisign.made_in(tmp_path)
    server.serve("/list", LIST)
    server.serve("/list.sha256", sum_of(LIST))
    server.serve("/list.minisig", publisher.signed(LIST))
    both = Verify(sha256=".sha256", key=publisher.key)
    assert body_of(fetching.fetch(server.url("/list"), both)) == LIST
    server.serve("/list.minisig", publisher.signed(NEWER))
    with pytest.raises(MismatchError, match=r"not what its signature is of: http://.*/list\.minisig"):
        fetching.fetch(server.url("/list"), both)
