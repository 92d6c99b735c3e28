"""What a disk does to the database, and what becomes of the state: it is never lost, and always back on the disk in the end."""

import asyncio
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import aiosqlite
import pytest

from banlistd.adapters.storage.database import Database, open_copy, open_database
from banlistd.adapters.storage.database_file import open_file
from banlistd.errors import LedgerError
from support.disk import Disk

DatabaseLife = Callable[[Database], Awaitable[None]]


def run(path: Path, *lives: DatabaseLife, scratch: Path | None = None) -> None:
    async def run() -> None:
        async with open_database(path, scratch) as database:
            for life in lives:
                await life(database)

    asyncio.run(run())


def put(name: str, mark: int) -> DatabaseLife:
    async def work(connection: aiosqlite.Connection) -> None:
        await connection.execute("INSERT INTO sources VALUES (?, ?)", (name, mark))

    return lambda database: database.write(work)


def put_much(number: int = 0) -> DatabaseLife:
    """More than a page that may happen to be left."""

    async def work(connection: aiosqlite.Connection) -> None:
        await connection.execute("INSERT INTO snapshots VALUES ('large', ?, zeroblob(1000000))", (f"{number:064d}",))

    return lambda database: database.write(work)


async def names(database: Database) -> list[str]:
    async def work(connection: aiosqlite.Connection) -> list[str]:
        return [row[0] for row in await connection.execute_fetchall("SELECT source_id FROM sources ORDER BY mark")]

    return await database.read(work)


def holds(*wanted: str) -> DatabaseLife:
    async def look(database: Database) -> None:
        assert await names(database) == [*wanted]

    return look


def is_sound(database: Database) -> Awaitable[None]:
    return _look(database, "")


def fails_with(words: str) -> DatabaseLife:
    return lambda database: _look(database, words)


async def _look(database: Database, words: str) -> None:
    assert words in database.fault
    assert bool(words) == bool(database.fault)


def on_the_disk(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute("SELECT source_id FROM sources ORDER BY mark")]


def then(act: Callable[[], object]) -> DatabaseLife:
    async def life(_: Database) -> None:
        await asyncio.to_thread(act)

    return life


async def mends(database: Database) -> None:
    assert await database.try_recover()
    assert not database.fault


async def does_not_mend(database: Database) -> None:
    assert not await database.try_recover()
    assert database.fault


async def tells(database: Database) -> None:
    async with asyncio.timeout(60):
        assert await database.wait_for_fault()


def test_a_disk_that_fills_up_is_gone_around_and_has_everything_once_there_is_room(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        path = disk.place / "db"
        run(
            path,
            put("before", 1),
            then(disk.fill),
            put_much(),
            fails_with("SQLITE_FULL"),
            tells,
            put("during", 2),
            holds("before", "during"),
            does_not_mend,
            then(disk.free),
            mends,
            put("after", 3),
            is_sound,
        )
        assert on_the_disk(path) == ["before", "during", "after"]


def test_a_start_on_a_full_disk_knows_what_was_written_before(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        path = disk.place / "db"
        run(path, put("before", 1))
        disk.fill()
        run(
            path,
            fails_with("SQLITE_"),
            holds("before"),
            put("during", 2),
            then(disk.free),
            mends,
            holds("before", "during"),
            scratch=tmp_path,
        )
        assert on_the_disk(path) == ["before", "during"]


@pytest.mark.parametrize("clean", [True, False], ids=["after a clean stop", "after a crash"])
def test_a_start_on_a_read_only_disk_knows_what_was_written_before(tmp_path: Path, *, clean: bool) -> None:
    with Disk(tmp_path / "disk") as disk:
        path, left = disk.place / "db", tmp_path / "left"
        left.mkdir()

        def crash() -> None:
            for file in disk.place.glob("db*"):
                shutil.copy(file, left)

        run(path, put("before", 1), then(crash))
        if not clean:
            for file in left.iterdir():
                shutil.copy(file, disk.place)
            (disk.place / "db-shm").unlink()
        disk.remount("ro")
        run(
            path,
            fails_with("SQLITE_"),
            holds("before"),
            put("during", 2),
            does_not_mend,
            holds("before", "during"),
            scratch=tmp_path,
        )
        disk.remount("rw")
        run(path, is_sound, holds("before"))


def test_a_disk_that_turns_read_only_is_gone_around(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        run(
            disk.place / "db",
            put("before", 1),
            then(disk.abort),
            put("during", 2),
            fails_with("SQLITE_"),
            tells,
            holds("before", "during"),
            does_not_mend,
        )


def test_a_disk_that_dies_is_gone_around_and_its_file_is_taken_again_once_it_can_be_read(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        path = disk.place / "db"
        run(
            path,
            put("before", 1),
            then(disk.break_down),
            put("during", 2),
            fails_with("SQLITE_IOERR"),
            tells,
            holds("during"),
            does_not_mend,
            then(disk.remount),
            mends,
            holds("before"),
        )


def test_file_deleted_while_open_is_made_again_complete(tmp_path: Path) -> None:
    path = tmp_path / "db"

    def delete() -> None:
        for file in tmp_path.glob("db*"):
            file.unlink()

    run(path, put("before", 1), then(delete), put("after", 2), is_sound, tells, holds("before", "after"))
    assert on_the_disk(path) == ["before", "after"]


@pytest.mark.parametrize("companion", ["-wal", "-shm"])
def test_a_journal_deleted_while_open_costs_nothing_at_a_power_cut(tmp_path: Path, companion: str) -> None:
    path, at_the_cut = tmp_path / "db", tmp_path / "cut"

    def cut() -> None:
        shutil.copytree(path.parent, at_the_cut, ignore=lambda *_: ["cut"])

    delete = then(path.with_name(f"db{companion}").unlink)
    run(path, put("before", 1), delete, put("after", 2), is_sound, tells, holds("before", "after"), then(cut))
    assert on_the_disk(at_the_cut / "db") == ["before", "after"]


def test_an_upgrade_that_has_no_room_for_its_copy_leaves_the_room_as_it_was(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        path = disk.place / "db"
        for number in range(4):
            run(path, put_much(number))
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 1")
        disk.fill()
        os.truncate(disk.place / "filling", (disk.place / "filling").stat().st_size - 2_000_000)
        before = {file.name for file in disk.place.iterdir()}
        with pytest.raises(sqlite3.OperationalError, match="full"):
            asyncio.run(open_file(path))
        assert {file.name for file in disk.place.iterdir()} == before


def test_a_file_that_is_replaced_while_it_is_open_is_taken_as_it_is(tmp_path: Path) -> None:
    path, other = tmp_path / "db", tmp_path / "other"
    run(other, put("restored", 7))
    # The journal of the file before is still beside it; it must not be played into this one.
    run(path, put("before", 1), then(lambda: other.replace(path)), put("after", 8), is_sound, holds("restored", "after"))
    assert on_the_disk(path) == ["restored", "after"]


def spoil(path: Path, at: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "no database": lambda path: spoil(path, 0, b"not a database at all, but long enough to look at" * 9),
    "no header": lambda path: spoil(path, 0, bytes(100)),
    "no pages": lambda path: spoil(path, 4096, b"\xff" * (path.stat().st_size - 4096)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_moved_aside_whole_and_a_new_one_begun(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "db"
    run(path, put("lost", 1))
    DAMAGES[damage](path)
    before = path.read_bytes()
    run(path, put("after", 2), is_sound, tells, holds("after"))
    (aside,) = (file for file in tmp_path.glob("db.corrupt-*") if file.suffix.removeprefix(".corrupt-").isdecimal())
    assert aside.read_bytes() == before
    assert on_the_disk(path) == ["after"]


def test_damage_that_a_crash_left_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run(path, *(put(f"source-{number:04}" + "x" * 900, number + 1) for number in range(60)))
    # A leaf of the table that nothing reads at the start.
    spoil(path, path.stat().st_size - 3 * 4096, b"\xff" * 4096)
    path.with_name("db-wal").write_bytes(b"what a crash leaves")
    run(path, is_sound, tells, holds())
    assert [*tmp_path.glob("db.corrupt-*")]


def test_damage_that_shows_while_it_is_open_costs_what_was_in_it_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run(path, *(put(f"source-{number:04}" + "x" * 900, number + 1) for number in range(60)))
    spoil(path, 2 * 4096, b"\xff" * (path.stat().st_size - 2 * 4096))
    run(path, put("after", 100), is_sound, tells, holds("after"))
    assert on_the_disk(path) == ["after"]


def test_a_copy_of_what_cannot_be_read_is_refused_and_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "db"
    path.write_bytes(b"no database at all" * 1000)

    async def life() -> None:
        with pytest.raises(LedgerError, match="cannot be read"):
            async with open_copy(path):
                pytest.fail("it was read")

    threads = threading.active_count()
    asyncio.run(life())
    assert threading.active_count() == threads


def test_a_newer_file_is_left_alone_and_the_state_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "db"
    run(path, put("newer", 1))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    run(path, fails_with("schema 99"), tells, holds(), put("during", 1), holds("during"), does_not_mend)
    assert path.read_bytes() == before

    async def copy() -> None:
        async with open_copy(path):
            pytest.fail("it was read")

    with pytest.raises(LedgerError, match=rf"^{re.escape(str(path))} has schema 99, this program knows"):
        asyncio.run(copy())


def test_a_writer_waits_for_another_process_and_readers_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    path = tmp_path / "db"

    async def life(database: Database) -> None:
        await put("before", 1)(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writer = asyncio.ensure_future(put("waited", 2)(database))
            for _ in range(3):
                assert await names(database) == ["before"]
            assert not writer.done()
            other.execute("ROLLBACK")
            await writer
        assert not database.fault

    run(path, life, holds("before", "waited"))


def test_a_writer_that_waits_too_long_says_who_is_in_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banlistd.adapters.storage.database._PATIENCE", 0.0)
    path = tmp_path / "db"

    async def life(database: Database) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="another process holds"):
                await put("never", 1)(database)
        assert not database.fault

    run(path, life, holds())


def test_start_on_a_locked_file_goes_on_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banlistd.adapters.storage.database._PATIENCE", 0.0)
    path = tmp_path / "db"
    run(path, put("before", 1))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        run(
            path,
            fails_with("SQLITE_BUSY"),
            holds("before"),
            put("during", 2),
            does_not_mend,
            scratch=tmp_path,
        )


def test_power_cuts_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    kept: list[str] = []
    with Disk(tmp_path / "disk") as disk:
        path = disk.place / "db"
        for cut in range(5):

            async def write_until_the_cut(database: Database, cut: int = cut) -> None:
                for number in range(20):
                    name = f"cut-{cut}-{number}"
                    await put(name, len(kept) + 1)(database)
                    kept.append(name)
                disk.break_down()

            run(path, is_sound, holds(*kept), write_until_the_cut)
            disk.remount()
        assert on_the_disk(path) == kept
