import asyncio
import calendar
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.fetch.http import RetryPolicy
from banlistd.core.config.model import Source
from banlistd.core.config.sections.pages import PARAMETER, Pages
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.feeds.parsers import parse
from banlistd.errors import FetchError
from banlistd.model import NotModified, SourceId, Validators
from support.feed_server import FeedServer, body, in_turn, linked, status
from support.in_process_parser import body_of, downloads, ignored

V4, V6 = b"192.0.2.1\n198.51.100.0/24\n", b"2001:db8::/48\n"
NOON = calendar.timegm((2026, 3, 1, 12, 0, 0))
TODAY, YESTERDAY = "/20260301.txt", "/20260228.txt"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FeedServer() as running:
        running.serve("/v4", V4, etag='"4"')
        running.serve("/v6", V6, last_modified="Sun, 01 Nov 2026 00:00:00 GMT")
        yield running


async def no_pause(_seconds: float) -> None: ...


def fetch(
    *urls: str, validators: Validators | None = None, now: float = NOON, credentials: Path | None = None, **settings: Any
) -> Download | NotModified:
    source = Source(id=SourceId("a"), url=urls if len(urls) > 1 else urls[0], **({"timeout": 10.0} | settings))
    fetcher = downloads("1", credentials, retry=RetryPolicy(sleep=no_pause, chance=lambda: 0.0, now=lambda: now))
    return asyncio.run(fetcher.fetch(source, validators or Validators(), ignored))


def both(server: FeedServer, validators: Validators | None = None, **settings: Any) -> Download | NotModified:
    return fetch(server.url("/v4"), server.url("/v6"), validators=validators, **settings)


def taken(outcome: Download | NotModified, *parts: bytes) -> Download:
    assert isinstance(outcome, Download)
    assert outcome.parsed.addresses == parse(b"".join(parts)).addresses
    return outcome


def test_several_urls_are_one_list(server: FeedServer) -> None:
    assert taken(both(server), V4, V6).parsed.entries == 3


@pytest.mark.parametrize("path", ["/v4", "/v6"])
def test_all_urls_are_taken_or_none(server: FeedServer, path: str) -> None:
    server.behave(path, status(404))
    with pytest.raises(FetchError, match="404"):
        both(server)


def test_a_url_that_fails_for_a_moment_is_asked_for_again_alone(server: FeedServer) -> None:
    server.behave("/v6", in_turn(status(503), body(V6)))
    taken(both(server), V4, V6)
    assert (server.hits("/v4"), server.hits("/v6")) == (1, 2)


def test_what_is_unchanged_at_every_url_is_not_modified(server: FeedServer) -> None:
    first = taken(both(server), V4, V6)
    assert both(server, first.validators) == NotModified()
    assert server.requests[-2].headers["if-none-match"] == '"4"'
    assert server.requests[-1].headers["if-modified-since"] == "Sun, 01 Nov 2026 00:00:00 GMT"
    assert "if-none-match" not in server.requests[-1].headers


def test_where_one_url_has_changed_the_whole_is_right(server: FeedServer) -> None:
    first = taken(both(server), V4, V6)
    server.serve("/v6", b"2001:db8:1::/48\n", etag='"new"')
    second = taken(both(server, first.validators), V4, b"2001:db8:1::/48\n")
    assert server.hits("/v4") == 3
    assert "if-none-match" not in server.requests[-1].headers
    assert both(server, second.validators) == NotModified()


def test_the_same_bytes_without_validators_are_not_modified(server: FeedServer) -> None:
    server.serve("/v4", V4)
    server.serve("/v6", V6)
    first = taken(both(server), V4, V6)
    assert (first.validators.etag, first.validators.last_modified) == ("", "")
    assert both(server, first.validators) == NotModified(first.validators)


def test_a_condition_goes_only_to_the_url_that_it_came_from(server: FeedServer) -> None:
    first = taken(both(server), V4, V6)
    server.serve("/other", b"192.0.2.9\n", etag='"4"')
    taken(fetch(server.url("/other"), server.url("/v6"), validators=first.validators), b"192.0.2.9\n", V6)


@pytest.mark.parametrize("etag", ['{"', "{}", '{"a": ["b", "c"]}', '"4"'])
def test_validators_of_another_kind_are_no_condition(server: FeedServer, etag: str) -> None:
    taken(both(server, Validators(etag)), V4, V6)


def test_all_bodies_together_are_bounded(server: FeedServer) -> None:
    server.serve("/v4", b"192.0.2.1\n" * 60)
    server.serve("/v6", b"192.0.2.1\n" * 60)
    with pytest.raises(FetchError, match="larger than 1000 bytes"):
        both(server, max_bytes=1000)


def test_each_url_may_have_pages(server: FeedServer) -> None:
    server.behave("/v4", linked(V4, "/v4-2"))
    server.serve("/v4-2", b"192.0.2.77\n")
    taken(both(server, pages=Pages()), V4, V6, b"192.0.2.77\n")


def test_a_url_that_goes_on_shows_it(server: FeedServer) -> None:
    server.behave("/v6", linked(V6, "/more"))
    assert taken(both(server), V4, V6).parsed.next_page == "/more"


def test_every_url_has_its_login_and_no_message_shows_it(server: FeedServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hush-hush")
    urls = [server.url(path, "user:${credential:key}@127.0.0.1") for path in ("/v4", "/hush-hush")]
    with pytest.raises(FetchError, match="404") as caught:
        fetch(*urls, credentials=tmp_path)
    assert [request.headers["authorization"][:6] for request in server.requests] == ["Basic "] * 2
    assert "hush" not in str(caught.value)


def test_the_list_of_today_is_taken(server: FeedServer) -> None:
    server.serve(TODAY, V4)
    server.serve(YESTERDAY, V6)
    assert body_of(fetch(server.url("/%Y%m%d.txt"))) == V4
    assert server.hits(YESTERDAY) == 0


def test_before_there_is_a_list_of_today_that_of_yesterday_is_taken(server: FeedServer) -> None:
    server.serve(YESTERDAY, V6, etag='"a"')
    first = taken(fetch(server.url("/%Y%m%d.txt")), V6)
    assert fetch(server.url("/%Y%m%d.txt"), validators=first.validators) == NotModified()
    server.serve(TODAY, V4, etag='"a"')
    taken(fetch(server.url("/%Y%m%d.txt"), validators=first.validators), V4)


def test_without_a_list_of_either_day_the_source_fails(server: FeedServer) -> None:
    with pytest.raises(FetchError, match="404 Not Found for today and for yesterday"):
        fetch(server.url("/%Y%m%d.txt"))
    assert [request.path for request in server.requests] == [TODAY, YESTERDAY]


@pytest.mark.parametrize("code", [403, 410, 500])
def test_another_fault_of_today_is_no_reason_for_yesterday(server: FeedServer, code: int) -> None:
    server.serve(YESTERDAY, V6)
    server.behave(TODAY, status(code))
    with pytest.raises(FetchError, match=str(code)):
        fetch(server.url("/%Y%m%d.txt"))


def test_a_page_that_is_not_there_is_no_reason_for_yesterday(server: FeedServer) -> None:
    server.serve(YESTERDAY, V6)
    server.behave(TODAY, linked(V4, "/gone"))
    with pytest.raises(FetchError, match="page 2: the server answered 404"):
        fetch(server.url("/%Y%m%d.txt"), pages=Pages())
    server.behave(TODAY, status(404))
    taken(fetch(server.url("/%Y%m%d.txt"), pages=Pages()), V6)
    with pytest.raises(FetchError, match="page 2 is the same"):
        fetch(server.url("/%Y%m%d.txt"), pages=Pages(next=PARAMETER, parameter="page"))
