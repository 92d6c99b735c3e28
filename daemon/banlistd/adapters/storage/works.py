"""The way of works, functions that await nothing but statements, to SQLite's thread.

aiosqlite takes a turn of that thread for each statement, and two switches between threads cost more than the statement. So a
whole work takes one turn: it is driven in that thread, on a connection whose statements are done when they return. Nothing
comes between the statements of a work, not even a cancellation.

Writes that come while another one is under way share the next transaction: a commit costs a flush of the disk, whatever it has.
Reads that come meanwhile share the next turn.
"""

import asyncio
import sqlite3
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

_Waiting = tuple[Work[Any], asyncio.Future[Any]]


class WorkQueue:
    """Works that wait at the same time are carried out together. `carry_out`: does a work, which has ended when it returns."""

    def __init__(self, carry_out: Callable[[Work[Any]], Awaitable[Any]]) -> None:
        self._carry_out = carry_out
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def do(self, work: Work[_T]) -> _T:
        """The result of `work`, once it has ended, alone or with others. An error of one does not concern the others.

        A work that was submitted is carried out, even if the caller is cancelled meanwhile; the cancellation is passed on then.
        """
        future: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.ensure_future(self._work())
        return await to_the_end(future)

    async def _work(self) -> None:
        group: Sequence[_Waiting] = ()
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
                if not await self._succeed_together(group):
                    for work, future in group:
                        _pass_on(await self._ended(work), future)
        finally:
            # After a cancellation only: the event loop ends.
            for _, future in (*group, *self._waiting):
                future.cancel()

    async def _succeed_together(self, group: Sequence[_Waiting]) -> bool:
        if len(group) == 1:
            return False
        together = await self._ended(partial(_all_of, [work for work, _ in group]))
        if together.cancelled() or together.exception() is not None:
            return False
        for (_, future), result in zip(group, together.result(), strict=True):
            future.set_result(result)
        return True

    async def _ended(self, work: Work[Any]) -> asyncio.Future[Any]:
        """A work that has ended, with its result or its error."""
        task = asyncio.ensure_future(self._carry_out(work))
        await asyncio.wait([task])
        return task


def _pass_on(ended: asyncio.Future[Any], future: asyncio.Future[Any]) -> None:
    if ended.cancelled():
        future.cancel()
    elif error := ended.exception():
        future.set_exception(error)
    else:
        future.set_result(ended.result())


async def _all_of(works: Sequence[Work[Any]], connection: aiosqlite.Connection) -> list[Any]:
    return [await work(connection) for work in works]


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
