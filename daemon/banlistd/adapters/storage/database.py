"""The state on SQLite, and the one way to write it. Repositories bring functions, never BEGIN.

What the disk does to us ends here. A file that cannot be written is left as it is, and the state goes on in memory until
it can; a damaged file is moved aside; a file that was deleted is made again.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite

from banlistd.adapters.storage.database_file import (
    Companions,
    Identity,
    close,
    companions_of,
    copy_into,
    forget,
    identity_of,
    open_file,
    open_memory,
    set_aside,
)
from banlistd.adapters.storage.database_schema import Work, transaction
from banlistd.adapters.storage.works import WorkQueue, in_one_turn, to_the_end
from banlistd.errors import LedgerError, NewerLedgerError

# How long a writer waits for another process that locks the file, and how long between two tries. A backup takes less.
_PATIENCE = 5.0
_PAUSE = 0.05

_HINTS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the file system or the file is read-only",
    "SQLITE_CANTOPEN": "does the state directory exist, and is it ours?",
    "SQLITE_IOERR": "the disk does not work: see journalctl -k",
    "SQLITE_BUSY": "another process holds the database",
    "SQLITE_NOTADB": "the file is not a database",
    "SQLITE_CORRUPT": "the file is damaged",
}
_DAMAGE = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})
_OF_THE_DISK = frozenset({"SQLITE_FULL", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR"}) | _DAMAGE
_GONE = "the database, or its journal, was deleted or replaced while it was open"

_T = TypeVar("_T")


class Database:
    """The Storage of `ports`. One connection, one transaction at a time: statements of two coroutines would land in one.

    `path` None: in memory for good.
    """

    def __init__(self, path: Path | None, connection: aiosqlite.Connection) -> None:
        """On an open connection: to the file `path`, or to memory. `on_file` and `in_memory` open one."""
        self._path = path
        self._connection = connection
        self._identity: Identity | None = None
        self._companions: Companions = {}
        self._lock = asyncio.Lock()
        self._fault = ""
        self.successors = 0
        """How often another file, or memory, has taken over: what was known of the rows is to be read again then."""
        # Whether the state in memory is that of the file and what has come since.
        self._continues = False
        self._is_unread = False
        self._faults: asyncio.Queue[str] = asyncio.Queue()
        self._reads = WorkQueue(self._carry_out)
        self._writes = WorkQueue(lambda work: self._carry_out(_enclosed("BEGIN IMMEDIATE", work)))

    @classmethod
    async def on_file(cls, path: Path, scratch: Path | None = None) -> Self:
        """Open the file. Raises LedgerError for one that must not be touched; after any other fault the state is in memory.

        `scratch`: a folder that can be written even if the file's cannot.
        """
        replaced: list[str] = []
        try:
            database = cls(path, await _open_in_time(path, replaced.append))
        except (sqlite3.Error, OSError, NewerLedgerError) as error:
            newer = isinstance(error, NewerLedgerError)
            memory, whole = await open_memory(None if newer else path, scratch, is_checked=True)
            database = cls(path, memory)
            database._continues = whole and not newer
            database._is_unread = not database._continues
            replaced.append(words_of(error) + ("" if whole else "; what the file has cannot be read"))
            database._fault = replaced[-1]
        else:
            database._use(database._connection)
        for fault in replaced:
            database._faults.put_nowait(fault)
        return database

    @classmethod
    async def in_memory(cls, original: Path | None = None, scratch: Path | None = None) -> Self:
        """In memory for good. `original`: the file that the state is copied from; it may be absent. Raises LedgerError where it
        cannot be read.
        """
        memory, whole = await open_memory(original, scratch)
        if not whole:
            await close(memory)
            raise LedgerError(f"{original} cannot be read, nor a copy of it", "ls -l, journalctl -k and df say why")
        return cls(None, memory)

    @property
    def fault(self) -> str:
        return self._fault

    @property
    def is_unread(self) -> bool:
        return self._is_unread

    async def wait_for_fault(self) -> str:
        return await self._faults.get()

    async def try_recover(self) -> bool:
        async def try_recover() -> bool:
            async with self._lock:
                return not self._fault or await self._is_back_on_file()

        return await to_the_end(asyncio.ensure_future(try_recover()))

    async def write(self, work: Work[_T]) -> _T:
        """Run `work` in one `BEGIN IMMEDIATE ... COMMIT`; roll back on any error. Where the disk fails, run it again in memory.

        Works that wait at the same time share a transaction; if that fails, each is run again in one of its own. All of it is
        shielded from cancellation: a cancelled COMMIT may have happened or not, an uncancelled one is known.
        """
        return await self._writes.do(work)

    async def read(self, work: Work[_T]) -> _T:
        """Run `work` on one consistent state."""
        return await self._reads.do(_enclosed("BEGIN", work))

    async def run(self, statement: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
        """The rows that one statement gives. It is a transaction of its own."""

        async def work(connection: aiosqlite.Connection) -> list[Any]:
            return list(await connection.execute_fetchall(statement, parameters))

        return await self._reads.do(work)

    async def close(self) -> None:
        await close(self._connection)

    async def _carry_out(self, work: Work[_T]) -> _T:
        clock = asyncio.get_running_loop().time
        deadline = clock() + _PATIENCE
        while True:
            async with self._lock:
                if self._is_gone():
                    await self._step_aside(_GONE, damaged=False)
                try:
                    return await in_one_turn(self._connection, work)
                except sqlite3.Error as error:
                    code = _code_of(error)
                    if code in _OF_THE_DISK and self._path is not None and not self._fault:
                        await self._step_aside(words_of(error), damaged=code in _DAMAGE)
                    elif code != "SQLITE_BUSY" or clock() > deadline:
                        raise LedgerError(words_of(error), _HINTS.get(code, "")) from error
            await asyncio.sleep(_PAUSE)

    def _is_gone(self) -> bool:
        """Also where the journal has no name any more: what is in it alone would be lost at a power cut."""
        if self._path is None or self._fault:
            return False
        if identity_of(self._path) != self._identity:
            return True
        return any(found is not None and identity_of(file) != found for file, found in self._companions.items())

    async def _step_aside(self, words: str, *, damaged: bool) -> None:
        """Go on in memory. A file that is damaged or gone is replaced at once, if the disk takes a new one."""
        broken = self._connection
        memory, _ = await open_memory()
        self._continues = False
        # A copy of a damaged file would be damaged; one that another file has replaced is not wanted any more.
        if not damaged and (self._is_current() or not self._exists()):
            with suppress(sqlite3.Error):
                await copy_into(broken, memory)
                self._continues = True
        await close(broken)
        if words == _GONE:
            await asyncio.to_thread(forget, self._companions)
        self._step_into(memory, words)
        if damaged or words == _GONE:
            await self._is_back_on_file(damaged=damaged)

    async def _is_back_on_file(self, *, damaged: bool = False) -> bool:
        """Put the state back on its file; False where the disk does not take it yet."""
        if self._path is None:
            return True
        try:
            if damaged and self._exists():
                await asyncio.to_thread(set_aside, self._path)
            known = self._exists() and not self._continues
            file = await _open_or_replace(self._path, self._faults.put_nowait)
            try:
                if not known:
                    await copy_into(self._connection, file)
            except sqlite3.Error:
                await close(file)
                raise
        except (sqlite3.Error, OSError, LedgerError) as error:
            self._fault = words_of(error)
            return False
        await close(self._connection)
        self._use(file)
        return True

    def _use(self, file: aiosqlite.Connection) -> None:
        self.successors += 1
        self._connection, self._fault, self._is_unread = file, "", False
        if self._path is not None:
            self._identity, self._companions = identity_of(self._path), companions_of(self._path)

    def _step_into(self, memory: aiosqlite.Connection, words: str) -> None:
        self.successors += 1
        self._connection, self._fault = memory, words
        self._faults.put_nowait(words)

    def _exists(self) -> bool:
        return self._path is not None and identity_of(self._path) is not None

    def _is_current(self) -> bool:
        return self._path is not None and identity_of(self._path) == self._identity


@asynccontextmanager
async def open_database(path: Path, scratch: Path | None = None) -> AsyncIterator[Database]:
    """The state on its file, which is made if absent and brought up to date. Raises LedgerError."""
    database = await to_the_end(asyncio.ensure_future(Database.on_file(path, scratch)))
    try:
        yield database
    finally:
        await to_the_end(asyncio.ensure_future(database.close()))


@asynccontextmanager
async def open_copy(path: Path, scratch: Path | None = None) -> AsyncIterator[Database]:
    """The same state in memory: nothing that is written reaches the file, which is only read, and may be absent."""
    database = await to_the_end(asyncio.ensure_future(Database.in_memory(path, scratch)))
    try:
        yield database
    finally:
        await to_the_end(asyncio.ensure_future(database.close()))


async def _open_in_time(path: Path, report: Callable[[str], None]) -> aiosqlite.Connection:
    """As `_open_or_replace`; waits up to `_PATIENCE` for another process that uses the file."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + _PATIENCE
    while True:
        try:
            return await _open_or_replace(path, report)
        except sqlite3.Error as error:
            if _code_of(error) != "SQLITE_BUSY" or clock() > deadline:
                raise
        await asyncio.sleep(_PAUSE)


async def _open_or_replace(path: Path, report: Callable[[str], None]) -> aiosqlite.Connection:
    """The file, opened; a damaged one is moved aside and reported, and a new one is begun."""
    try:
        return await open_file(path)
    except sqlite3.Error as error:
        if _code_of(error) not in _DAMAGE:
            raise
        await asyncio.to_thread(set_aside, path)
        report(f"{words_of(error)}; it was moved aside, and a new one begun")
        return await open_file(path)


def _enclosed(begin: str, work: Work[_T]) -> Work[_T]:
    """The same in a transaction."""

    async def enclosed(connection: aiosqlite.Connection) -> _T:
        return await transaction(connection, begin, work)

    return enclosed


def words_of(error: Exception) -> str:
    """What went wrong, for a person."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorname", type(error).__name__)
        return f"the database says {code}: {error}"
    if isinstance(error, OSError):
        return f"the database cannot be opened: {error.strerror}"
    return str(error)


def _code_of(error: sqlite3.Error) -> str:
    """The primary code: SQLITE_IOERR for SQLITE_IOERR_WRITE."""
    return "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
