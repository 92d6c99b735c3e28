"""A collection of a TAXII 2.1 server: when only additions are asked for, and when all objects."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import BanlistdError
from banlistd.formats import Format, FormatType
from banlistd.model import NotModified, SourceId, Validators
from banlistd.services.imports.taxii import MARGIN, OBJECTS_EVERY, TaxiiCollections
from support.fakes import FakeClock
from support.feed_server import FeedServer, Request, body, status
from support.in_process_parser import ONE_TRY, downloads, ignored
from support.written_addresses import written

OBJECTS = "/api1/collections/91a7b528/objects/"
_BEGAN = 1_795_800_000.0  # 2026-11-27


@dataclass
class Collection:
    """Objects with the moment at which they were added, two in a page; as medallion 3.0 answers (tried)."""

    server: FeedServer
    added: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    is_down: bool = False

    def add(self, number: int, address: str, **more: object) -> None:
        pattern = f"[ipv4-addr:value = '{address}']"
        one = {"type": "indicator", "id": f"indicator--{number}", "modified": f"2026-11-27T00:00:0{len(self.added)}Z"}
        self.added.append(("2026-11-27T12:00:00Z", {**one, "pattern": pattern, **more}))

    async def answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(request.target).query).items()}
        if self.is_down or request.headers.get("accept") != "application/taxii+json;version=2.1" or "limit" not in asked:
            await status(500 if self.is_down else 406)(request, writer)
            return
        # Of each object the last version, as section 3.4.1 has it where no other is asked for.
        latest = {one["id"]: (moment, one) for moment, one in self.added}
        objects = [one for moment, one in latest.values() if moment > asked.get("added_after", "")]
        at = int(asked.get("next", 0))
        document: dict[str, object] = {"objects": objects[at : at + 2]} if objects else {}
        if len(objects) > at + 2:
            document |= {"more": True, "next": str(at + 2)}
        await body(json.dumps(document).encode())(request, writer)

    @property
    def asked(self) -> list[str]:
        """What each request since the last look asked for."""
        found = [urlsplit(request.target).query.replace("limit=1000", "").strip("&") for request in self.server.requests]
        self.server.requests.clear()
        return found


@pytest.fixture
def collection(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collection]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with FeedServer() as server:
        made = Collection(server)
        server.behave(OBJECTS, made.answer)
        yield made


class Poller:
    """Polls as the importer does: with the validators of the last answer, if that is in force."""

    def __init__(self, collection: Collection) -> None:
        url = collection.server.url(OBJECTS)
        self.source = Source(id=SourceId("taxii"), url=url, format=Format(FormatType.TAXII), timeout=10.0)
        self.clock = FakeClock(_BEGAN)
        self.collections = TaxiiCollections(downloads("1", None, retry=ONE_TRY), self.clock)
        self.validators = Validators()

    def poll(self) -> list[str] | None:
        """The addresses; None where nothing was added."""
        outcome = asyncio.run(self.collections.fetch(self.source, self.validators, ignored))
        if isinstance(outcome, NotModified):
            return None
        assert isinstance(outcome, Download)
        self.validators = outcome.validators
        return written(outcome.parsed.addresses)


AFTER = "added_after=2026-11-27T17:10:00Z"


def test_all_pages_are_read_and_then_only_additions_asked_for(collection: Collection) -> None:
    for number, address in enumerate(("192.0.2.7", "192.0.2.17", "192.0.2.27")):
        collection.add(number, address)
    poller = Poller(collection)
    assert poller.poll() == ["192.0.2.7", "192.0.2.17", "192.0.2.27"]
    assert collection.asked == ["", "next=2"]
    assert poller.poll() is None
    assert collection.asked == [AFTER]


def test_an_addition_may_revoke_what_came_before(collection: Collection) -> None:
    collection.add(0, "192.0.2.7")
    collection.add(1, "192.0.2.17")
    poller = Poller(collection)
    poller.poll()
    collection.add(0, "192.0.2.7", revoked=True)
    collection.added[-1] = ("2026-11-27T17:20:01Z", collection.added[-1][1])
    assert poller.poll() == ["192.0.2.17"]


def test_an_indicator_whose_time_is_over_is_lifted_within_the_hour(collection: Collection) -> None:
    collection.add(0, "192.0.2.7")
    poller = Poller(collection)
    poller.poll()
    collection.asked.clear()
    poller.clock.time += OBJECTS_EVERY
    assert poller.poll() == ["192.0.2.7"]
    assert collection.asked == [""]


def test_after_a_fault_additions_are_asked_for_since_the_last_whole_answer(collection: Collection) -> None:
    collection.add(0, "192.0.2.7")
    poller = Poller(collection)
    poller.poll()
    collection.is_down = True
    with pytest.raises(BanlistdError, match="500"):
        poller.poll()
    collection.is_down = False
    collection.asked.clear()
    poller.clock.time += MARGIN
    assert poller.poll() is None
    assert collection.asked == [AFTER]


def test_an_answer_that_was_not_applied_is_asked_for_again(collection: Collection) -> None:
    collection.add(0, "192.0.2.7")
    poller = Poller(collection)
    poller.poll()
    poller.validators = Validators()
    assert poller.poll() == ["192.0.2.7"]


def test_a_limit_that_is_configured_stays(collection: Collection) -> None:
    collection.add(0, "192.0.2.7")
    poller = Poller(collection)
    poller.source = Source(
        id=SourceId("taxii"), url=collection.server.url(OBJECTS) + "?limit=5", format=Format(FormatType.TAXII)
    )
    assert poller.poll() == ["192.0.2.7"]
    assert collection.server.requests[-1].target.endswith("?limit=5")
