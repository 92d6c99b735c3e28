"""The way of works, functions that await nothing but statements, to SQLite's thread.

aiosqlite takes a turn of that thread for each statement, and two switches between threads cost more than the statement. So a
whole work takes one turn: it is driven in that thread, on a connection whose statements are done when they return. Nothing
comes between the statements of a work, not even a cancellation.

Writes that come while another one is under way share the next transaction: a commit costs a flush of the disk, whatever it has.
Reads that come meanwhile share the next turn.
"""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, cast

import aiosqlite

from banlistd.adapters.storage.database_schema import Work

_T = TypeVar("_T")

_AT_ONCE = 1 << 20
"""Octets of a blob that are copied at once: little beside the 64 MB that a list may cost the daemon."""

_TOGETHER = 32
"""Works in one transaction or turn, so that others wait some milliseconds at most."""

_LONGEST = 0.03
"""Seconds after which a turn takes no further work. SQLite gives the interpreter away with each statement: beside threads that
plan and read the firewall 32 works took up to 0.3 s instead of 8 ms, for which `banlistctl status` waited (measured).
"""


class _Ending(asyncio.Future[_T]):
    """Ends when its work does. A task that is cancelled while it waits has the cancellation then, and not before.

    `asyncio.shield` does the same with a future and two turns of the event loop more.
    """

    def cancel(self, msg: Any = None) -> bool:
        return False

    def give_up(self) -> None:
        super().cancel()


_Waiting = tuple[Work[Any], _Ending[Any]]


class WorkQueue:
    """Works that wait at the same time are carried out together. `carry_out`: does a work, which has ended when it returns."""

    def __init__(self, carry_out: Callable[[Work[Any]], Awaitable[Any]]) -> None:
        self._carry_out = carry_out
        self._waiting: list[_Waiting] = []
        self._alone: list[_Waiting] = []
        self._group: list[_Waiting] = []
        self._turn: asyncio.Task[list[Any]] | None = None

    async def do(self, work: Work[_T]) -> _T:
        """The result of `work`, once it has ended, alone or with others. An error of one does not concern the others.

        A work that was submitted is carried out, even if the caller is cancelled meanwhile; the cancellation is passed on then.
        """
        future: _Ending[_T] = _Ending()
        self._waiting.append((work, future))
        if self._turn is None:
            self._begin()
        return await future

    def _begin(self) -> None:
        self._turn = asyncio.ensure_future(self._results())
        self._turn.add_done_callback(self._end)

    async def _results(self) -> list[Any]:
        """Those of the next works, which have a turn together; where that takes long, of the first of them."""
        # Only now: what was submitted in the same turn of the event loop shares it.
        waiting, most = (self._alone, 1) if self._alone else (self._waiting, _TOGETHER)
        self._group = waiting[:most]
        del waiting[:most]
        works = [work for work, _ in self._group]
        return [await self._carry_out(works[0])] if len(works) == 1 else await self._carry_out(partial(_all_of, works))

    def _end(self, turn: asyncio.Task[list[Any]]) -> None:
        group, self._group, self._turn = self._group, [], None
        if turn.cancelled():  # the event loop ends
            group += self._alone + self._waiting
            self._alone, self._waiting = [], []
            for _, future in group:
                future.give_up()
        elif (error := turn.exception()) is None:
            results = turn.result()
            self._waiting[:0] = group[len(results) :]  # there was no time for these
            for (_, future), result in zip(group, results, strict=False):
                future.set_result(result)
        elif len(group) == 1:
            group[0][1].set_exception(error)
        else:
            self._alone = group
        if self._alone or self._waiting:
            self._begin()


async def _all_of(works: Sequence[Work[Any]], connection: aiosqlite.Connection) -> list[Any]:
    """The results of the first of them, at least of one."""
    results, end = [], time.monotonic() + _LONGEST
    for work in works:
        results.append(await work(connection))
        if time.monotonic() > end:
            break
    return results


async def to_the_end(future: asyncio.Future[_T]) -> _T:
    """Wait for what was begun even when we are cancelled meanwhile; the cancellation is passed on afterwards."""
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # seen: it must not be reported as never retrieved
        raise


class _Direct:
    """The part of `aiosqlite.Connection` that works use."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    async def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, parameters)

    async def executemany(self, statement: str, parameters: Iterable[Any]) -> sqlite3.Cursor:
        return self._connection.executemany(statement, parameters)

    def create_function(self, name: str, arguments: int, function: Callable[..., Any]) -> None:
        self._connection.create_function(name, arguments, function)

    def blob(self, table: str, column: str, row: int) -> sqlite3.Blob:
        return self._connection.blobopen(table, column, row)

    async def execute_fetchall(self, statement: str, parameters: Any = ()) -> list[Any]:
        return self._connection.execute(statement, parameters).fetchall()


def write_blob(connection: aiosqlite.Connection, table: str, column: str, row: int, content: bytes) -> None:
    """In a work: fill a blob of zeros, the last column of its row. Of a parameter SQLite makes two copies before it writes."""
    with cast("_Direct", connection).blob(table, column, row) as blob:
        view = memoryview(content)
        for start in range(0, len(view), _AT_ONCE):
            blob.write(view[start : start + _AT_ONCE])


async def in_one_turn(connection: aiosqlite.Connection, work: Work[_T]) -> _T:
    """The result of a work, which awaits nothing but statements. Raises what it raises."""
    # The only way to that thread.
    result: _T = await connection._execute(_driven, connection, work)  # type: ignore[no-untyped-call]  # noqa: SLF001
    return result


def _driven(connection: aiosqlite.Connection, work: Work[_T]) -> _T:
    direct = cast("aiosqlite.Connection", _Direct(connection._conn))  # noqa: SLF001 - as above
    steps = work(direct).__await__()
    try:
        next(steps)
    except StopIteration as done:
        result: _T = done.value
        return result
    steps.close()  # here: it rolls back, which no other thread may do
    raise RuntimeError("a work of the database waits for something else than a statement")
