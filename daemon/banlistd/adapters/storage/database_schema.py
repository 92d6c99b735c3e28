"""The schema of the SQLite file: numbered SQL files. All that are new run in one transaction that also sets `user_version`: a
database is as its last program left it, or as the present one wants it.
"""

import asyncio
import importlib.resources
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import aiosqlite

from banlistd.errors import LedgerError, NewerLedgerError

APPLICATION_ID = 0x424C_4431  # "BLD1": `file` and we recognise the database

_T = TypeVar("_T")
Work = Callable[[aiosqlite.Connection], Awaitable[_T]]


def migrations() -> list[tuple[int, str]]:
    """The numbered SQL files that ship with the package, in order."""
    folder = importlib.resources.files("banlistd") / "migrations"
    files = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(int(name.split("_")[0]), file.read_text(encoding="utf-8")) for name, file in files]


async def migrate(connection: aiosqlite.Connection, path: Path | None, original: Path | None = None) -> None:
    """Bring the schema up to date; before an upgrade a copy is left beside the file at `path`. `original`: what a database in
    memory is a copy of.

    Raises NewerLedgerError, and LedgerError for a file of another program; then nothing was written.
    """
    steps, file = migrations(), path or original
    newest = steps[-1][0]
    version = await _pragma(connection, "user_version")
    application = await _pragma(connection, "application_id")
    if application not in {0, APPLICATION_ID}:
        raise LedgerError(f"{file} is another program's database", "choose another state directory")
    if version > newest:
        raise NewerLedgerError(
            f"{file} has schema {version}, this program knows {newest}",
            "install the newer banlistd again, or restore the copy that the upgrade left beside it",
        )
    if 0 < version < newest and path is not None:
        await _leave_copy(connection, path.with_name(f"{path.name}.v{version}"))
    if version < newest:
        scripts = [script for number, script in steps if number > version]
        await transaction(connection, "BEGIN IMMEDIATE", _upgrade(scripts, newest))


async def transaction(connection: aiosqlite.Connection, begin: str, work: Work[_T]) -> _T:
    """`work` between `begin` and COMMIT, rolled back on any error."""
    await connection.execute(begin)
    try:
        result = await work(connection)
        await connection.execute("COMMIT")
        return result
    finally:
        # After an error. SQLITE_FULL has rolled back by itself; on a disk that is gone nothing can be.
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                await connection.execute("ROLLBACK")


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    rows = list(await connection.execute_fetchall(f"PRAGMA {name}"))
    return int(rows[0][0])


def _upgrade(scripts: Sequence[str], newest: int) -> Work[None]:
    async def run(connection: aiosqlite.Connection) -> None:
        for script in scripts:
            for statement in _statements(script):
                await connection.execute(statement)
        await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        await connection.execute(f"PRAGMA user_version = {newest}")

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
    try:
        await connection.execute("VACUUM INTO ?", (str(copy),))
    except sqlite3.Error:
        # SQLite leaves what it has written: half a copy, and no room on the disk for anything else.
        for file in (copy, copy.with_name(f"{copy.name}-journal")):
            with suppress(OSError):
                await asyncio.to_thread(file.unlink, missing_ok=True)
        raise
