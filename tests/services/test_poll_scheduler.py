"""When sources are due that are made of files: all wait together, and a file that does not answer holds up nobody else."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.polling.request_log import RequestTable
from banlistd.adapters.system.clock import SystemClock
from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.model import Outcome, OutcomeKind, Poll, SourceId
from banlistd.services.file_stamps import FileStamps
from banlistd.services.imports.parts_under_way import PartsUnderWay
from banlistd.services.imports.publishers import Publishers
from banlistd.services.poll_scheduler import PollScheduler, WaitingTimes
from support.sources import source

COUNT = 20
PATIENCE = 60.0


SchedulerLife = Callable[[PollScheduler, list[asyncio.Task[bool]]], Awaitable[None]]


def scheduler_on(database: Database, stamps: FileStamps, times: WaitingTimes) -> PollScheduler:
    """Of sources that are parts of nothing."""
    ledger, clock = ImportRuns(database), SystemClock()
    publishers, parts = Publishers(RequestTable(database), clock), PartsUnderWay(lambda _: None, ledger)
    return PollScheduler(ledger, publishers, stamps, clock, OwnThreads("file stamp", 8), parts, times)


def run(disk: Path, stamp: Callable[[Path], str], life: SchedulerLife) -> None:
    """Sources of a file each, in two folders, that are due in a day, waiting, while there is life."""

    async def run() -> None:
        async with open_database(disk / "db") as database:
            ledger, clock = ImportRuns(database), SystemClock()
            times = WaitingTimes(watch_every=0.001, answer_within=0.01)
            timetable = scheduler_on(database, FileStamps(stamp), times)
            sources = [
                source(SourceId(f"source-{number}"), path=disk / str(number % 2) / str(number)) for number in range(COUNT)
            ]
            for each in sources:
                await ledger.save_poll(Poll(each.id, due_at=clock.now() + 86400, polled_at=clock.now()))
            waits = [asyncio.ensure_future(timetable.is_due(each, [each.path] if each.path else [], COUNT)) for each in sources]
            try:
                async with asyncio.timeout(PATIENCE):
                    await life(timetable, waits)
            finally:
                for wait in waits:
                    wait.cancel()

    asyncio.run(run())


def test_no_file_is_looked_at_in_the_event_loop(tmp_path: Path) -> None:
    threads: list[int] = []
    enough = threading.Event()

    def stamp(_: Path) -> str:
        threads.append(threading.get_ident())
        if len(threads) > COUNT:
            enough.set()
        return ""

    async def life(_: PollScheduler, waits: list[asyncio.Task[bool]]) -> None:
        assert await asyncio.to_thread(enough.wait, PATIENCE)
        assert not any(wait.done() for wait in waits)

    run(tmp_path, stamp, life)
    assert threading.get_ident() not in threads


def test_only_the_source_whose_file_has_changed_is_due(tmp_path: Path) -> None:
    changed: list[str] = []

    async def life(_: PollScheduler, waits: list[asyncio.Task[bool]]) -> None:
        changed.append("7")
        assert await waits[7]
        assert [number for number, wait in enumerate(waits) if wait.done()] == [7]

    run(tmp_path, lambda path: "new" if path.name in changed else "", life)


def test_file_on_a_dead_disk_delays_no_other_source(tmp_path: Path) -> None:
    asked, back = threading.Event(), threading.Event()

    def stamp(path: Path) -> str:
        if path.name == "7":
            asked.set()
            back.wait(PATIENCE)
        return ""

    async def life(timetable: PollScheduler, waits: list[asyncio.Task[bool]]) -> None:
        await asyncio.to_thread(asked.wait, PATIENCE)
        timetable.wake([SourceId("source-3")])
        assert not await waits[3]
        assert not back.is_set()
        back.set()

    run(tmp_path, stamp, life)


@pytest.mark.parametrize("dead", [["9"], [str(number) for number in range(1, COUNT, 2)]], ids=["one", "a folder"])
def test_a_file_that_changes_is_seen_while_others_do_not_answer(tmp_path: Path, dead: list[str]) -> None:
    asked, changed, back = threading.Event(), list[str](), threading.Event()

    def stamp(path: Path) -> str:
        if path.name in dead:
            asked.set()
            back.wait(PATIENCE)
        return "new" if path.name in changed else ""

    async def life(_: PollScheduler, waits: list[asyncio.Task[bool]]) -> None:
        await asyncio.to_thread(asked.wait, PATIENCE)
        for number in ("8", "4"):
            changed.append(number)
            assert await waits[int(number)]
        assert not back.is_set()
        back.set()
        changed.append("9")
        assert await waits[9]

    run(tmp_path, stamp, life)


def test_polls_of_files_on_a_dead_disk_go_on_without_a_stamp_and_take_no_thread_of_the_event_loop(tmp_path: Path) -> None:
    back = threading.Event()

    def stamp(_: Path) -> str:
        back.wait(PATIENCE)
        return "there again"

    async def life(timetable: PollScheduler, waits: list[asyncio.Task[bool]]) -> None:
        dead = [source(SourceId(f"dead-{number}"), path=tmp_path / f"dead-{number}") for number in range(COUNT)]
        for one in dead:
            timetable.end(one, Outcome(one.id, OutcomeKind.FAILED, error="it was not read within 30 s"))
        polls = [asyncio.ensure_future(timetable.is_due(one, [tmp_path / one.id], COUNT)) for one in dead]
        assert all(await asyncio.gather(*polls))
        assert await asyncio.to_thread(lambda: "repaired") == "repaired"
        back.set()
        assert await waits[7]

    try:
        run(tmp_path, stamp, life)
    finally:
        back.set()


class Looks:
    """What the file of a source looks like, and how often it was looked at."""

    def __init__(self, stamp: str) -> None:
        self.stamp = stamp
        self.enough = threading.Event()
        self._left = 5

    def __call__(self, _: Path) -> str:
        self._left -= 1
        if not self._left:
            self.enough.set()
        return self.stamp


def is_polled_again(disk: Path, looks: Looks, poll: Callable[[FileStamps, SourceId, Path], OutcomeKind]) -> bool:
    """Whether a source that is due in a day is due at once after a poll, because of its file."""
    stamps = FileStamps(looks)

    async def run() -> bool:
        async with open_database(disk / "db") as database:
            ledger, clock = ImportRuns(database), SystemClock()
            scheduler = scheduler_on(database, stamps, WaitingTimes(watch_every=0.001))
            path = disk / "list"
            one = source(SourceId("one"), path=path)
            await ledger.save_poll(Poll(one.id, due_at=clock.now() + 86400, polled_at=clock.now()))
            await scheduler.begin(one, [path])
            scheduler.end(one, Outcome(one.id, poll(stamps, one.id, path)))
            due = asyncio.ensure_future(scheduler.is_due(one, [path], 1))
            looked = asyncio.ensure_future(asyncio.to_thread(looks.enough.wait, PATIENCE))
            await asyncio.wait([due, looked], return_when=asyncio.FIRST_COMPLETED)
            looks.enough.set()
            return due.done() or (due.cancel() and False)

    return asyncio.run(run())


def test_a_file_that_changes_after_it_was_read_is_due_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    def read(stamps: FileStamps, source_id: SourceId, path: Path) -> OutcomeKind:
        stamps.note(source_id, path)
        looks.stamp = now
        return OutcomeKind.COMPLETED

    for now in ("read", "changed"):
        looks = Looks("read")
        assert is_polled_again(tmp_path, looks, read) is (now == "changed")


def test_a_failed_poll_that_did_not_come_to_its_file_is_not_repeated_in_a_loop(tmp_path: Path) -> None:
    def fail(_stamps: FileStamps, _source_id: SourceId, _path: Path) -> OutcomeKind:
        return OutcomeKind.FAILED

    assert not is_polled_again(tmp_path, Looks("changed"), fail)


def test_a_file_that_changed_before_a_poll_that_took_approved_content_is_due(tmp_path: Path) -> None:
    def approve(_stamps: FileStamps, _source_id: SourceId, _path: Path) -> OutcomeKind:
        return OutcomeKind.COMPLETED

    assert is_polled_again(tmp_path, Looks("changed"), approve)


def test_a_combination_does_not_wait_for_ever_for_the_first_poll_of_a_part(tmp_path: Path) -> None:
    both = source(SourceId("both"), merge=(SourceId("part"),))

    async def run() -> None:
        async with open_database(tmp_path / "db") as database:
            scheduler = scheduler_on(database, FileStamps(str), WaitingTimes(first_polls=0.001))
            async with asyncio.timeout(PATIENCE):
                assert await scheduler.is_due(both, [], 2)

    asyncio.run(run())
