import asyncio
import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Source
from banlistd.core.config.sections.pages import Pages
from banlistd.core.config.web import RequestMethod
from banlistd.errors import BanlistdError, FetchError
from banlistd.formats import Format, FormatType
from banlistd.model import NotModified, SourceId, Validators
from support.feed_server import FeedServer, body, linked, redirect
from support.in_process_parser import ONE_TRY, body_of, downloads, ignored

LIST = b"192.0.2.1\n"
KEY = 'S3CR"T &\u00e9\\'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeedServer]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FeedServer() as running:
        running.serve("/list", LIST, etag='"a"')
        yield running


@pytest.fixture
def other() -> Iterator[FeedServer]:
    with FeedServer() as running:
        running.serve("/list", LIST)
        yield running


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    (tmp_path / "key").write_text(KEY)
    return tmp_path


def fetch(url: str, text: str, credentials: Path | None = None, validators: Validators | None = None, **settings: Any) -> bytes:
    source = Source(id=SourceId("a"), url=url, body=text, **({"timeout": 10.0} | settings))
    fetcher = downloads("1", credentials, retry=ONE_TRY)
    return body_of(asyncio.run(fetcher.fetch(source, validators or Validators(), ignored)))


@pytest.mark.parametrize(
    ("text", "kind", "sent_as"),
    [
        ('{"days": 1}', "", "application/json"),
        ("[1]", "", "application/json"),
        ("days=1&type=ip", "", "application/x-www-form-urlencoded"),
        ("<query/>", "application/xml", "application/xml"),
    ],
)
def test_a_body_is_sent_with_its_type(server: FeedServer, text: str, kind: str, sent_as: str) -> None:
    assert fetch(server.url("/list"), text, body_type=kind) == LIST
    (request,) = server.requests
    assert (request.method, request.body.decode(), request.headers["content-type"]) == ("POST", text, sent_as)


def test_a_post_may_have_no_body(server: FeedServer) -> None:
    assert fetch(server.url("/list"), "", method=RequestMethod.POST) == LIST
    assert (server.requests[0].method, server.requests[0].body) == ("POST", b"")


def test_a_secret_is_escaped_as_the_type_of_the_body_asks_for(server: FeedServer, credentials: Path) -> None:
    fetch(server.url("/list"), '{"key": "${credential:key}", "a": 1}', credentials)
    fetch(server.url("/list"), "key=${credential:key}&a=1", credentials)
    fetch(server.url("/list"), "${credential:key}", credentials, body_type="text/plain")
    as_json, as_form, as_text = (request.body for request in server.requests)
    assert json.loads(as_json) == {"key": KEY, "a": 1}
    assert as_form == b"key=S3CR%22T%20%26%C3%A9%5C&a=1"
    assert as_text.decode() == KEY


def test_a_post_has_no_conditions_and_the_same_bytes_are_not_modified(server: FeedServer) -> None:
    source = Source(id=SourceId("a"), url=server.url("/list"), body="a=1", timeout=10.0)
    fetcher = downloads("1", retry=ONE_TRY)
    first = asyncio.run(fetcher.fetch(source, Validators(), ignored))
    assert not isinstance(first, NotModified)
    assert asyncio.run(fetcher.fetch(source, first.validators, ignored)) == NotModified(first.validators)
    assert "if-none-match" not in server.requests[-1].headers


@pytest.mark.parametrize("code", [307, 308])
def test_a_redirect_within_the_origin_keeps_the_body_where_it_says_so(server: FeedServer, code: int) -> None:
    server.behave("/old", redirect("/list", code))
    assert fetch(server.url("/old"), "a=1") == LIST
    assert [(request.method, request.body) for request in server.requests] == [("POST", b"a=1")] * 2


def test_the_result_of_a_post_is_asked_for_without_its_body(server: FeedServer, other: FeedServer) -> None:
    server.behave("/here", redirect("/list", 303))
    server.behave("/there", redirect(other.url("/list"), 303))
    assert fetch(server.url("/here"), "a=1", headers={"X-Key": "k"}) == LIST
    assert fetch(server.url("/there"), "a=1", headers={"X-Key": "k"}) == LIST
    for request in (server.requests[1], *other.requests):
        assert (request.method, request.body) == ("GET", b"")
        assert "content-type" not in request.headers
    assert "x-key" in server.requests[1].headers
    assert "x-key" not in other.requests[0].headers


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_a_body_does_not_go_to_another_origin(server: FeedServer, other: FeedServer, code: int) -> None:
    server.behave("/old", redirect(other.url("/list"), code))
    with pytest.raises(FetchError, match="sends a POST on") as caught:
        fetch(server.url("/old"), "a=1")
    assert "source's url" in caught.value.hint
    assert not other.requests


@pytest.mark.parametrize("code", [301, 302])
def test_a_redirect_that_leaves_the_body_open_is_refused(server: FeedServer, code: int) -> None:
    server.behave("/old", redirect("/list", code))
    with pytest.raises(FetchError, match="sends a POST on"):
        fetch(server.url("/old"), "a=1")


def test_pages_are_asked_for_with_the_same_body(server: FeedServer) -> None:
    server.behave("/first", linked(b"192.0.2.2\n", "/list"))
    source = Source(id=SourceId("a"), url=server.url("/first"), body="a=1", pages=Pages(), timeout=10.0)
    asyncio.run(downloads("1", retry=ONE_TRY).fetch(source, Validators(), ignored))
    assert [request.body for request in server.requests] == [b"a=1"] * 2


@pytest.mark.parametrize("text", ['{"key": "${credential:key}"}', '{"key": "TYPED-IN-CLEAR"}'])
def test_no_message_shows_a_secret_of_the_body(server: FeedServer, credentials: Path, text: str) -> None:
    for secret in (KEY, json.dumps(KEY)[1:-1], "TYPED-IN-CLEAR"):
        server.behave("/echo", body(secret.encode()))
        server.behave("/away", redirect(f"ftp://a/{secret}".encode().decode("latin-1"), 307))
        for path in ("/echo", "/away"):
            with pytest.raises(BanlistdError) as caught:
                fetch(server.url(path), text, credentials, format=Format(FormatType.JSON))
            seen = "".join(traceback.format_exception(caught.value))
            assert "S3CR" not in seen or "credential" not in text
            assert "TYPED" not in seen or "TYPED" not in text
