"""What is looked up after an import, over a real ledger, a real cache and real mmdb files.

A service that counts stands for the Internet.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.geo_cache import GeoCacheTable
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.comparison import added_history
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.sections.block import Block
from banlistd.core.config.sections.geo import Geo
from banlistd.core.feeds.content import Pending
from banlistd.core.feeds.parsers import parse
from banlistd.core.geo.types import By, GeoEntry, GeoNegEntry, Located, Origin
from banlistd.errors import GeoError
from banlistd.events import EventName
from banlistd.formats import Format
from banlistd.model import Family, Outcome, OutcomeKind, PolicyHash, SourceId
from banlistd.ports.geo import AskResolver
from banlistd.services.geo_enricher import FORGET_EVERY, Enricher
from support.fakes import FakeAnnouncer, FakeClock
from support.geography import Records, write_mmdb
from support.sources import config_of
from worlds import Environment, assemble

V4, V6 = Family.IPV4, Family.IPV6
FEED, OTHER = SourceId("feed"), SourceId("other")
POLICY = PolicyHash("p" * 16)
COUNTRIES: Records = {
    "192.0.2.0/24": {"country_code": "NO"},
    "198.51.100.0/24": {"country_code": "SE"},
    "2001:db8::/32": {"country_code": "FI"},
}
OPERATORS: Records = {
    "192.0.2.0/25": {"asn": "AS64496", "as_name": "One"},
    "192.0.2.128/25": {"asn": "AS64497", "as_name": "Two"},
    "2001:db8::/33": {"asn": "AS64498"},
}


def source(source_id: SourceId = FEED, **keys: Any) -> Source:
    return Source(**{"id": source_id, "url": f"https://lists.example/{source_id}", **keys})


@dataclass
class FakeResolver:
    """Knows addresses of 203.0.113.0/24, one by one, unless there is a `fault`. `asked`: all that it was asked for."""

    limit: int = 100
    name: str = "the service"
    fault: str = ""
    asked: list[str] = field(default_factory=list)
    requests: int = 0
    asking: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    def is_there(self) -> bool:
        return True

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AskResolver]:
        yield self.ask

    async def ask(self, family: Family, addresses: Sequence[int]) -> Sequence[Located]:
        self.asking.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.fault:
            raise GeoError(self.fault)
        self.requests += 1
        assert len(addresses) <= self.limit
        self.asked += [str(ip_address(number)) for number in addresses]
        return [
            Located(family, one, one, Origin("DK", "Denmark", 64511) if one >> 8 == 0xCB0071 else Origin()) for one in addresses
        ]


class GeoFixture:
    """An enricher on the mmdb files of a folder and one online service."""

    def __init__(self, folder: Path, database: Database, geo: Geo) -> None:
        self.resolver = FakeResolver()
        self._folder = folder
        self._database = database
        self._config = config_of(geo=geo)
        self._environment = Environment(folder)

    async def restart(self, *, online: bool = True) -> None:
        """As after a crash: what was in memory is gone."""
        names = ("countries.mmdb", "operators.mmdb")
        self._environment.geo_databases = [self._folder / name for name in names if (self._folder / name).exists()]
        self._environment.resolvers = [self.resolver] if online else []
        self._world = await assemble(self._environment, self._config, self._database)

    @property
    def enricher(self) -> Enricher:
        return self._world.enricher

    @property
    def cache(self) -> GeoCacheTable:
        return self._world.geo_cache

    @property
    def ledger(self) -> ImportRuns:
        return self._world.ledger

    @property
    def clock(self) -> FakeClock:
        return self._world.clock

    @property
    def announcer(self) -> FakeAnnouncer:
        return self._world.announcer

    async def imports(self, text: str, source_id: SourceId = FEED) -> None:
        """An import that has reached the ledger."""
        content = parse(text.replace(" ", "\n").encode(), Format()).addresses
        encoded = content.encode()
        run = await self.ledger.accepted(source_id)
        before = await self.ledger.snapshot(source_id, run.content_hash) if run and run.content_hash else None
        news = added_history(content, AddressSet.decode(before)).encode() if before is not None else None
        pending = Pending(source_id, hash_of(encoded), POLICY, len(content), 0, encoded, news)
        opened = await self.ledger.upsert_pending(pending, self.clock.now())
        await self.ledger.mark_completed(opened, added=0, removed=0, policy_hash=POLICY, now=self.clock.now(), validators=None)

    async def completes(self, text: str, source_id: SourceId = FEED) -> None:
        await self.imports(text, source_id)
        self.enricher.note(source(source_id), Outcome(source_id, OutcomeKind.COMPLETED))

    async def warm(self) -> None:
        while not self.enricher.is_idle:
            await self.enricher.warm()

    async def found(self, address: str) -> GeoEntry | GeoNegEntry | None:
        number = ip_address(address)
        (entry,) = await self.cache.find(V4 if number.version == 4 else V6, [int(number)], self.clock.now())
        return entry

    async def origin(self, address: str) -> Origin | None:
        entry = await self.found(address)
        return entry.origin if isinstance(entry, GeoEntry) else None

    def faults(self) -> list[str]:
        return [event.message for event in self.announcer.events if event.name is EventName.GEO_FAULT]


def run(folder: Path, life: Callable[[GeoFixture], Awaitable[None]], geo: Geo | None = None) -> None:
    async def live() -> None:
        async with open_database(folder / "db") as database:
            fixture = GeoFixture(folder, database, geo or Geo())
            await fixture.restart()
            await life(fixture)

    asyncio.run(live())


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A folder with a database of countries and one of operators."""
    write_mmdb(tmp_path / "countries.mmdb", COUNTRIES)
    write_mmdb(tmp_path / "operators.mmdb", OPERATORS)
    return tmp_path


def test_networks_of_an_import_are_looked_up_once(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.restart(online=False)
        await fixture.completes("192.0.2.1 192.0.2.2 192.0.2.130 198.51.100.0/24 2001:db8::1 203.0.113.9")
        await fixture.warm()
        assert await fixture.found("192.0.2.77") == GeoEntry(
            V4, 0xC0000200, 0xC000027F, Origin("NO", "Norway", 64496, "One"), fixture.clock.now() + 30 * 86400
        )
        assert await fixture.origin("192.0.2.130") == Origin("NO", "Norway", 64497, "Two")
        assert await fixture.origin("2001:db8::1") == Origin("FI", "Finland", 64498)
        assert await fixture.origin("198.51.100.1") == Origin("SE", "Sweden")
        unknown = await fixture.found("203.0.113.9")
        assert isinstance(unknown, GeoNegEntry)
        assert unknown.expires_at == fixture.clock.now() + 86400
        assert len(await fixture.cache.page(None, 100, 0.0)) == 4
        assert not fixture.faults()

    run(local, life)


def test_only_what_is_new_is_looked_up_after_the_next_import(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.113.1 203.0.113.2")
        await fixture.warm()
        await fixture.completes("203.0.113.2 203.0.113.3")
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]

    run(tmp_path, life)


def test_two_imports_in_a_row_are_both_looked_up(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.113.1")
        await fixture.warm()
        await fixture.completes("203.0.113.1 203.0.113.2")
        await fixture.completes("203.0.113.1 203.0.113.2 203.0.113.3")
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]

    run(tmp_path, life)


def test_a_service_is_asked_only_for_what_no_database_knows_whole(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("192.0.2.1 198.51.100.7 203.0.113.5")
        await fixture.warm()
        assert fixture.resolver.asked == ["198.51.100.7", "203.0.113.5"]
        # The service does not know it either, but the country is known.
        assert await fixture.origin("198.51.100.7") == Origin("SE", "Sweden")
        assert await fixture.origin("203.0.113.5") == Origin("DK", "Denmark", 64511)
        # What it says holds for the address alone.
        assert await fixture.found("203.0.113.6") is None

    run(local, life)


def test_one_s_own_networks_are_never_asked_for(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("10.0.0.1 192.168.0.0/24 fe80::1 203.0.113.5")
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.113.5"]

    run(tmp_path, life)


def test_a_network_on_a_list_costs_one_question_however_wide_it_is(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.112.0/22 2001:db8::/32")
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.112.0", "2001:db8::"]

    run(tmp_path, life)


def test_requests_are_no_larger_than_the_service_takes(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes(" ".join(f"203.0.113.{at}" for at in range(250)))
        await fixture.warm()
        assert fixture.resolver.requests == 3
        assert len(set(fixture.resolver.asked)) == len(fixture.resolver.asked) == 250

    run(tmp_path, life)


def test_a_crash_in_the_middle_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    addresses = [f"203.0.113.{at}" for at in range(250)]

    async def life(fixture: GeoFixture) -> None:
        await fixture.completes(" ".join(addresses))
        fixture.resolver.gate = asyncio.Event()
        warming = asyncio.ensure_future(fixture.warm())
        await fixture.resolver.asking.wait()
        fixture.resolver.asking.clear()
        fixture.resolver.gate.set()
        fixture.resolver.gate = asyncio.Event()
        await fixture.resolver.asking.wait()
        # It is in its second request; the answer to the first is in the cache.
        warming.cancel()
        await asyncio.gather(warming, return_exceptions=True)
        assert len(fixture.resolver.asked) == 100
        fixture.resolver.gate = None
        await fixture.restart()
        fixture.enricher.recover([source()])
        await fixture.warm()
        assert sorted(fixture.resolver.asked) == sorted(addresses)

    run(tmp_path, life)


def test_a_start_repeats_nothing_that_is_done_and_takes_up_nothing_that_has_left(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.113.1")
        await fixture.warm()
        await fixture.imports("203.0.113.1 203.0.113.2 203.0.113.3")
        await fixture.imports("203.0.113.1 203.0.113.3")
        await fixture.restart()
        fixture.enricher.recover([source(), source(OTHER)])
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.113.1", "203.0.113.3"]

    run(tmp_path, life)


def test_what_was_done_long_ago_and_has_expired_is_not_taken_up_by_a_start(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.113.1")
        await fixture.warm()
        fixture.clock.time += 31 * 86400
        await fixture.restart()
        fixture.enricher.recover([source()])
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.113.1"]
        assert await fixture.found("203.0.113.1") is None

    run(tmp_path, life)


@pytest.mark.parametrize(("rewarm", "times"), [(True, 2), (False, 1)])
def test_an_unchanged_list_is_looked_up_again_only_with_rewarm(tmp_path: Path, *, rewarm: bool, times: int) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.113.1 203.0.113.2")
        await fixture.warm()
        fixture.enricher.note(source(), Outcome(FEED, OutcomeKind.SKIPPED))
        await fixture.warm()
        assert len(fixture.resolver.asked) == 2, "nothing has expired yet"
        fixture.clock.time += 31 * 86400
        fixture.enricher.note(source(), Outcome(FEED, OutcomeKind.SKIPPED))
        await fixture.warm()
        assert fixture.resolver.asked == ["203.0.113.1", "203.0.113.2"] * times

    run(tmp_path, life, Geo(rewarm=rewarm))


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.REFUSED])
def test_an_import_that_came_to_nothing_is_no_news(tmp_path: Path, kind: OutcomeKind) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.imports("203.0.113.1")
        fixture.enricher.note(source(), Outcome(FEED, kind))
        assert fixture.enricher.is_idle

    run(tmp_path, life, Geo(rewarm=True))


def test_what_a_source_bans_by_country_is_not_looked_up(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.imports("192.0.2.0/24")
        by_country = source(url=None, block=Block(countries=("NO",)))
        fixture.enricher.note(by_country, Outcome(FEED, OutcomeKind.COMPLETED))
        await fixture.warm()
        assert await fixture.found("192.0.2.0") is None

    run(local, life)


def test_without_resolvers_nothing_happens(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.restart(online=False)
        await fixture.completes("203.0.113.1")
        await fixture.warm()
        assert await fixture.found("203.0.113.1") is None
        assert not fixture.announcer.events

    run(tmp_path, life)


def test_failing_service_is_reported_once_and_asked_again_later(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        fixture.resolver.fault = "the service is away"
        await fixture.completes(" ".join(f"203.0.113.{at}" for at in range(250)) + " 192.0.2.1 198.51.100.7")
        await fixture.warm()
        assert fixture.faults() == ["the service is away"]
        assert await fixture.origin("192.0.2.1") == Origin("NO", "Norway", 64496, "One")
        assert await fixture.found("203.0.113.1") is None, "nobody has said that it is not known"
        # The country is known and the operator may be once the service is back: asked again before long.
        partly = await fixture.found("198.51.100.7")
        assert partly is not None
        assert partly.expires_at == fixture.clock.now() + 86400
        fixture.resolver.fault = ""
        await fixture.restart()
        fixture.enricher.recover([source()])
        await fixture.warm()
        assert await fixture.origin("203.0.113.1") == Origin("DK", "Denmark", 64511)

    run(local, life)


def test_damaged_database_is_reported_once_and_the_others_go_on(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        (local / "countries.mmdb").write_bytes(b"nothing of the kind")
        await fixture.restart(online=False)
        await fixture.completes("192.0.2.1 203.0.113.7")
        await fixture.warm()
        assert await fixture.origin("192.0.2.1") == Origin(asn=64496, organisation="One")
        assert await fixture.found("203.0.113.7") is None
        assert await fixture.enricher.origins_of(V4, [0xC0000201]) == [Origin(asn=64496, organisation="One")]
        (fault,) = fixture.faults()
        assert "countries.mmdb cannot be used" in fault

    run(local, life)


def test_a_database_that_is_named_and_not_there_is_missed_and_a_usual_one_is_not(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        (local / "operators.mmdb").unlink()
        await fixture.completes("192.0.2.1")
        await fixture.warm()
        (fault,) = fixture.faults()
        assert "operators.mmdb is not there" in fault
        assert (await fixture.origin("192.0.2.1")) == Origin("NO", "Norway")

    run(local, life)


def test_a_database_that_comes_later_is_used_from_then_on(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.restart(online=False)
        write_mmdb(local / "countries.mmdb", {"192.0.2.0/24": {"country_code": "DK"}})
        await fixture.completes("192.0.2.1")
        await fixture.warm()
        assert (await fixture.origin("192.0.2.1") or Origin()).country == "DK"

    run(local, life)


def test_small_lists_need_not_wait_for_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banlistd.services.geo_enricher.BATCHES", 1)

    async def life(fixture: GeoFixture) -> None:
        await fixture.completes(" ".join(f"203.0.113.{at}" for at in range(250)))
        await fixture.completes("203.0.112.9", OTHER)
        await fixture.warm()
        assert fixture.resolver.asked.index("203.0.112.9") < 150
        assert len(fixture.resolver.asked) == 251

    run(tmp_path, life)


def test_what_has_expired_is_forgotten_now_and_then(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.cache.bulk_upsert_entries_and_neg_entries(
            [GeoEntry(V4, at, at, Origin("NO"), fixture.clock.now() + 1) for at in range(2500)], []
        )
        await fixture.enricher.warm()
        assert len(await fixture.cache.page(None, 5000, 0.0)) == 2500
        fixture.clock.time += FORGET_EVERY
        await fixture.enricher.warm()
        assert not await fixture.cache.page(None, 5000, 0.0)

    run(tmp_path, life)


def test_the_event_of_a_look_up_counts_networks(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("192.0.2.1 192.0.2.2 192.0.2.200 203.0.112.1")
        await fixture.warm()
        (event,) = [event for event in fixture.announcer.events if event.name is EventName.GEO_WARMED]
        assert (event.fields["SOURCE_ID"], event.fields["NETWORKS"], event.fields["UNKNOWN"]) == (FEED, 2, 1)

    run(local, life)


# Questions


def test_a_question_is_answered_by_the_databases_and_sends_nothing_anywhere(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        assert await fixture.enricher.origins_of(V4, [0xC0000201]) == [Origin("NO", "Norway", 64496, "One")]
        assert await fixture.enricher.origins_of(V4, [0xCB007101]) == [Origin()]
        assert not fixture.resolver.asked

    run(local, life)


def test_what_the_databases_do_not_know_the_cache_may(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        await fixture.completes("203.0.113.1")
        await fixture.warm()
        asked = list(fixture.resolver.asked)
        assert await fixture.enricher.origins_of(V4, [0xCB007101]) == [Origin("DK", "Denmark", 64511)]
        assert fixture.resolver.asked == asked

    run(local, life)


def test_a_table_comes_from_the_databases_and_without_them_from_the_cache(local: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        assert (await fixture.enricher.table(By.ASN)).names == {64496: "One", 64497: "Two"}
        await fixture.completes("203.0.113.1")
        await fixture.warm()
        for path in (local / "countries.mmdb", local / "operators.mmdb"):
            path.unlink()
        await fixture.restart()
        assert set((await fixture.enricher.table(By.ASN)).layers[V4].code.tolist()) == {64511}

    run(local, life)


def test_table_without_databases_says_what_to_install(tmp_path: Path) -> None:
    async def life(fixture: GeoFixture) -> None:
        with pytest.raises(GeoError, match=r"no database .* countries .*tor-geoipdb"):
            await fixture.enricher.table(By.COUNTRY)

    run(tmp_path, life)
