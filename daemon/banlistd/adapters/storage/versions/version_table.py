"""The last contents of each list, on SQLite. The only file with queries on them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.content import Pending
from banlistd.core.feeds.versions.version import MOST_VERSIONS, HistoryBounds, Version
from banlistd.model import ImportRun, SourceId

# The longest that a configuration may have: tests/core/config/test_history.py compares them.
_LONGEST = 365 * 86_400.0

LARGE_FILE, TOO_LARGE_FILE = 256 * 2**20, 512 * 2**20
"""Octets of the database. Where the disk fails, all of it goes to memory, of which the unit allows 1 GB: a list keeps an eighth
of its history in a large database, and none in one that is too large.
"""

_NEWEST = "SELECT content_hash FROM versions WHERE source_id = ? AND came_at IS NOT NULL ORDER BY id DESC LIMIT 1"

# The one before is known to the ledger: by a run of before there was a history, or after a gap in it.
_BEGIN_WITH = """
    INSERT INTO versions (source_id, run_id, content_hash, entries, came_at)
    SELECT source_id, id, content_hash, entries, completed_at FROM import_runs
    WHERE source_id = ? AND content_hash = ? AND completed_at IS NOT NULL
"""

_ADD = "INSERT INTO versions (source_id, run_id, content_hash, entries, octets, delta) VALUES (?, ?, ?, ?, ?, ?)"

_ROWS = "SELECT id, run_id, content_hash, entries, came_at"
_OF_SOURCE = "FROM versions WHERE source_id = ? AND came_at IS NOT NULL ORDER BY id DESC"


class VersionTable:
    """The Versions of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, source_id: SourceId) -> Sequence[Version]:
        return _versions(source_id, await self._database.run(f"{_ROWS} {_OF_SOURCE}", (source_id,)))

    async def deltas(self, source_id: SourceId, newer_than: int = 0) -> Sequence[tuple[Version, bytes | None]]:
        rows = await self._database.run(f"{_ROWS}, iif(id > ?, delta, NULL) {_OF_SOURCE}", (newer_than, source_id))
        return list(zip(_versions(source_id, rows), (row[-1] for row in rows), strict=True))

    async def sources(self) -> Sequence[SourceId]:
        rows = await self._database.run("SELECT DISTINCT source_id FROM versions WHERE came_at IS NOT NULL ORDER BY source_id")
        return [row[0] for row in rows]

    async def octets(self) -> dict[SourceId, int]:
        rows = await self._database.run("SELECT source_id, sum(octets) FROM versions GROUP BY source_id")
        return dict(rows)


def _versions(source_id: SourceId, rows: Sequence[Sequence[Any]]) -> list[Version]:
    """Each one left when the next one came."""
    left = [None, *(row[4] for row in rows)]
    pairs = zip(rows, left, strict=False)
    return [Version(row[0], source_id, row[1], row[2], row[3], row[4], until) for row, until in pairs]


async def note_version(connection: aiosqlite.Connection, pending: Pending, run: ImportRun, now: float) -> None:
    """Within the transaction that opens a run: add its content, and forget what is beyond the bounds."""
    source, step = (pending.source_id,), pending.step
    if step is None:
        await connection.execute("DELETE FROM versions WHERE source_id = ?", source)
        return
    await connection.execute("DELETE FROM versions WHERE source_id = ? AND came_at IS NULL", source)
    rows = list(await connection.execute_fetchall(_NEWEST, source))
    newest = rows[0][0] if rows else None
    if newest != pending.content_hash:
        if newest != step.before or not step.delta:
            await connection.execute("DELETE FROM versions WHERE source_id = ?", source)
            if step.delta:
                await connection.execute(_BEGIN_WITH, (*source, step.before))
        row = (*source, run.id, pending.content_hash, pending.entries, len(step.delta), step.delta or None)
        await connection.execute(_ADD, row)
    await _forget(connection, source, replace(step.bounds, octets=await _room(connection, step.bounds.octets)), now)
    # Of sources that are no longer configured, too: no run of theirs will do so.
    await connection.execute("DELETE FROM versions WHERE came_at < ?", (now - _LONGEST,))


async def complete_version(connection: aiosqlite.Connection, run: ImportRun, now: float) -> None:
    """Within the transaction that completes a run."""
    await connection.execute(
        "UPDATE versions SET came_at = ? WHERE source_id = ? AND run_id = ? AND came_at IS NULL", (now, run.source_id, run.id)
    )


async def _room(connection: aiosqlite.Connection, octets: int) -> int:
    """How many octets the versions of a source may take now."""
    numbers = [(await connection.execute_fetchall(f"PRAGMA {name}")) for name in ("page_count", "freelist_count", "page_size")]
    pages, free, size = (rows[0][0] for rows in map(list, numbers))
    used = (pages - free) * size
    return octets if used <= LARGE_FILE else octets // 8 if used <= TOO_LARGE_FILE else 0


async def _forget(connection: aiosqlite.Connection, source: tuple[SourceId], bounds: HistoryBounds, now: float) -> None:
    """The versions that were replaced too long ago, and the oldest ones of those that are too many or too large."""
    rows = await connection.execute_fetchall(
        "SELECT id, came_at, octets FROM versions WHERE source_id = ? ORDER BY id DESC", source
    )
    total = 0
    for count, (row, came_at, octets) in enumerate(rows, 1):
        total += octets
        too_old = came_at is not None and came_at < now - bounds.seconds
        if too_old or total > bounds.octets or count == MOST_VERSIONS:
            await connection.execute("DELETE FROM versions WHERE source_id = ? AND id < ?", (*source, row))
            await connection.execute("UPDATE versions SET delta = NULL, octets = 0 WHERE id = ?", (row,))
            return
