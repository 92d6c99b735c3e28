"""When sources are due that are made of files: all wait together, and a file that does not answer holds up nobody else."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from banlistd.adapters.fetch.own_threads import OwnThreads
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.polling.request_log import RequestTable
from banlistd.adapters.system.clock import SystemClock
from banlistd.model import Poll, SourceId
from banlistd.services.imports.parts_under_way import PartsUnderWay
from banlistd.services.imports.publishers import Publishers
from banlistd.services.poll_scheduler import PollScheduler, WaitingTimes
from support.sources import source

COUNT = 20
PATIENCE = 60.0


SchedulerLife = Callable[[PollScheduler, list[asyncio.Task[bool]]], Awaitable[None]]


def run(disk: Path, stamp: Callable[[Path], str], life: SchedulerLife) -> None:
    """Sources of a file each that are due in a day, waiting, while there is life."""

    async def run() -> None:
        async with open_database(disk / "db") as database:
            ledger, clock = ImportRuns(database), SystemClock()
            times = WaitingTimes(watch_every=0.001, answer_within=0.01)
            timetable = PollScheduler(
                ledger,
                Publishers(RequestTable(database), clock),
                stamp,
                clock,
                OwnThreads("file stamp", 8),
                PartsUnderWay(lambda _: None, ledger),
                times,
            )
            sources = [source(SourceId(f"source-{number}"), path=disk / str(number)) for number in range(COUNT)]
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


def test_polls_of_files_on_a_dead_disk_go_on_without_a_stamp_and_take_no_thread_of_the_event_loop(tmp_path: Path) -> None:
    back = threading.Event()

    def stamp(_: Path) -> str:
        back.wait(PATIENCE)
        return "there again"

    async def life(timetable: PollScheduler, waits: list[asyncio.Task[bool]]) -> None:
        dead = [source(SourceId(f"source-{number}"), path=tmp_path / str(number)) for number in range(COUNT)]
        for _ in range(2):
            await asyncio.gather(*(timetable.begin(one, [tmp_path / one.id]) for one in dead))
        assert await asyncio.to_thread(lambda: "repaired") == "repaired"
        back.set()
        assert await waits[7]

    try:
        run(tmp_path, stamp, life)
    finally:
        back.set()


def test_a_combination_does_not_wait_for_ever_for_the_first_poll_of_a_part(tmp_path: Path) -> None:
    both = source(SourceId("both"), merge=(SourceId("part"),))

    async def run() -> None:
        async with open_database(tmp_path / "db") as database:
            ledger, clock = ImportRuns(database), SystemClock()
            scheduler = PollScheduler(
                ledger,
                Publishers(RequestTable(database), clock),
                str,
                clock,
                OwnThreads("file stamp", 8),
                PartsUnderWay(lambda _: None, ledger),
                WaitingTimes(first_polls=0.001),
            )
            async with asyncio.timeout(PATIENCE):
                assert await scheduler.is_due(both, [], 2)

    asyncio.run(run())
