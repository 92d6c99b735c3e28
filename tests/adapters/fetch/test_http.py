import asyncio
import errno
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from banlistd.adapters.fetch.file import LocalFiles
from banlistd.adapters.fetch.http import Downloads, RetryPolicy
from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.adapters.signatures.verifier import PublisherProofs
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError, PassingError
from banlistd.model import NotModified, SourceId, Validators
from support.feed_server import (
    FeedServer,
    Handler,
    body,
    cut_chunked,
    cut_length,
    endless,
    endless_chunk_size,
    hang,
    head,
    in_turn,
    interim_answers,
    raw,
    redirect,
    reset,
    slow_body,
    slow_headers,
    status,
    two_lengths,
    without_length,
)
from support.in_process_parser import InProcessSession, body_of, downloads, ignored
from support.ports import reserved_port

LIST = b"".join(b"192.0.2.%d\n" % number for number in range(256)) * 100
PACKED = gzip.compress(LIST)
MIB = 1 << 20


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Pauses:
    """A sleep that takes no time and remembers what was asked of it."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


def fetch(
    url: str, validators: Validators | None = None, pauses: Pauses | None = None, **settings: Any
) -> Download | NotModified:
    source = Source(id=SourceId("a-list"), url=url, **({"timeout": 10.0, "max_bytes": MIB} | settings))
    fetcher = downloads("1.2", retry=RetryPolicy(sleep=pauses or Pauses(), chance=lambda: 0.5))
    return asyncio.run(fetcher.fetch(source, validators or Validators(), ignored))


def test_a_list_comes_whole_with_its_validators(server: FeedServer) -> None:
    server.serve("/list", LIST, etag='W/"a"', last_modified="Sun, 01 Nov 2026 00:00:00 GMT")
    outcome = fetch(server.url("/list"))
    assert isinstance(outcome, Download)
    assert body_of(outcome) == LIST
    assert outcome.validators == Validators('W/"a"', "Sun, 01 Nov 2026 00:00:00 GMT", hashlib.sha256(LIST).hexdigest())
    assert server.requests[0].headers["user-agent"] == "banlistd/1.2"


@pytest.mark.parametrize(
    "validators",
    [Validators('"a"', "", "x"), Validators("", "Sun, 01 Nov 2026 00:00:00 GMT", "x")],
)
def test_an_unchanged_list_is_not_modified(server: FeedServer, validators: Validators) -> None:
    server.serve("/list", LIST, etag='"a"', last_modified="Sun, 01 Nov 2026 00:00:00 GMT")
    assert fetch(server.url("/list"), validators) == NotModified()


def test_unrequested_304_is_refused(server: FeedServer) -> None:
    server.behave("/list", raw(head(304, {})))
    with pytest.raises(FetchError, match="no condition"):
        fetch(server.url("/list"), Validators(body_hash="x"))


def test_validator_unfit_for_a_header_is_not_sent(server: FeedServer) -> None:
    server.serve("/list", LIST)
    assert body_of(fetch(server.url("/list"), Validators('"a"\r\nX: 1'))) == LIST
    assert "if-none-match" not in server.requests[0].headers


def test_a_validator_in_odd_bytes_is_not_kept(server: FeedServer) -> None:
    server.behave("/list", raw(b"HTTP/1.1 200 OK\r\nETag: \xff\xfe\r\nContent-Length: 3\r\n\r\n1::"))
    outcome = fetch(server.url("/list"))
    assert isinstance(outcome, Download)
    assert outcome.validators.etag == ""


def test_a_compressed_transfer_is_hashed_as_it_arrived(server: FeedServer) -> None:
    server.behave("/list", body(PACKED, {"Content-Encoding": "gzip"}))
    outcome = fetch(server.url("/list"))
    assert isinstance(outcome, Download)
    assert body_of(outcome) == LIST
    assert outcome.validators.body_hash == hashlib.sha256(PACKED).hexdigest()


def test_a_server_that_can_compress_is_asked_to(server: FeedServer) -> None:
    server.serve("/list", LIST, gzipped=True)
    assert body_of(fetch(server.url("/list"))) == LIST
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate, br"


def test_a_compressed_file_in_a_compressed_transfer_is_unpacked_twice(server: FeedServer) -> None:
    packed = zlib.compress(gzip.compress(LIST))
    server.behave("/list.gz", body(packed, {"Content-Encoding": "deflate"}))
    assert body_of(fetch(server.url("/list.gz"))) == LIST


def test_a_list_of_many_portions_is_whole(server: FeedServer) -> None:
    large = LIST * 200
    server.behave("/plain", without_length(large))
    server.behave("/packed", without_length(gzip.compress(large, 1) + gzip.compress(LIST)))
    assert body_of(fetch(server.url("/plain"), max_bytes=64 * MIB)) == large
    assert body_of(fetch(server.url("/packed"), max_bytes=64 * MIB)) == large + LIST


@pytest.mark.parametrize("name", ["Content-Security-Policy", "Set-Cookie", "Link"])
@pytest.mark.parametrize("size", [9_000, 65_000])
def test_a_long_header_does_no_harm(server: FeedServer, name: str, size: int) -> None:
    server.behave("/list", body(LIST, {name: "x" * size}))
    assert body_of(fetch(server.url("/list"))) == LIST


@pytest.mark.parametrize("encoding", ["utf-8", "none", "aws-chunked", "text/plain; charset=UTF-8"])
def test_a_content_encoding_that_is_none_leaves_the_list_as_it_is(server: FeedServer, encoding: str) -> None:
    server.behave("/list", body(LIST, {"Content-Encoding": encoding}))
    assert body_of(fetch(server.url("/list"))) == LIST


def test_an_html_page_with_200_passes_here_for_the_guards_to_refuse(server: FeedServer) -> None:
    page = b"<!DOCTYPE html><html><body>192.0.2.1</body></html>"
    server.behave("/list", body(page, {"Content-Type": "text/html"}))
    assert body_of(fetch(server.url("/list"))) == page


def test_a_few_interim_answers_come_before_the_list(server: FeedServer) -> None:
    server.behave(
        "/list", raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 10 + head(200, {"Content-Length": "3"}) + b"1::")
    )
    assert body_of(fetch(server.url("/list"))) == b"1::"


def test_a_plain_body_without_a_length_is_taken_as_it_ends(server: FeedServer) -> None:
    server.behave("/list", without_length(LIST[:1000]))
    assert body_of(fetch(server.url("/list"))) == LIST[:1000]


REFUSED: dict[str, tuple[Handler, str]] = {
    "cut before its announced length": (cut_length(LIST), "cut short"),
    "cut between chunks": (cut_chunked(LIST), "cut short"),
    "cut gzip that claims to be whole": (body(PACKED[:-500]), "cut short"),
    "cut gzip without a length": (without_length(PACKED[:-500]), "cut short"),
    "cut gzip transfer": (without_length(PACKED[:-500], {"Content-Encoding": "gzip"}), "cut short"),
    "cut second member": (body(PACKED + PACKED[:-1]), "cut short"),
    "junk after gzip": (body(PACKED + b"<html>"), "follows the end"),
    "bomb": (body(gzip.compress(bytes(50 * MIB))), "larger than 1048576 bytes unpacked"),
    "bomb as a transfer": (body(gzip.compress(bytes(50 * MIB)), {"Content-Encoding": "gzip"}), "larger than"),
    "endless": (endless(), "larger than 1048576 bytes"),
    "announced as too large": (raw(head(200, {"Content-Length": str(MIB + 1)})), "larger than 1048576 bytes"),
    "reset": (reset(LIST), "connection was lost|cut short"),
    "two lengths": (two_lengths(LIST), "not proper HTTP"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "not proper HTTP"),
    "header without an end": (raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * MIB), "header of more than 65536 bytes"),
    "header of 70,000 bytes": (body(LIST, {"X-A": "a" * 70_000}), "header of more than 65536 bytes"),
    "200 headers": (body(LIST, {f"X-{number}": "a" for number in range(200)}), "more than 128 headers|not proper HTTP"),
    "length that is no number": (raw(head(200, {"Content-Length": "-5"}) + LIST), "not proper HTTP"),
    "chunk that is none": (raw(head(200, {"Transfer-Encoding": "chunked"}) + b"zz\r\n"), "malformed|not proper HTTP"),
    "closed at once": (raw(b""), "hung up"),
    "interim answers without an end": (interim_answers(), "one interim answer after another"),
    "part": (status(206, {}, LIST), "206 Partial Content"),
    "nothing": (raw(head(204, {})), "204 No Content"),
    "not found": (status(404), "404 Not Found"),
    "gone": (status(410), "410 Gone"),
    "login": (status(401), "401 Unauthorized"),
    "odd status": (raw(head(799, {})), "799 \\(unknown\\)"),
    "rate limit": (status(429, {"Retry-After": "900"}), "429 Too Many Requests"),
    "fault": (status(500), "500 Internal Server Error"),
    "unasked encoding": (body(LIST, {"Content-Encoding": "compress"}), "did not ask for: compress"),
    "false encoding": (body(LIST, {"Content-Encoding": "gzip"}), "damaged"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_wrong_answer_is_refused(server: FeedServer, fault: str) -> None:
    handler, reason = REFUSED[fault]
    server.behave("/list", handler)
    with pytest.raises(FetchError, match=reason):
        fetch(server.url("/list"))


WITHOUT_END: dict[str, Handler] = {
    "hang": hang(),
    "slow headers": slow_headers(),
    "slow body": slow_body(),
    "size of a chunk": endless_chunk_size(),
}


@pytest.mark.parametrize("fault", WITHOUT_END)
def test_one_deadline_ends_whatever_has_no_end(server: FeedServer, fault: str) -> None:
    server.behave("/list", WITHOUT_END[fault])
    with pytest.raises(FetchError, match=r"within 0\.3 s"):
        fetch(server.url("/list"), timeout=0.3)


def test_many_slow_redirects_end_at_the_same_deadline(server: FeedServer) -> None:
    server.behave("/list", status(302, {"Location": "/slow"}))
    server.behave("/slow", slow_headers())
    with pytest.raises(FetchError, match=r"within 0\.3 s"):
        fetch(server.url("/list"), timeout=0.3)


def test_at_the_deadline_the_fault_of_the_try_before_is_not_lost(server: FeedServer) -> None:
    # On a busy machine the first deadline may be over before the first answer.
    for seconds in (0.9, 9.0, 90.0):
        server.behave("/list", in_turn(status(503), hang()))
        with pytest.raises(FetchError) as caught:
            fetch(server.url("/list"), timeout=seconds)
        if "503" in str(caught.value):
            break
    assert f"within {seconds:g} s; the try before failed: the server answered 503" in str(caught.value)


def test_a_server_that_is_not_there_is_named(unused_port: int) -> None:
    with pytest.raises(FetchError, match=rf"cannot connect: http://127\.0\.0\.1:{unused_port}/list \(.*refused"):
        fetch(f"http://127.0.0.1:{unused_port}/list?key=hush")


@pytest.fixture
def unused_port() -> Iterator[int]:
    with reserved_port() as port:
        yield port


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
def test_a_passing_fault_is_asked_again_after_a_longer_and_longer_pause(server: FeedServer, code: int) -> None:
    server.behave("/list", in_turn(status(code), cut_length(LIST), body(LIST)))
    pauses = Pauses()
    assert body_of(fetch(server.url("/list"), pauses=pauses)) == LIST
    assert pauses.taken == [0.5, 1.0]


def test_a_list_that_is_asked_for_again_is_one_attempt(server: FeedServer) -> None:
    server.behave("/list", in_turn(cut_length(LIST), cut_length(LIST), body(LIST)))
    source = Source(id=SourceId("a-list"), url=server.url("/list"), timeout=10.0)
    attempts = []

    async def on_body() -> None:
        attempts.append(server.hits("/list"))

    outcome = asyncio.run(downloads("1", retry=RetryPolicy(sleep=Pauses())).fetch(source, Validators(), on_body))
    assert body_of(outcome) == LIST
    assert attempts == [1]


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 451, 501])
def test_a_lasting_fault_is_not_asked_again(server: FeedServer, code: int) -> None:
    server.behave("/list", in_turn(status(code), body(LIST)))
    with pytest.raises(FetchError, match=str(code)):
        fetch(server.url("/list"))
    assert server.hits("/list") == 1


@pytest.mark.parametrize("fault", [status(503), status(429, {"Retry-After": "1"}), cut_length(LIST), reset(LIST)])
def test_a_publisher_with_a_minimum_interval_gets_no_second_request(server: FeedServer, fault: Handler) -> None:
    server.behave("/list", in_turn(fault, body(LIST)))
    with pytest.raises(FetchError) as caught:
        fetch(server.url("/list"), minimum=3600.0)
    assert server.hits("/list") == 1
    assert caught.value.was_sent


def test_a_server_that_was_never_reached_may_be_tried_again_and_has_seen_no_request(unused_port: int) -> None:
    pauses = Pauses()
    with pytest.raises(FetchError) as caught:
        fetch(f"http://127.0.0.1:{unused_port}/list", minimum=3600.0, pauses=pauses)
    assert len(pauses.taken) == 2
    assert not caught.value.was_sent


def test_a_redirect_to_a_server_that_is_not_there_is_a_request_all_the_same(server: FeedServer, unused_port: int) -> None:
    server.behave("/list", redirect(f"http://127.0.0.1:{unused_port}/"))
    with pytest.raises(FetchError) as caught:
        fetch(server.url("/list"), minimum=3600.0)
    assert server.hits("/list") == 1
    assert caught.value.was_sent


def test_three_tries_are_all(server: FeedServer) -> None:
    server.behave("/list", status(503))
    with pytest.raises(FetchError, match="503"):
        fetch(server.url("/list"))
    assert server.hits("/list") == 3


def test_the_server_says_how_long_to_wait(server: FeedServer) -> None:
    server.behave("/list", in_turn(status(429, {"Retry-After": "4"}), body(LIST)))
    pauses = Pauses()
    assert body_of(fetch(server.url("/list"), pauses=pauses)) == LIST
    assert pauses.taken == [4.0]


@pytest.mark.parametrize("value", ["3600", formatdate(4e9, usegmt=True)])
def test_wait_beyond_the_deadline_fails_at_once(server: FeedServer, value: str) -> None:
    server.behave("/list", status(429, {"Retry-After": value}))
    with pytest.raises(FetchError) as caught:
        fetch(server.url("/list"))
    assert caught.value.retry_after in (3600.0, 86_400.0)
    assert server.hits("/list") == 1


def test_a_proxy_of_the_environment_is_used_with_its_login(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "")
    server.behave("http://feed.invalid/list", body(LIST))
    assert body_of(fetch("http://feed.invalid/list")) == LIST
    assert server.requests[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


def test_a_proxy_is_left_out_where_the_environment_says_so(server: FeedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.serve("/list", LIST)
    assert body_of(fetch(server.url("/list"))) == LIST


def test_the_event_loop_goes_on_while_a_large_body_is_unpacked(server: FeedServer) -> None:
    packed = gzip.compress(LIST + b"# a remark\n" * 2 * MIB, 1)
    server.behave("/list", body(packed))
    source = Source(id=SourceId("a-list"), url=server.url("/list"), timeout=60.0, max_bytes=64 * MIB)

    parser = ParserProcesses()
    fetcher = Downloads("1", LocalFiles(parser), parser, PublisherProofs())

    async def fetch_and_tick() -> tuple[int, Download | NotModified]:
        fetching = asyncio.ensure_future(fetcher.fetch(source, Validators(), ignored))
        ticks = 0
        while not fetching.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks, await fetching

    ticks, outcome = asyncio.run(fetch_and_tick())
    assert isinstance(outcome, Download)
    assert len(outcome.parsed.addresses) > 0
    assert ticks > 10


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_what_this_machine_lacks_is_not_said_of_the_connection(
    server: FeedServer, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    server.serve("/list", LIST)

    async def lacking(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(InProcessSession, "finish", lacking)
    with pytest.raises(PassingError, match=f"this machine cannot read the list now.*{os.strerror(number)}"):
        fetch(server.url("/list"))
