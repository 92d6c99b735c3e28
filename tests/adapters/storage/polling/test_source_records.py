"""What a poll and `status` ask for at once is what the tables say one by one."""

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.import_runs import EMPTY_SOURCES, ImportRuns
from banlistd.adapters.storage.polling.findings import FindingTable
from banlistd.adapters.storage.polling.source_records import SourceRecordTables
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.feeds.content import Pending
from banlistd.core.feeds.extent import AcceptedSizes
from banlistd.core.feeds.found_list import Findings, PollEnd
from banlistd.core.feeds.guards import HOLD
from banlistd.core.feeds.health.figures import SourceFigures
from banlistd.core.feeds.health.overview import Oldest, Overview
from banlistd.core.feeds.quarantine import Confirmed, Quarantined, SourceRecord
from banlistd.core.feeds.value.over_time import BEFORE, SLOTS, ListSizes, Slots
from banlistd.core.feeds.versions.version import HistoryBounds, Step
from banlistd.model import ContentHash, PolicyHash, Poll, Rejected, SourceId
from banlistd.ports import SourceRecords
from support.sources import ONE, TWO

_: type[SourceRecords] = SourceRecordTables

HASH = ContentHash("a" * 64)
SIZES = AcceptedSizes(30, 30, 30, 30, 0, 0)
REFUSED = Quarantined(TWO, HASH, b"snapshot", "shrunk", "too few", 3, 1, first_seen=1.0, last_seen=1.0)


async def import_into(database: Database, source_id: SourceId, entries: int, content_hash: ContentHash = HASH) -> None:
    ledger = ImportRuns(database)
    await ledger.marks_for([source_id])
    run = await ledger.upsert_pending(Pending(source_id, content_hash, PolicyHash("p"), entries, 0, b"snapshot"), 1.0)
    await ledger.mark_completed(run, added=0, removed=0, policy_hash=PolicyHash("p"), now=2.0, validators=None)
    poll = Poll(source_id, due_at=9.0, polled_at=3.0)
    await QuarantineTable(database).confirm(poll, 3.0, Confirmed(content_hash, None, None, None, starts_anew=False))


def test_the_record_of_a_source_is_what_the_tables_say(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger = SourceRecordTables(database), ImportRuns(database)
            assert await records.record(TWO) == SourceRecord(Poll(TWO), None, None)
            for source_id in (ONE, TWO):
                await import_into(database, source_id, 7)
            await QuarantineTable(database).hold_back(REFUSED)
            known = SourceRecord(await ledger.poll(TWO), await ledger.newest(TWO), REFUSED)
            assert await records.record(TWO) == known
            assert known.newest is not None
            assert (await records.record(ONE)).quarantined is None

    asyncio.run(story())


def test_the_overview_names_sources_that_are_empty_refused_or_moved(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, quarantine = SourceRecordTables(database), QuarantineTable(database)
            assert await records.overview() == Overview({}, {}, {}, frozenset(), {})
            await import_into(database, ONE, 0)
            await import_into(database, TWO, 7)
            await quarantine.hold_back(REFUSED)
            await FindingTable(database).keep_moved_to(ONE, "https://new.example/")
            polls = await ImportRuns(database).polls()
            health = await quarantine.health(ONE)
            assert health is not None
            healths = {ONE: health, TWO: dataclasses.replace(health)}
            expected = Overview(polls, healths, {TWO: "shrunk"}, frozenset({ONE}), {ONE: "https://new.example/"})
            assert await records.overview() == expected

    asyncio.run(story())


def test_a_source_is_empty_by_its_newest_content_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger = SourceRecordTables(database), ImportRuns(database)
            await import_into(database, ONE, 0)
            await ledger.record_failure(ONE, "late", PolicyHash("p"), 3.0)
            assert (await records.overview()).empty == {ONE}
            await import_into(database, ONE, 7, ContentHash("b" * 64))
            assert (await records.overview()).empty == frozenset()
            await import_into(database, ONE, 0)
            assert (await records.overview()).empty == {ONE}

    asyncio.run(story())


def test_what_is_empty_is_found_without_a_look_at_every_run(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            plan = [row[3] for row in await database.run(f"EXPLAIN QUERY PLAN {EMPTY_SOURCES}")]
            assert plan[0] == "SCAN run USING INDEX import_runs_empty"

    asyncio.run(story())


def test_the_overview_of_what_may_be_odd_has_what_fails_and_what_is_old(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger, quarantine = SourceRecordTables(database), ImportRuns(database), QuarantineTable(database)
            await import_into(database, ONE, 7)
            await import_into(database, TWO, 7)
            failed = Poll(TWO, due_at=9.0, polled_at=4.0, failures=1, error="late", failing_since=4.0)
            await ledger.save_poll(failed)
            newer = await records.overview(Oldest(2.9, 2.9))
            assert newer.healths == {}
            assert newer.polls == {TWO: await ledger.poll(TWO)}
            assert newer.polls[TWO].failures == 1
            for oldest in (Oldest(3.0, 0.0), Oldest(0.0, 3.0)):
                older = await records.overview(oldest)
                assert older.healths == {ONE: await quarantine.health(ONE), TWO: await quarantine.health(TWO)}

    asyncio.run(story())


@pytest.mark.parametrize("oldest", [None, Oldest(0.0, 0.0)], ids=["all sources", "those that may be odd"])
def test_the_overview_leaves_out_the_polls_that_are_under_way(tmp_path: Path, oldest: Oldest | None) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger = SourceRecordTables(database), ImportRuns(database)
            for source_id in (ONE, TWO):
                await ledger.save_poll(Poll(source_id, due_at=9.0, polled_at=4.0, failures=1, error="late", failing_since=4.0))
            assert (await records.overview(oldest)).polls.keys() == {ONE, TWO}
            assert (await records.overview(oldest, {TWO: None})).polls == {ONE: await ledger.poll(ONE)}

    asyncio.run(story())


def test_figures_are_columns_of_the_tables(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, quarantine = SourceRecordTables(database), QuarantineTable(database)
            assert await records.figures() == SourceFigures({}, {}, {}, {})
            await import_into(database, ONE, 7)
            await quarantine.hold_back(REFUSED)
            await ImportRuns(database).save_poll(Poll(TWO, due_at=4.0, polled_at=3.0, failures=2))
            figures, health = await records.figures(), await quarantine.health(ONE)
            assert health is not None
            assert figures == SourceFigures(
                {ONE: (9.0, 0), TWO: (4.0, 2)}, {ONE: (7, 2.0)}, {ONE: health.good_at}, {TWO: "shrunk"}
            )
            assert figures.refused == {TWO}
            # What waits for its time is not refused.
            assert dataclasses.replace(figures, refusals={TWO: HOLD}).refused == frozenset()

    asyncio.run(story())


def test_kept_figures_are_those_that_a_new_reader_reads(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, quarantine, ledger = SourceRecordTables(database), QuarantineTable(database), ImportRuns(database)

            async def check() -> SourceFigures:
                kept = await records.figures()
                assert kept == await SourceRecordTables(database).figures()
                assert kept == await records.figures()
                return kept

            await check()
            await import_into(database, ONE, 7)
            first = await check()
            await quarantine.hold_back(REFUSED)
            await ledger.save_poll(Poll(ONE, due_at=4.0, polled_at=3.0, failures=2))
            assert (await check()).refusals == {TWO: "shrunk"}
            assert first.polls == {ONE: (9.0, 0)}  # what was given out does not change
            await quarantine.confirm(await ledger.poll(TWO), 5.0, Confirmed(HASH, None, None, None, starts_anew=False))
            assert not (await check()).refusals
            many = [SourceId(f"list-{number}") for number in range(600)]
            for source_id in many:
                await ledger.save_poll(Poll(source_id, due_at=4.0, polled_at=3.0))
            assert set(many) < (await check()).polls.keys()

    asyncio.run(story())


def test_kept_figures_are_read_again_after_a_write_that_was_rolled_back(tmp_path: Path) -> None:
    async def failing(connection: aiosqlite.Connection) -> None:
        await connection.execute("UPDATE polls SET failures = 5")
        raise ZeroDivisionError

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records = SourceRecordTables(database)
            await import_into(database, ONE, 7)
            await records.figures()
            with pytest.raises(ZeroDivisionError):
                await database.write(failing)
            assert (await records.figures()).polls == {ONE: (9.0, 0)}

    asyncio.run(story())


def empty(folder: Path) -> None:
    for left in folder.iterdir():
        left.unlink()


def test_kept_figures_are_those_of_the_database_in_use(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger = SourceRecordTables(database), ImportRuns(database)
            await import_into(database, ONE, 7)
            await records.figures()
            await asyncio.to_thread(empty, tmp_path)
            await ledger.save_poll(Poll(TWO, due_at=4.0, polled_at=3.0))  # another file takes the place of the deleted one
            await ledger.save_poll(Poll(ONE, due_at=5.0, polled_at=3.0))
            found = await records.figures()
            assert found == await SourceRecordTables(database).figures()
            assert (found.polls[ONE], found.polls[TWO]) == ((5.0, 0), (4.0, 0))

    asyncio.run(story())


def test_the_sizes_of_a_list_are_those_of_its_versions_and_of_runs_from_before_there_were_any(tmp_path: Path) -> None:
    async def imported(ledger: ImportRuns, letter: str, entries: int, at: float, bounds: HistoryBounds | None) -> None:
        content = ContentHash(letter * 64)
        step = Step(None, bounds, b"") if bounds else None
        run = await ledger.upsert_pending(Pending(ONE, content, PolicyHash("p"), entries, 0, b"snapshot", step=step), at)
        await ledger.mark_completed(run, added=0, removed=0, policy_hash=PolicyHash("p"), now=at, validators=None)

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger = SourceRecordTables(database), ImportRuns(database)
            await ledger.marks_for([ONE])
            bounds = HistoryBounds(1000.0, 1000)
            for letter, entries, at, kept in (
                ("a", 10, 40.0, None),
                ("b", 20, 90.0, None),
                ("c", 30, 105.0, None),
                ("d", 40, 109.0, None),
                ("e", 50, 125.0, bounds),
                # Applied once more, after a flush: it did not come then.
                ("e", 50, 205.0, bounds),
            ):
                await imported(ledger, letter, entries, at, kept)
            assert await records.sizes(Slots(100.0, 10.0)) == [ListSizes(ONE, {BEFORE: 20, 0: 40, 2: 50})]
            # The moment at which the last slot ends is in it.
            (whole,) = await records.sizes(Slots(0.0, 125.0 / SLOTS))
            assert max(whole.by_slot) == SLOTS - 1

    asyncio.run(story())


def test_the_beginning_of_a_poll_saves_it_and_tells_of_the_good_lists_in_one_turn(tmp_path: Path) -> None:
    async def begin() -> None:
        async with open_database(tmp_path / "db") as database:
            records, ledger, quarantine = SourceRecordTables(database), ImportRuns(database), QuarantineTable(database)
            await quarantine.confirm(Poll(ONE), 4.0, Confirmed(HASH, True, SIZES, None, starts_anew=False))
            failed = Poll(ONE, due_at=9.0, polled_at=5.0, failures=1, error="did not end", failing_since=5.0)
            past = await records.begin(failed, 5.0)
            assert past == await quarantine.past(ONE, 5.0)
            assert past.health is not None
            assert past.health.has_end_count
            assert await ledger.poll(ONE) == failed

    asyncio.run(begin())


def test_a_completed_run_leaves_its_poll_and_what_it_showed_in_one_transaction(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            ledger, quarantine, findings = ImportRuns(database), QuarantineTable(database), FindingTable(database)
            await ledger.marks_for([ONE])
            run = await ledger.upsert_pending(Pending(ONE, HASH, PolicyHash("p"), 7, 0, b"snapshot"), 1.0)
            poll, good = Poll(ONE, due_at=9.0, polled_at=3.0), Confirmed(HASH, None, None, None, starts_anew=False)
            found = Findings(1, (Rejected(3, "abc", "no address"),), octets=99)
            done: dict[str, Any] = {"added": 7, "removed": 0, "policy_hash": PolicyHash("p"), "now": 3.0, "validators": None}
            assert await ledger.mark_completed(run, **done, end=PollEnd(poll, found, good))
            assert await findings.every() == {ONE: found}
            assert await ledger.poll(ONE) == poll
            assert await quarantine.health(ONE) is not None
            # The run of another importer has ended it; what was read was read all the same.
            later, end = dataclasses.replace(found, rejected=2), dataclasses.replace(poll, due_at=12.0)
            assert not await ledger.mark_completed(run, **done, end=PollEnd(end, later, good))
            assert await findings.every() == {ONE: later}
            assert await ledger.poll(ONE) == end

    asyncio.run(story())
