"""The SQLite file itself: opened with its settings, checked after an unclean stop, moved aside where it is damaged, copied.

Durability: WAL with synchronous=FULL lost 0 acknowledged commits over 60 power cuts on ext4 and xfs; every cheaper setting
lost some (measured). What SQLite says comes out as it is; `database` knows what it means.
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from urllib.parse import quote

import aiosqlite

from banlistd.adapters.storage.database_schema import migrate, transaction
from banlistd.adapters.storage.state_files import act_as_owner, give_to_owner, is_there, refuse_unsafe_files
from banlistd.errors import LedgerError

_SETTINGS = (
    "PRAGMA busy_timeout = 100",  # the patience is in `Database`, which lets others read meanwhile
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 0",
    "PRAGMA journal_size_limit = 4194304",
)

Identity = tuple[int, int]
"""Device and inode."""

Companions = Mapping[Path, Identity | None]

# SQLite keeps these beside the file; each is a part of it.
_COMPANIONS = ("-wal", "-shm")

# Of a copy onto a file that another process locks; each try waits a quarter of a second.
_MAX_TRIES = 20


async def open_file(path: Path) -> aiosqlite.Connection:
    """Open the file, make it if absent, bring its schema up to date, and prove that it takes a write.

    Raises sqlite3.Error, OSError, or LedgerError for a file that must not be used.
    """
    await asyncio.to_thread(_make_ready, path)
    # A clean stop leaves no journal: quick_check (0.2 s for 19 MB, measured) is for what a crash may have left.
    unclean = await asyncio.to_thread(_has_journal, path)
    async with AsyncExitStack() as stack:
        connection = await _connect_as_owner(path)
        stack.push_async_callback(close, connection)
        for setting in _SETTINGS:
            await connection.execute(setting)
        await _refuse_without_journal(connection, path)
        if unclean:
            await _check(connection)
        await migrate(connection, path)
        await transaction(connection, "BEGIN IMMEDIATE", _touch)
        stack.pop_all()
    return connection


async def open_memory(
    original: Path | None = None, scratch: Path | None = None, *, is_checked: bool = False
) -> tuple[aiosqlite.Connection, bool]:
    """A database in memory with what can be read of a file; whether that was all of it (an absent file has nothing).

    `scratch`: a folder for a passing copy, where the file lies on a disk that cannot be written. `is_checked`: a copy that is
    damaged is none.
    """
    async with AsyncExitStack() as stack:
        memory = await connect(":memory:")
        stack.push_async_callback(close, memory)
        whole = original is None or await _is_read(original, memory, scratch)
        if whole and is_checked:
            whole = await _is_sound(memory)
        if not whole:
            await close(memory)  # what it has may be a part of the file
            memory = await connect(":memory:")
            stack.push_async_callback(close, memory)
        await migrate(memory, None, original)
        stack.pop_all()
    return memory, whole


async def connect(path: str) -> aiosqlite.Connection:
    return await aiosqlite.connect(path, isolation_level=None)


async def _connect_as_owner(path: Path, mode: str = "rwc") -> aiosqlite.Connection:
    """SQLite, in a thread that works on files as the owner of their folder. `mode`: as in SQLite's URIs."""

    def connector() -> sqlite3.Connection:
        act_as_owner(path.parent)
        return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", isolation_level=None, uri=True)

    return await aiosqlite.Connection(connector, iter_chunk_size=64)


def _make_ready(path: Path) -> None:
    files = _files_of(path)
    refuse_unsafe_files(files)
    give_to_owner(files)


def _files_of(path: Path) -> list[Path]:
    """All that SQLite opens when it opens the file: it looks for a rollback journal in every journal mode."""
    return [path, *(path.with_name(path.name + companion) for companion in (*_COMPANIONS, "-journal"))]


async def close(connection: aiosqlite.Connection) -> None:
    """An unclosed connection keeps a thread, and with it the process, alive for ever. A disk that is gone is no reason."""
    with suppress(sqlite3.Error):
        await connection.close()


async def copy_into(source: aiosqlite.Connection, target: aiosqlite.Connection) -> None:
    """All of `source` over all of `target`, in one transaction. Raises sqlite3.Error."""
    tries = 0

    def give_up(_: int, __: int, ___: int) -> None:
        nonlocal tries
        tries += 1
        if tries > _MAX_TRIES:
            raise sqlite3.OperationalError("the file is held by another process")

    await source.backup(target, progress=give_up)


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way; returns where it is now. Raises OSError."""
    aside = path.with_name(f"{path.name}.corrupt-{int(path.stat().st_mtime)}")
    for companion in _COMPANIONS:
        with suppress(FileNotFoundError):
            path.with_name(path.name + companion).replace(aside.with_name(aside.name + companion))
    path.replace(aside)
    return aside


def companions_of(path: Path) -> Companions:
    return {name: identity_of(name) for name in (path.with_name(path.name + companion) for companion in _COMPANIONS)}


def forget(companions: Companions) -> None:
    """Delete what a file that has been replaced left: its journal would be played into the new one."""
    for path, identity in companions.items():
        if identity is not None and identity_of(path) == identity:
            with suppress(OSError):
                path.unlink()


def identity_of(path: Path) -> Identity | None:
    """The identity of the file that has this name now; None where none has. A link in its place is another file."""
    try:
        found = os.lstat(path)  # each turn of the database asks
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _has_journal(path: Path) -> bool:
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


async def _refuse_without_journal(connection: aiosqlite.Connection, path: Path) -> None:
    ((mode,),) = await connection.execute_fetchall("PRAGMA journal_mode")
    if mode != "wal":
        raise LedgerError(f"{path} cannot be written ahead (journal mode {mode})", "keep the state on a local file system")


async def _check(connection: aiosqlite.Connection) -> None:
    rows = list(await connection.execute_fetchall("PRAGMA quick_check(1)"))
    if rows[0][0] != "ok":
        damage = sqlite3.DatabaseError(str(rows[0][0]).replace("\n", " "))
        damage.sqlite_errorname = "SQLITE_CORRUPT"
        raise damage


async def _is_sound(connection: aiosqlite.Connection) -> bool:
    try:
        await _check(connection)
    except sqlite3.Error:
        return False
    return True


async def _touch(connection: aiosqlite.Connection) -> None:
    """On a disk that is full or read-only BEGIN IMMEDIATE succeeds (measured); a write does not."""
    (version,) = await connection.execute_fetchall("PRAGMA user_version")
    await connection.execute(f"PRAGMA user_version = {int(version[0])}")


async def _is_read(original: Path, memory: aiosqlite.Connection, scratch: Path | None) -> bool:
    """Copy a file into memory, as far as it can be read. Raises LedgerError for what must not be used."""
    await asyncio.to_thread(refuse_unsafe_files, _files_of(original))
    if not await asyncio.to_thread(is_there, original):
        return True
    with suppress(sqlite3.Error):
        await _read_into(memory, await _connect_as_owner(original, "ro"))
        return True
    # Where no -shm can be made beside it, SQLite does not even read: so read it from elsewhere.
    with suppress(sqlite3.Error, OSError), tempfile.TemporaryDirectory(dir=scratch) as folder:
        copy = Path(folder) / original.name
        await asyncio.to_thread(_copy_files, original, copy)
        await _read_into(memory, await connect(str(copy)))
        return True
    return False


async def _read_into(memory: aiosqlite.Connection, file: aiosqlite.Connection) -> None:
    try:
        await copy_into(file, memory)
    finally:
        await close(file)


def _copy_files(original: Path, copy: Path) -> None:
    shutil.copyfile(original, copy)
    with suppress(FileNotFoundError):
        shutil.copyfile(original.with_name(f"{original.name}-wal"), copy.with_name(f"{copy.name}-wal"))
