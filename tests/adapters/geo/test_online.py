"""A service in ip-api.com's form, played by a real HTTP server: what is sent, what is believed, and the limits."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from banlistd.adapters.geo.online import OnlineService
from banlistd.core.geo.online import MAX_PAUSE, PAUSE, batch_url
from banlistd.core.geo.types import Located, Origin
from banlistd.errors import GeoError
from banlistd.model import Family
from banlistd.ports.geo import Resolver
from support.feed_server import (
    FeedServer,
    Handler,
    body,
    cut_length,
    in_answer,
    in_turn,
    redirect,
    reset,
    status,
    without_length,
)

_: type[Resolver] = OnlineService

NORWAY = {"status": "success", "country": "Norway", "countryCode": "NO", "as": "AS64496 Example Network"}
FAIL = {"status": "fail", "message": "reserved range"}


class Time:
    """Stands until somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def service(
    server: FeedServer, time: Time | None = None, path: str = "/batch", credentials: Path | None = None
) -> OnlineService:
    time = time or Time()
    return OnlineService(server.url(path), "1", credentials, sleep=time.sleep, monotonic=lambda: time.now)


def ask(online: OnlineService, *batches: Sequence[int], family: Family = Family.IPV4) -> list[Sequence[Located]]:
    async def run() -> list[Sequence[Located]]:
        async with online.session() as asking:
            return [await asking(family, batch) for batch in batches]

    return asyncio.run(run())


def answering(*records: object, left: int = 14, seconds: int = 60) -> Handler:
    return body(json.dumps(records).encode(), {"X-Rl": str(left), "X-Ttl": str(seconds)})


def test_answer_covers_the_address_alone() -> None:
    with FeedServer() as server:
        server.behave("/batch", answering(NORWAY, FAIL))
        (found,) = ask(service(server), [0xC0000201, 0xC0000202])
    assert found == [
        Located(Family.IPV4, 0xC0000201, 0xC0000201, Origin("NO", "Norway", 64496, "Example Network")),
        Located(Family.IPV4, 0xC0000202, 0xC0000202),
    ]


def test_nothing_is_sent_but_the_addresses_that_are_asked_for() -> None:
    with FeedServer() as server:
        server.behave("/batch", answering(NORWAY))
        ask(service(server), [(0x20010DB8 << 96) + 1], family=Family.IPV6)
        (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/batch?fields=status,country,countryCode,as")
    assert json.loads(request.body) == ["2001:db8::1"]
    assert set(request.headers) == {"host", "user-agent", "content-type", "accept", "accept-encoding", "content-length"}
    assert request.headers["user-agent"] == "banlistd/1"


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://a/batch", "http://a/batch?fields=status,country,countryCode,as"),
        ("https://a/batch?key=k", "https://a/batch?key=k&fields=status,country,countryCode,as"),
        ("http://a/batch?fields=66846719", "http://a/batch?fields=66846719"),
    ],
)
def test_fields_are_named_unless_the_url_names_them(url: str, asked: str) -> None:
    assert batch_url(url) == asked


def test_a_key_is_a_credential_and_is_in_no_message(tmp_path: Path) -> None:
    (tmp_path / "geo-key").write_text("s3cret&x\n")
    with FeedServer() as server:
        server.behave("/batch", status(403))
        with pytest.raises(GeoError) as fault:
            ask(service(server, path="/batch?key=${credential:geo-key}", credentials=tmp_path), [1])
        assert server.requests[0].target.startswith("/batch?key=s3cret%26x&fields=")
    assert "403" in str(fault.value)
    assert "s3cret" not in str(fault.value)


def test_a_key_that_is_missing_stops_before_anything_is_sent(tmp_path: Path) -> None:
    with FeedServer() as server:
        with pytest.raises(GeoError, match="there is no credential"):
            ask(service(server, path="/batch?key=${credential:geo-key}", credentials=tmp_path), [1])
        assert not server.requests


def test_there_are_at_most_fifteen_requests_a_minute() -> None:
    time = Time()
    with FeedServer() as server:
        server.behave("/batch", answering(NORWAY))
        ask(service(server, time), *[[1]] * 31)
        assert server.hits("/batch") == 31
    assert time.now - 1000.0 >= 30 * PAUSE == 120.0


def test_where_none_is_left_the_service_says_for_how_long_to_wait() -> None:
    time = Time()
    with FeedServer() as server:
        server.behave("/batch", in_turn(answering(NORWAY, left=0, seconds=41), answering(NORWAY)))
        ask(service(server, time), [1], [2])
    assert time.slept == [0.0, 42.0]


@pytest.mark.parametrize(("headers", "pause"), [({"X-Ttl": "7", "X-Rl": "0"}, 8.0), ({}, MAX_PAUSE / 2)])
def test_a_service_that_says_too_many_is_asked_once_more_and_later(headers: dict[str, str], pause: float) -> None:
    time = Time()
    with FeedServer() as server:
        server.behave("/batch", in_turn(status(429, headers), answering(NORWAY)))
        ((found,),) = ask(service(server, time), [1])
    assert found.origin.country == "NO"
    assert time.slept == [0.0, pause]


def test_a_service_that_goes_on_saying_too_many_is_given_up() -> None:
    with FeedServer() as server:
        server.behave("/batch", status(429, {"X-Ttl": "999999", "X-Rl": "0"}))
        time = Time()
        with pytest.raises(GeoError, match="429"):
            ask(service(server, time), [1])
        assert server.hits("/batch") == 2
    assert max(time.slept) <= MAX_PAUSE


LARGE = b"[" + b" " * 2**21 + b"]"


@pytest.mark.parametrize(
    "handler",
    [
        status(500),
        status(422),
        redirect("http://192.0.2.1/"),
        body(b""),
        body(b"<html>"),
        body(b"{}"),
        body(b"[]"),
        body(b"[1, 2]"),
        body(b"[" * 100_000),
        body(LARGE),
        without_length(LARGE),
        cut_length(b"[{}]"),
        reset(b"[{}]"),
        body(b"\xff\xfe"),
        body(b'[{"status": "success", "as": 1' + b"0" * 6000 + b"}]"),
    ],
    ids=[
        "500",
        "422",
        "redirect",
        "nothing",
        "page",
        "object",
        "too few",
        "too many",
        "deep",
        "large",
        "endless",
        "cut",
        "reset",
        "no text",
        "a long number",
    ],
)
def test_an_answer_that_is_none_is_a_fault_and_nothing_else(handler: Handler) -> None:
    with FeedServer() as server:
        server.behave("/batch", handler)
        with pytest.raises(GeoError, match="does not answer as it should"):
            ask(service(server), [1])
        assert server.hits("/batch") == 1


def test_a_service_that_is_not_there_is_a_fault() -> None:
    with FeedServer() as server:
        gone = service(server)
    with pytest.raises(GeoError, match="does not answer as it should"):
        ask(gone, [1])


@pytest.mark.parametrize("record", [None, 7, "x", [], {}, {"status": "success"}, {"status": "success", "countryCode": 7}, FAIL])
def test_empty_record_is_unknown(record: object) -> None:
    with FeedServer() as server:
        server.behave("/batch", answering(record))
        ((found,),) = ask(service(server), [1])
    assert found == Located(Family.IPV4, 1, 1)


def test_each_answer_belongs_to_the_address_in_its_place() -> None:
    def answer(asked: bytes) -> tuple[bytes, dict[str, str]]:
        rows = [{"status": "success", "countryCode": "NO", "as": f"AS{text.rpartition('.')[2]}"} for text in json.loads(asked)]
        return json.dumps(rows).encode(), {}

    with FeedServer() as server:
        server.behave("/batch", in_answer(answer))
        (found,) = ask(service(server), [5, 9, 7])
    assert [(one.first, one.origin.asn) for one in found] == [(5, 5), (9, 9), (7, 7)]
