"""Hits and totals in the database: one row for one connection and one version, within bounds, over restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.evidence.hits import HitTable
from banlistd.adapters.storage.evidence.totals import TotalTable
from banlistd.core.config.sections.log import Hits
from banlistd.core.feeds.value.over_time import HitSpan, Slots
from banlistd.core.ruleset.evidence.hits import FlowHit, HitChoice, HitCount, Meeting
from banlistd.core.ruleset.evidence.totals import Total
from banlistd.model import ContentHash, Counter, Direction, Family
from support.sources import ONE, TWO

BAD, HERE, BAD6 = (int(ip_address(text)) for text in ("198.51.100.7", "192.0.2.1", "2001:db8::7"))
BOUNDS = Hits(keep=1000.0, rows=5)
MEETING = Meeting(ONE, Direction.IN, Family.IPV4, BAD, HERE, 6, 22, ContentHash("a" * 64), (Family.IPV4, BAD - 7, BAD + 8))
HIT = FlowHit(MEETING, 3, 100.0, 110.0, 40_000, run_id=7)


def other(hit: FlowHit = HIT, at: float = 110.0, **changes: object) -> FlowHit:
    return replace(hit, meeting=replace(hit.meeting, **changes), last_at=at)  # type: ignore[arg-type]


def with_table(tmp_path: Path, story: Callable[[HitTable], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(tmp_path / "db") as database:
            await story(HitTable(database))

    asyncio.run(run())


def test_the_same_connection_and_version_is_one_row_and_comes_back_whole(tmp_path: Path) -> None:
    async def first(table: HitTable) -> None:
        await table.note([HIT], BOUNDS, 110.0)

    async def second(table: HitTable) -> None:
        await table.note([replace(HIT, samples=2, last_at=130.0, source_port=None)], BOUNDS, 130.0)
        (stored,) = await table.newest_first(HitChoice(), 10)
        assert replace(stored, id=0) == replace(HIT, samples=5, last_at=130.0, source_port=None)
        await table.note([replace(HIT, run_id=8)], BOUNDS, 130.0)
        assert [hit.run_id for hit in await table.newest_first(HitChoice(), 10)] == [7, 8]

    with_table(tmp_path, first)
    with_table(tmp_path, second)


def test_a_hit_without_port_entry_and_version_is_one_row_too(tmp_path: Path) -> None:
    bare = replace(other(port=None, content_hash=None, entry=None, protocol=1), source_port=None, run_id=0)

    async def story(table: HitTable) -> None:
        for _ in range(2):
            await table.note([bare], BOUNDS, 110.0)
        (stored,) = await table.newest_first(HitChoice(), 10)
        assert replace(stored, id=0) == replace(bare, samples=6)

    with_table(tmp_path, story)


def test_hits_are_chosen_by_source_address_and_network_and_come_in_pages(tmp_path: Path) -> None:
    low, six = other(at=120.0, address=BAD - 256), other(at=130.0, family=Family.IPV6, address=BAD6, peer=BAD6 + 1, entry=None)
    two = other(at=140.0, source_id=TWO)

    async def story(table: HitTable) -> None:
        await table.note([HIT, low, six, two], BOUNDS, 140.0)

        async def found(choice: HitChoice) -> list[float]:
            return [hit.last_at for hit in await table.newest_first(choice, 10)]

        assert await found(HitChoice()) == [140.0, 130.0, 120.0, 110.0]
        assert await found(HitChoice(source_id=TWO)) == [140.0]
        assert await found(HitChoice(span=(Family.IPV4, BAD, BAD))) == [140.0, 110.0]
        assert await found(HitChoice(span=(Family.IPV4, 0, 2**32 - 1))) == [140.0, 120.0, 110.0]
        assert await found(HitChoice(span=(Family.IPV6, 0, 2**128 - 1))) == [130.0]
        newest, *_ = await table.newest_first(HitChoice(), 1)
        assert await found(HitChoice(before=(newest.last_at, newest.id))) == [130.0, 120.0, 110.0]
        assert await table.counts() == {ONE: HitCount(3, 9, 3), TWO: HitCount(1, 3, 1)}
        assert await table.counts(since=125.0) == {ONE: HitCount(1, 3, 1), TWO: HitCount(1, 3, 1)}

    with_table(tmp_path, story)


def test_the_oldest_are_forgotten_beyond_the_bounds(tmp_path: Path) -> None:
    async def story(table: HitTable) -> None:
        await table.note([other(at=100.0 + port, port=port) for port in range(9)], BOUNDS, 110.0)
        assert [hit.meeting.port for hit in await table.newest_first(HitChoice(), 10)] == [8, 7, 6, 5, 4]
        await table.note([], BOUNDS, 1106.5)
        assert [hit.meeting.port for hit in await table.newest_first(HitChoice(), 10)] == [8, 7]

    with_table(tmp_path, story)


def test_totals_come_back_after_a_restart(tmp_path: Path) -> None:
    totals = {ONE: Total(Counter(1, 2), Counter(3, 4), "boot"), TWO: Total()}

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            await TotalTable(database).keep(totals)
            await TotalTable(database).keep({TWO: Total(last=Counter(5, 6))})
        async with open_database(tmp_path / "db") as database:
            assert await TotalTable(database).load() == {**totals, TWO: Total(last=Counter(5, 6))}

    asyncio.run(story())


def test_hits_over_time_are_those_sampled_since_then_by_the_slots_of_their_first_and_last_sample(tmp_path: Path) -> None:
    slots = Slots(100.0, 10.0)
    made = [
        other(at=99.0),
        replace(other(at=131.0, port=23), first_at=50.0),
        replace(other(at=139.0, port=24), first_at=105.0),
        replace(other(at=139.0, port=25), first_at=125.0),
        replace(other(at=700.0, source_id=TWO), first_at=700.0),
    ]

    async def story(table: HitTable) -> None:
        assert await table.over_time(slots) == []
        await table.note(made, BOUNDS, 140.0)
        found = sorted(await table.over_time(slots), key=lambda met: (met.source_id, met.first))
        assert found == [HitSpan(ONE, 0, 3, 2), HitSpan(ONE, 2, 3, 1), HitSpan(TWO, 60, 60, 1)]

    with_table(tmp_path, story)
