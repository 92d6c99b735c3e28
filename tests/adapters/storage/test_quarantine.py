"""The quarantine on a real SQLite file."""

import asyncio
import dataclasses
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.database_schema import migrations
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.addresses.sets import to_text
from banlistd.core.feeds.extent import AcceptedSizes, Size
from banlistd.core.feeds.parsers import parse
from banlistd.core.feeds.quarantine import Confirmed, Quarantined, SourceHealth
from banlistd.core.feeds.samples import Sample
from banlistd.model import ContentHash, Family, Poll, SourceId
from banlistd.ports import Quarantine

SOURCE, OTHER = SourceId("s"), SourceId("t")
HELD = Quarantined(SOURCE, ContentHash("a" * 64), b"snapshot", "shrunk", "too few", 3, 1, first_seen=1.0, last_seen=1.0)

_: type[Quarantine] = QuarantineTable


def run(path: Path, use: Callable[[QuarantineTable], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(path / "db") as database:
            await use(QuarantineTable(database))

    asyncio.run(run())


def test_quarantine_survives_a_restart(tmp_path: Path) -> None:
    async def before(quarantine: QuarantineTable) -> None:
        assert await quarantine.quarantined(SOURCE) is None
        await quarantine.hold_back(HELD)

    async def after(quarantine: QuarantineTable) -> None:
        assert await quarantine.quarantined(SOURCE) == HELD
        assert await quarantine.quarantined(OTHER) is None

    run(tmp_path, before)
    run(tmp_path, after)


def test_the_same_content_again_moves_its_counters_and_leaves_the_snapshot(tmp_path: Path) -> None:
    async def use(quarantine: QuarantineTable) -> None:
        await quarantine.hold_back(HELD)
        again = dataclasses.replace(HELD, snapshot=b"not written", last_seen=5.0, refusals=2, stood=4.0)
        await quarantine.hold_back(again)
        assert await quarantine.quarantined(SOURCE) == dataclasses.replace(again, snapshot=b"snapshot")

    run(tmp_path, use)


def test_other_content_replaces_quarantined_content_and_its_approval(tmp_path: Path) -> None:
    async def use(quarantine: QuarantineTable) -> None:
        await quarantine.hold_back(HELD)
        assert await quarantine.approve(SOURCE, HELD.content_hash)
        other = dataclasses.replace(HELD, content_hash=ContentHash("b" * 64), snapshot=b"other")
        await quarantine.hold_back(other)
        assert await quarantine.quarantined(SOURCE) == other
        assert not await quarantine.approve(SOURCE, HELD.content_hash)

    run(tmp_path, use)


def test_only_what_is_held_back_can_be_approved(tmp_path: Path) -> None:
    async def use(quarantine: QuarantineTable) -> None:
        assert not await quarantine.approve(SOURCE, HELD.content_hash)
        await quarantine.hold_back(HELD)
        assert await quarantine.approve(SOURCE, HELD.content_hash)
        held = await quarantine.quarantined(SOURCE)
        assert held is not None
        assert held.approved is True

    run(tmp_path, use)


def good(
    content: str = "a",
    *,
    has_end_count: bool | None = None,
    sizes: AcceptedSizes | None = None,
    sample: Sample | None = None,
    anew: bool = False,
) -> Confirmed:
    return Confirmed(ContentHash(content * 64), has_end_count, sizes, sample, anew)


def test_good_list_clears_the_quarantine_and_its_report(tmp_path: Path) -> None:
    async def use(quarantine: QuarantineTable) -> None:
        assert await quarantine.health(SOURCE) is None
        await quarantine.hold_back(HELD)
        await quarantine.confirm(Poll(SOURCE), 7.0, good(has_end_count=True))
        assert await quarantine.quarantined(SOURCE) is None
        assert await quarantine.health(SOURCE) == SourceHealth(7.0, 7.0, has_end_count=True)
        await quarantine.mark_stale_announced(SOURCE)
        assert await quarantine.health(SOURCE) == SourceHealth(7.0, 7.0, has_end_count=True, stale_announced=True)
        await quarantine.confirm(Poll(SOURCE), 8.0, good(has_end_count=None))  # by 304: its end was not seen
        assert await quarantine.health(SOURCE) == SourceHealth(8.0, 7.0, has_end_count=True)
        await quarantine.confirm(Poll(SOURCE), 9.0, good(has_end_count=False))
        assert await quarantine.health(SOURCE) == SourceHealth(9.0, 7.0)

    run(tmp_path, use)


def test_an_upgrade_knows_when_each_list_was_last_good(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "db")
    for number, script in migrations()[:6]:
        connection.executescript(f"{script}; PRAGMA user_version = {number}")
    insert = (
        "INSERT INTO import_runs (source_id, content_hash, state, generation, policy_hash, started_at, completed_at)"
        " VALUES ('s', ?, 'completed', ?, 'p', 1, ?)"
    )
    connection.executemany(insert, [("a" * 64, 1, 5.0), ("b" * 64, 2, 6.0)])
    connection.commit()
    connection.close()

    async def use(quarantine: QuarantineTable) -> None:
        assert await quarantine.health(SOURCE) == SourceHealth(6.0, 6.0)

    run(tmp_path, use)


def test_a_list_has_changed_when_its_content_is_another(tmp_path: Path) -> None:
    async def use(quarantine: QuarantineTable) -> None:
        for now, content, changed_at in ((1.0, "a", 1.0), (5.0, "a", 1.0), (6.0, "b", 6.0), (7.0, "a", 7.0)):
            await quarantine.confirm(Poll(SOURCE), now, good(content))
            assert await quarantine.health(SOURCE) == SourceHealth(now, changed_at)
        await quarantine.mark_frozen_announced(SOURCE)
        await quarantine.confirm(Poll(SOURCE), 8.0, good("a"))
        assert await quarantine.health(SOURCE) == SourceHealth(8.0, 7.0, frozen_announced=True)
        # The clock was set back: the age counts from then.
        await quarantine.confirm(Poll(SOURCE), 3.0, good("a"))
        assert await quarantine.health(SOURCE) == SourceHealth(3.0, 3.0, frozen_announced=True)
        await quarantine.confirm(Poll(SOURCE), 9.0, good("b"))
        assert await quarantine.health(SOURCE) == SourceHealth(9.0, 9.0)

    run(tmp_path, use)


def test_sizes_of_accepted_contents_are_kept_for_30_days(tmp_path: Path) -> None:
    def of(entries: int, replaced: float = 0.0) -> AcceptedSizes:
        return AcceptedSizes.of(Size(entries, 2 * entries, 3 * entries), replaced)

    day = 86400.0

    async def use(quarantine: QuarantineTable) -> None:
        assert (await quarantine.past(SOURCE, 0.0)).sizes is None
        await quarantine.confirm(Poll(SOURCE), 0.0, good(sizes=of(100, 0.25)))
        await quarantine.confirm(Poll(SOURCE), 1.0, good("b", sizes=of(5)))
        await quarantine.confirm(Poll(SOURCE), 2 * day, good("c", sizes=of(50, 0.5)))
        await quarantine.confirm(Poll(SOURCE), 3 * day, good("c"))  # unchanged
        for now in (3 * day, 30 * day):
            assert (await quarantine.past(SOURCE, now)).sizes == AcceptedSizes(50, 100, 10, 200, 15, 300, 0.75)
        assert (await quarantine.past(SOURCE, 31 * day)).sizes == of(50, 0.5)
        await quarantine.confirm(Poll(SOURCE), 31 * day, good("d", sizes=of(60), anew=True))
        assert (await quarantine.past(SOURCE, 31 * day)).sizes == of(60)
        # What came by a clock that was wrong by ten years is forgotten.
        await quarantine.confirm(Poll(SOURCE), 3652 * day, good("e", sizes=of(70)))
        assert (await quarantine.past(SOURCE, 31 * day)).sizes is None

    run(tmp_path, use)


def test_the_first_sample_of_each_day_is_kept_with_what_was_replaced_since(tmp_path: Path) -> None:
    def sample(text: bytes, churn: float) -> Sample:
        return Sample(parse(text).addresses, 2000, churn)

    sizes, day = AcceptedSizes.of(Size(100, 100, 0)), 86400.0

    async def known(quarantine: QuarantineTable, now: float) -> list[tuple[str, int, float]]:
        found = (await quarantine.past(SOURCE, now)).samples
        return [(to_text(Family.IPV4, one.addresses.hosts4[0]), one.entries, round(one.churn, 6)) for one in found]

    async def use(quarantine: QuarantineTable) -> None:
        for now, text, churn in ((0.0, b"192.0.2.1", 0.0), (1.0, b"192.0.2.2", 0.1), (2 * day, b"192.0.2.3", 0.05)):
            await quarantine.confirm(Poll(SOURCE), now, good(sizes=sizes, sample=sample(text, churn)))
        assert await known(quarantine, 2 * day) == [("192.0.2.1", 2000, 0.15), ("192.0.2.3", 2000, 0.05)]
        assert await known(quarantine, 31 * day) == [("192.0.2.3", 2000, 0.05)]
        await quarantine.confirm(Poll(SOURCE), 3 * day, good("b", sizes=sizes, sample=sample(b"192.0.2.4", 0.0), anew=True))
        assert await known(quarantine, 3 * day) == [("192.0.2.4", 2000, 0.0)]

    run(tmp_path, use)
