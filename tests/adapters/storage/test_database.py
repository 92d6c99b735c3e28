"""The one way to write, on a real file."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiosqlite
import pytest

from banlistd.adapters.storage.database import Database, open_copy, open_database
from banlistd.adapters.storage.database_schema import APPLICATION_ID, migrations
from banlistd.errors import LedgerError

INSERT = "INSERT INTO sources VALUES (?, ?)"


def with_database(path: Path, use: Callable[[Database], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(path) as database:
            await use(database)

    asyncio.run(run())


def rows(path: Path, query: str = "SELECT source_id FROM sources ORDER BY mark") -> list[object]:
    connection = sqlite3.connect(path)
    try:
        return [row[0] for row in connection.execute(query)]
    finally:
        connection.close()


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_migration_runs_from_every_version_before_it(tmp_path: Path) -> None:
    steps = migrations()
    for version in range(len(steps)):
        path = tmp_path / f"{version}.db"
        connection = sqlite3.connect(path)
        for number, script in steps[:version]:
            connection.executescript(f"{script}; PRAGMA user_version = {number}")
        connection.close()

        async def nothing(_: Database) -> None: ...

        with_database(path, nothing)
        assert rows(path, "PRAGMA user_version") == [len(steps)]
        assert rows(path, "PRAGMA application_id") == [APPLICATION_ID]
        assert path.with_name(f"{version}.db.v{version}").exists() is (version > 0)


def test_the_file_is_written_ahead_and_synchronised(tmp_path: Path) -> None:
    async def look(database: Database) -> None:
        async def settings(connection: aiosqlite.Connection) -> list[object]:
            names = ("journal_mode", "synchronous", "foreign_keys")
            return [row[0] for name in names for row in await connection.execute_fetchall(f"PRAGMA {name}")]

        assert await database.read(settings) == ["wal", 2, 1]

    with_database(tmp_path / "db", look)


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(INSERT, ("a", 1))
            await connection.execute(INSERT, ("a", 2))

        with pytest.raises(LedgerError, match="SQLITE_CONSTRAINT"):
            await database.write(work)

        async def good(connection: aiosqlite.Connection) -> None:
            await connection.execute(INSERT, ("b", 1))

        await database.write(good)

    with_database(tmp_path / "db", use)
    assert rows(tmp_path / "db") == ["b"]


def test_a_cancelled_transaction_is_finished_before_the_cancellation_goes_on(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        begun, go_on = threading.Event(), threading.Event()

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(INSERT, ("a", 1))
            begun.set()
            go_on.wait()
            await connection.execute(INSERT, ("b", 2))

        task = asyncio.ensure_future(database.write(work))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    with_database(tmp_path / "db", use)
    assert rows(tmp_path / "db") == ["a", "b"]


def test_statements_of_two_coroutines_never_share_a_transaction(tmp_path: Path) -> None:
    async def use(database: Database) -> None:
        inside, go_on = threading.Event(), threading.Event()

        async def failing(connection: aiosqlite.Connection) -> None:
            await connection.execute(INSERT, ("lost", 1))
            inside.set()
            go_on.wait()
            await connection.execute("SELECT * FROM nowhere")

        async def good(connection: aiosqlite.Connection) -> None:
            await connection.execute(INSERT, ("kept", 2))

        first = asyncio.ensure_future(database.write(failing))
        await asyncio.to_thread(inside.wait)
        second = asyncio.ensure_future(database.write(good))
        await asyncio.sleep(0)
        go_on.set()
        await second
        with pytest.raises(LedgerError):
            await first

    with_database(tmp_path / "db", use)
    assert rows(tmp_path / "db") == ["kept"]


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA application_id = 7")
    connection.close()

    async def nothing(_: Database) -> None: ...

    with pytest.raises(LedgerError, match="another program"):
        with_database(path, nothing)


def test_a_copy_knows_the_same_and_writes_nothing_back(tmp_path: Path) -> None:
    path = tmp_path / "db"

    async def one(connection: aiosqlite.Connection) -> None:
        await connection.execute(INSERT, ("a", 1))

    async def fill(database: Database) -> None:
        await database.write(one)

    with_database(path, fill)

    async def dry_run() -> None:
        async with open_copy(path) as copy:

            async def two(connection: aiosqlite.Connection) -> int:
                await connection.execute(INSERT, ("b", 2))
                return len(list(await connection.execute_fetchall("SELECT * FROM sources")))

            assert await copy.write(two) == 2

    asyncio.run(dry_run())
    assert rows(path) == ["a"]


def test_a_copy_of_nothing_is_empty(tmp_path: Path) -> None:
    async def dry_run() -> None:
        async with open_copy(tmp_path / "absent") as copy:

            async def count(connection: aiosqlite.Connection) -> int:
                return len(list(await connection.execute_fetchall("SELECT * FROM sources")))

            assert await copy.read(count) == 0

    asyncio.run(dry_run())
    assert not (tmp_path / "absent").exists()
