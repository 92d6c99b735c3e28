"""The stream of a local CrowdSec: when all decisions are asked for, and when only what changed."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import BanlistdError
from banlistd.formats import Format, FormatType
from banlistd.model import NotModified, SourceId, Validators
from banlistd.services.imports.crowdsec import DECISIONS_EVERY, CrowdsecStreams
from support.feed_server import FeedServer, Request, body, status
from support.in_process_parser import ONE_TRY, downloads
from support.written_addresses import written

STREAM = "/v1/decisions/stream"


@dataclass
class LocalApi:
    """Decisions by value, and what changed since the last answer; as CrowdSec 1.4 answers (tried)."""

    server: FeedServer
    decisions: dict[str, str] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    is_down: bool = False

    def add(self, *values: str) -> None:
        for value in values:
            self.decisions[value] = "Range" if "/" in value else "Ip"
            self.new.append(value)

    def delete(self, value: str) -> None:
        del self.decisions[value]
        self.deleted.append(value)

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self.is_down or request.headers.get("x-api-key") != "secret":
            await status(500 if self.is_down else 403)(request, writer)
            return
        new = list(self.decisions) if request.target.endswith("startup=true") else self.new
        document = {name: [self.written(value) for value in values] or None for name, values in self.both(new)}
        self.new, self.deleted = [], []
        await body(json.dumps(document).encode())(request, writer)

    def both(self, new: list[str]) -> tuple[tuple[str, list[str]], ...]:
        return ("deleted", self.deleted), ("new", [value for value in new if value in self.decisions])

    @staticmethod
    def written(value: str) -> dict[str, object]:
        scope = "Range" if "/" in value else "Ip"
        return {"duration": "3h", "id": 1, "origin": "cscli", "scenario": "a", "scope": scope, "type": "ban", "value": value}

    @property
    def asked(self) -> list[str]:
        return [request.target.partition("startup=")[2] for request in self.server.requests]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalApi]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FeedServer() as server:
        local = LocalApi(server)
        server.behave(STREAM, local.answer)
        yield local


class Poller:
    """Polls as the importer does: with the validators of the last answer, if that is in force."""

    def __init__(self, api: LocalApi) -> None:
        self.source = Source(
            id=SourceId("crowdsec"),
            url=api.server.url(STREAM),
            format=Format(FormatType.CROWDSEC),
            headers={"X-Api-Key": "secret"},
            timeout=10.0,
        )
        self.now = 0.0
        self.streams = CrowdsecStreams(downloads("1", None, retry=ONE_TRY), lambda: self.now)
        self.validators = Validators()

        self.attempts = 0

    async def count(self) -> None:
        self.attempts += 1

    def poll(self) -> list[str] | None:
        """The addresses; None where nothing has changed."""
        outcome = asyncio.run(self.streams.fetch(self.source, self.validators, self.count))
        if isinstance(outcome, NotModified):
            return None
        assert isinstance(outcome, Download)
        self.validators = outcome.validators
        return sorted(written(outcome.parsed.addresses))


def test_all_are_asked_for_once_and_then_what_changed(api: LocalApi) -> None:
    api.add("192.0.2.7", "198.51.100.0/24")
    poller = Poller(api)
    assert poller.poll() == ["192.0.2.7", "198.51.100.0-198.51.100.255"]
    assert poller.poll() is None
    api.add("2001:db8::5")
    assert poller.poll() == ["192.0.2.7", "198.51.100.0-198.51.100.255", "2001:db8::5"]
    assert api.asked == ["true", "false", "false"]


def test_an_end_asks_for_all_since_a_network_may_ban_the_address_still(api: LocalApi) -> None:
    api.add("198.51.100.7", "198.51.100.0/24", "192.0.2.7")
    poller = Poller(api)
    poller.poll()
    api.delete("198.51.100.7")
    assert poller.poll() == ["192.0.2.7", "198.51.100.0-198.51.100.255"]
    assert api.asked == ["true", "false", "true"]
    assert poller.attempts == 2


def test_after_a_fault_all_are_asked_for(api: LocalApi) -> None:
    api.add("192.0.2.7")
    poller = Poller(api)
    poller.poll()
    api.is_down = True
    with pytest.raises(BanlistdError, match="500"):
        poller.poll()
    api.is_down = False
    api.add("192.0.2.99")
    assert poller.poll() == ["192.0.2.7", "192.0.2.99"]
    assert api.asked == ["true", "false", "true"]


def test_an_answer_that_was_not_applied_is_not_built_upon(api: LocalApi) -> None:
    api.add("192.0.2.7")
    poller = Poller(api)
    poller.poll()
    poller.validators = Validators()
    assert poller.poll() == ["192.0.2.7"]
    assert api.asked == ["true", "true"]


def test_all_are_asked_for_again_after_an_hour(api: LocalApi) -> None:
    api.add("192.0.2.7")
    poller = Poller(api)
    poller.poll()
    # As if another program with the same key had got this change.
    api.add("192.0.2.99")
    api.new = []
    assert poller.poll() is None
    poller.now = DECISIONS_EVERY
    assert poller.poll() == ["192.0.2.7", "192.0.2.99"]


def test_a_wrong_key_is_a_fault_and_no_empty_list(api: LocalApi) -> None:
    poller = Poller(api)
    poller.source = Source(id=SourceId("crowdsec"), url=api.server.url(STREAM), format=Format(FormatType.CROWDSEC))
    with pytest.raises(BanlistdError, match="403"):
        poller.poll()


def test_other_sources_pass_through(api: LocalApi) -> None:
    api.server.serve("/list", b"192.0.2.1\n")
    poller = Poller(api)
    poller.source = Source(id=SourceId("a"), url=api.server.url("/list"))
    assert poller.poll() == ["192.0.2.1"]
    assert api.server.requests[-1].target == "/list"
