import asyncio
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.fetch.file import LocalFiles
from banlistd.adapters.fetch.http import Downloads, RetryPolicy
from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.adapters.signatures.verifier import PublisherProofs
from banlistd.core.config.model import Source
from banlistd.core.config.sections.pages import PARAMETER, Pages
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.feeds.parsers import parse
from banlistd.errors import FetchError, ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import NotModified, SourceId, Validators
from support.feed_server import FeedServer, Handler, Request, body, cut_length, in_turn, linked, raw, redirect, status
from support.in_process_parser import downloads, ignored

ONE, TWO, THREE = b"192.0.2.1\n192.0.2.2\n", b"198.51.100.0/24\n", b"2001:db8::1\n"
JSON = Format(FormatType.JSON, paths=("data[]",))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FeedServer() as running:
        yield running


@pytest.fixture
def other() -> Iterator[FeedServer]:
    with FeedServer() as running:
        yield running


async def no_pause(_seconds: float) -> None: ...


def fetch(
    url: str, pages: Pages | None, validators: Validators | None = None, credentials: Path | None = None, **settings: Any
) -> Download | NotModified:
    source = Source(id=SourceId("a"), url=url, pages=pages, **({"timeout": 10.0} | settings))
    fetcher = downloads("1", credentials, retry=RetryPolicy(sleep=no_pause, chance=lambda: 0.0))
    return asyncio.run(fetcher.fetch(source, validators or Validators(), ignored))


def holds(outcome: Download | NotModified, *parts: bytes) -> None:
    """The list is what these bodies are together."""
    assert isinstance(outcome, Download)
    assert outcome.parsed.addresses == parse(b"".join(parts)).addresses
    assert not outcome.parsed.next_page


def by_query(answers: Mapping[str, bytes], otherwise: bytes = b"") -> Handler:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        await body(answers.get(request.target.partition("?")[2], otherwise))(request, writer)

    return answer


def document(*addresses: str, **beside: object) -> bytes:
    return json.dumps({"data": addresses, **beside}).encode()


def three_linked(server: FeedServer) -> None:
    server.behave("/list", linked(ONE, "/second"))
    server.behave("/second", linked(TWO, "third?x=1"))
    server.behave("/third", body(THREE))


def test_links_are_followed_to_the_last_page(server: FeedServer) -> None:
    three_linked(server)
    outcome = fetch(server.url("/list"), Pages())
    holds(outcome, ONE, TWO, THREE)
    assert [request.target for request in server.requests] == ["/list", "/second", "/third?x=1"]
    assert isinstance(outcome, Download)
    assert (outcome.validators.etag, outcome.validators.last_modified) == ("", "")


def test_each_page_is_a_document_and_a_compression_of_its_own(server: FeedServer) -> None:
    server.behave("/list", linked(gzip.compress(b"ip,score\n192.0.2.1,9\n192.0.2.2,9\n"), "/second"))
    server.behave("/second", body(b"ip,score\n198.51.100.0/24,9\n"))
    holds(fetch(server.url("/list"), Pages(), format=Format(FormatType.CSV, columns=("ip",))), ONE, TWO)


def test_the_same_pages_are_not_modified(server: FeedServer) -> None:
    three_linked(server)
    first = fetch(server.url("/list"), Pages())
    assert isinstance(first, Download)
    again = fetch(server.url("/list"), Pages(), first.validators)
    assert again == NotModified(first.validators)
    assert "if-none-match" not in server.requests[-1].headers
    server.behave("/third", body(b"2001:db8::2\n"))
    holds(fetch(server.url("/list"), Pages(), first.validators), ONE, TWO, b"2001:db8::2\n")


def test_a_list_that_goes_on_shows_it_where_no_pages_are_wanted(server: FeedServer) -> None:
    three_linked(server)
    outcome = fetch(server.url("/list"), None)
    assert isinstance(outcome, Download)
    assert outcome.parsed.next_page == "/second"
    assert server.hits("/second") == 0
    server.behave("/json", body(document("192.0.2.1", next="/json?page=2")))
    outcome = fetch(server.url("/json"), None)
    assert isinstance(outcome, Download)
    assert outcome.parsed.next_page == "/json?page=2"


@pytest.mark.parametrize("place", ["next", "links.next"])
def test_a_document_names_its_next_page(server: FeedServer, place: str) -> None:
    def at(url: str | None) -> dict[str, object]:
        return {"next": url} if place == "next" else {"links": {"next": url}}

    server.behave(
        "/list",
        by_query(
            {
                "": document("192.0.2.1", "192.0.2.2", **at(server.url("/list?page=2"))),
                "page=2": document("198.51.100.0/24", **at("?page=3")),
                "page=3": document("2001:db8::1", **at(None)),
            }
        ),
    )
    holds(fetch(server.url("/list"), Pages(next=place), format=JSON), ONE, TWO, THREE)


@pytest.mark.parametrize("cursor", ["a b&key=x", 17])
def test_a_cursor_goes_into_its_parameter(server: FeedServer, cursor: object) -> None:
    second = "k=1&after=a%20b%26key%3Dx" if isinstance(cursor, str) else "k=1&after=17"
    server.behave("/list", by_query({"k=1": document("192.0.2.1", at=cursor), second: document("192.0.2.2", at="")}))
    holds(fetch(server.url("/list?k=1"), Pages(next="at", parameter="after"), format=JSON), ONE)
    with pytest.raises(FetchError, match="by a cursor") as caught:
        fetch(server.url("/list?k=1"), Pages(next="at"), format=JSON)
    assert "parameter" in caught.value.hint


def test_pages_by_number_end_with_the_first_that_is_empty(server: FeedServer) -> None:
    server.behave("/list", by_query({"page=1": ONE, "page=2": TWO, "page=3": THREE}))
    holds(fetch(server.url("/list"), Pages(next=PARAMETER, parameter="page")), ONE, TWO, THREE)
    assert server.requests[-1].target == "/list?page=4"


def test_pages_by_offset_count_from_where_and_by_what_is_written(server: FeedServer) -> None:
    pages = {"offset=0": document("192.0.2.1", "192.0.2.2"), "offset=100": document("198.51.100.0/24")}
    server.behave("/list", by_query(pages, document()))
    holds(
        fetch(server.url("/list?offset=7"), Pages(next=PARAMETER, parameter="offset", first=0, step=100), format=JSON), ONE, TWO
    )


@pytest.mark.parametrize("end", [b"<html><p>error", b"rate limit exceeded\n", b'{"error": "limit"}'])
def test_an_error_in_place_of_a_page_is_no_end(server: FeedServer, end: bytes) -> None:
    server.behave("/list", by_query({"page=1": ONE}, end))
    with pytest.raises(FetchError, match="no address and is not empty"):
        fetch(server.url("/list"), Pages(next=PARAMETER, parameter="page"))
    server.behave("/list", by_query({"page=1": document("192.0.2.1")}, end))
    with pytest.raises((FetchError, ParseError)):
        fetch(server.url("/list"), Pages(next=PARAMETER, parameter="page"), format=JSON)


def test_a_server_that_does_not_know_the_parameter_is_found_out(server: FeedServer) -> None:
    server.behave("/list", body(ONE))
    with pytest.raises(FetchError, match="page 2 is the same as page 1"):
        fetch(server.url("/list"), Pages(next=PARAMETER, parameter="page"))


BROKEN: dict[str, Handler] = {
    "not there": status(404),
    "not allowed": status(403),
    "cut": cut_length(TWO),
    "unchanged": raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "damaged": body(b"\x1f\x8b" + bytes(50)),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_all_pages_are_taken_or_none(server: FeedServer, fault: str) -> None:
    three_linked(server)
    server.behave("/second", BROKEN[fault])
    with pytest.raises(FetchError):
        fetch(server.url("/list"), Pages())


def test_a_page_that_fails_for_a_moment_is_asked_for_again_alone(server: FeedServer) -> None:
    three_linked(server)
    server.behave("/third", in_turn(status(503), body(THREE)))
    holds(fetch(server.url("/list"), Pages()), ONE, TWO, THREE)
    assert (server.hits("/list"), server.hits("/third")) == (1, 2)


def test_a_list_that_goes_on_beyond_the_bound_is_truncated(server: FeedServer) -> None:
    three_linked(server)
    holds(fetch(server.url("/list"), Pages(most=3)), ONE, TWO, THREE)
    with pytest.raises(FetchError, match="truncated: it goes on after 2 pages") as caught:
        fetch(server.url("/list"), Pages(most=2))
    assert "most" in caught.value.hint
    numbered = {f"page={number}": b"192.0.2.%d\n" % number for number in (1, 2)}
    server.behave("/numbered", by_query(numbered))
    holds(fetch(server.url("/numbered"), Pages(next=PARAMETER, parameter="page", most=2)), ONE)
    with pytest.raises(FetchError, match="goes on after 1 page "):
        fetch(server.url("/numbered"), Pages(next=PARAMETER, parameter="page", most=1))


def test_pages_in_a_circle_end(server: FeedServer) -> None:
    server.behave("/list", linked(ONE, "/second"))
    server.behave("/second", linked(TWO, "/list"))
    with pytest.raises(FetchError, match="read before"):
        fetch(server.url("/list"), Pages())


def test_all_pages_together_are_bounded(server: FeedServer) -> None:
    server.behave("/list", linked(b"192.0.2.1\n" * 60, "/second"))
    server.behave("/second", body(b"192.0.2.1\n" * 60))
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        fetch(server.url("/list"), Pages(), max_bytes=1000)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("file:///etc/passwd", "neither http nor https"),
        ("http://169.254.169.254/latest/", "inside of the network"),
        ("http://2852039166/", "odd form"),
        ("http://[::1", "no URL"),
    ],
)
def test_a_page_where_no_list_can_be_is_refused(server: FeedServer, target: str, reason: str) -> None:
    server.behave("/list", linked(ONE, target))
    server.behave("/json", body(document("192.0.2.1", next=target)))
    server.behave("/redirected", linked(ONE, "/away"))
    server.behave("/away", redirect(target))
    with pytest.raises(FetchError, match=reason):
        fetch(server.url("/list"), Pages())
    with pytest.raises(FetchError, match=reason):
        fetch(server.url("/json"), Pages(next="next"), format=JSON)
    with pytest.raises(FetchError, match=reason):
        fetch(server.url("/redirected"), Pages())


def test_a_source_that_is_public_only_has_public_pages(server: FeedServer) -> None:
    three_linked(server)
    with pytest.raises(FetchError, match="not a public address"):
        fetch(server.url("/list"), Pages(), public_only=True)


def test_secrets_stay_with_the_origin_of_the_first_page(server: FeedServer, other: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush")
    server.behave("/list", linked(ONE, "/second"))
    server.behave("/second", linked(TWO, other.url("/third")))
    other.behave("/third", linked(THREE, server.url("/fourth")))
    server.behave("/fourth", body(b"192.0.2.9\n"))
    outcome = fetch(server.url("/list"), Pages(), credentials=tmp_path, headers={"X-Key": "${credential:key}"})
    holds(outcome, ONE, TWO, THREE, b"192.0.2.9\n")
    first, second, fourth = server.requests
    assert first.headers["x-key"] == second.headers["x-key"] == "hush"
    assert "x-key" not in other.requests[0].headers
    assert "x-key" not in fourth.headers


def test_pages_are_parsed_in_the_process_without_rights(server: FeedServer) -> None:
    server.behave("/list", body(document("192.0.2.1", "192.0.2.2", next="/second")))
    server.behave("/second", body(document("198.51.100.0/24", next=None)))
    parser = ParserProcesses()
    fetcher = Downloads("1", LocalFiles(parser), parser, PublisherProofs())
    source = Source(id=SourceId("a"), url=server.url("/list"), pages=Pages(next="next"), format=JSON, timeout=60.0)
    holds(asyncio.run(fetcher.fetch(source, Validators(), ignored)), ONE, TWO)
    unpaged = Source(id=SourceId("a"), url=server.url("/list"), timeout=60.0)
    outcome = asyncio.run(fetcher.fetch(unpaged, Validators(), ignored))
    assert isinstance(outcome, Download)
    assert outcome.parsed.next_page == "/second"
