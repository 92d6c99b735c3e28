"""Writes that wait share a transaction; what one of them does wrong is its own."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import aiosqlite
import pytest

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.works import WorkQueue
from banlistd.errors import LedgerError

INSERT = "INSERT INTO sources VALUES (?, ?)"


def life(path: Path, use: Callable[[Database], Awaitable[None]]) -> list[str]:
    """The names in the table afterwards."""

    async def run() -> list[str]:
        async with open_database(path / "db") as database:
            await use(database)
            return [row[0] for row in await database.run("SELECT source_id FROM sources ORDER BY mark")]

    return asyncio.run(run())


def inserting(database: Database, name: str, mark: int) -> asyncio.Task[list[object]]:
    """Inserts, and returns what had been inserted in the same transaction before."""

    async def work(connection: aiosqlite.Connection) -> list[object]:
        before = [row[0] for row in await connection.execute_fetchall("SELECT name FROM temp.mine")]
        await connection.execute("INSERT INTO temp.mine VALUES (?)", (name,))
        await connection.execute(INSERT, (name, mark))
        return before

    return asyncio.ensure_future(database.write(work))


async def held(database: Database) -> tuple[asyncio.Task[None], threading.Event]:
    """A write that is under way until the event."""
    inside, go_on = threading.Event(), threading.Event()

    async def work(connection: aiosqlite.Connection) -> None:
        await connection.execute("CREATE TABLE temp.mine (name TEXT)")
        inside.set()
        go_on.wait()

    task = asyncio.ensure_future(database.write(work))
    await asyncio.to_thread(inside.wait)
    return task, go_on


@pytest.mark.parametrize("count", [3, 300])
@patch("banlistd.adapters.storage.works._LONGEST", 3600.0)
def test_writes_that_wait_share_transactions(tmp_path: Path, count: int) -> None:
    async def use(database: Database) -> None:
        statements: list[str] = []
        first, go_on = await held(database)
        await_trace = asyncio.ensure_future(database._connection.set_trace_callback(statements.append))
        writes = [inserting(database, f"s{mark}", mark) for mark in range(1, count + 1)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, await_trace, *writes)
        assert 1 <= statements.count("BEGIN IMMEDIATE") <= 1 + count // 25

    assert len(life(tmp_path, use)) == count


@patch("banlistd.adapters.storage.works._LONGEST", -1.0)
def test_a_turn_that_takes_long_takes_no_further_work_and_the_others_follow_in_order(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        statements: list[str] = []
        first, go_on = await held(database)
        await_trace = asyncio.ensure_future(database._connection.set_trace_callback(statements.append))
        writes = [inserting(database, f"s{mark}", mark) for mark in range(1, 41)]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(first, await_trace, *writes)
        assert [write.result() for write in writes[:3]] == [[], ["s1"], ["s1", "s2"]]
        assert statements.count("BEGIN IMMEDIATE") == 40

    assert life(tmp_path, use) == [f"s{mark}" for mark in range(1, 41)]


def test_a_fault_of_one_write_does_not_concern_those_that_share_its_transaction(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        first, go_on = await held(database)
        writes = [inserting(database, name, mark) for name, mark in (("a", 1), ("b", 1), ("c", 3))]
        await asyncio.sleep(0)
        go_on.set()
        await first
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert isinstance(results[1], LedgerError)
        assert [results[0], results[2]] == [[], ["a"]]

    assert life(tmp_path, use) == ["a", "c"]


def test_a_work_that_waits_for_something_else_is_a_fault(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(INSERT, ("a", 1))
            await asyncio.sleep(0)

        with pytest.raises(RuntimeError, match="waits for something else"):
            await database.write(work)

    assert life(tmp_path, use) == []


def test_reads_that_wait_share_a_turn_and_have_each_its_own_result(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        first, go_on = await held(database)
        reads = [asyncio.ensure_future(database.run("SELECT ?", (number,))) for number in range(5)]
        wrong = asyncio.ensure_future(database.run("SELECT no_column FROM sources"))
        await asyncio.sleep(0)
        turns = 0

        async def count(connection: aiosqlite.Connection, work: Callable[..., object], *args: object) -> object:
            nonlocal turns
            turns += 1
            return await aiosqlite.Connection._execute(connection, work, *args)  # type: ignore[no-untyped-call]

        database._connection._execute = count.__get__(database._connection)  # type: ignore[method-assign]
        go_on.set()
        await first
        assert [(await read)[0][0] for read in reads] == [0, 1, 2, 3, 4]
        assert turns == 1 + 6  # one for all of them, and one each because of the one that is wrong
        with pytest.raises(LedgerError):
            await wrong
        turns = 0
        await asyncio.gather(*(database.run("SELECT 1") for _ in range(5)))
        assert turns == 1

    assert life(tmp_path, use) == []


def test_a_turn_costs_the_event_loop_few_callbacks(tmp_path: Path) -> None:
    """With a task for the queue, one for the work, and a shield there were twice as many."""

    async def use(database: Database) -> None:
        loop, callbacks = asyncio.get_running_loop(), 0
        call_soon = loop.call_soon

        def counted(*args: Any, **kwargs: Any) -> asyncio.Handle:
            nonlocal callbacks
            callbacks += 1
            return call_soon(*args, **kwargs)

        with patch.object(loop, "call_soon", counted):
            await database.run("SELECT 1")
        assert callbacks <= 4

    assert life(tmp_path, use) == []


def test_who_is_cancelled_while_a_work_is_carried_out_hears_of_it_once_it_has_ended(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        first, go_on = await held(database)
        waiting = inserting(database, "a", 1)
        await asyncio.sleep(0)
        for task in (first, waiting):
            for _ in range(2):
                task.cancel()
                await asyncio.sleep(0)
            assert not task.done()
        go_on.set()
        await asyncio.wait([first, waiting])
        assert first.cancelled()
        assert waiting.cancelled()

    assert life(tmp_path, use) == ["a"]


def test_the_end_of_the_event_loop_ends_those_who_wait(tmp_path: Path) -> None:
    waits: list[asyncio.Task[None]] = []

    async def run() -> None:
        async def never(_: object) -> None:
            await asyncio.Event().wait()

        queue = WorkQueue(never)
        waits.extend(asyncio.ensure_future(queue.do(never)) for _ in range(3))
        await asyncio.sleep(0)
        waits.extend(asyncio.ensure_future(queue.do(never)) for _ in range(3))
        await asyncio.sleep(0)

    asyncio.run(run())
    assert all(wait.cancelled() for wait in waits)
