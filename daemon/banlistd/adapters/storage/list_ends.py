"""Which entries of a list end when, on SQLite. The only file with queries on it."""

from collections.abc import Collection

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.content import Ends, Pending
from banlistd.model import ContentHash, SourceId


class EndTable:
    """The EndLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ends(self, source_id: SourceId) -> tuple[ContentHash, bytes] | None:
        rows = await self._database.run("SELECT content_hash, body FROM list_ends WHERE source_id = ?", (source_id,))
        return (ContentHash(rows[0][0]), bytes(rows[0][1])) if rows else None

    async def over(self, now: float) -> Collection[SourceId]:
        return {
            SourceId(row[0]) for row in await self._database.run("SELECT source_id FROM list_ends WHERE first <= ?", (now,))
        }

    async def keep(self, source_id: SourceId, content_hash: ContentHash, ends: Ends) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await _write(connection, source_id, content_hash, ends)

        await self._database.write(work)


async def note_ends(connection: aiosqlite.Connection, pending: Pending) -> None:
    """Within the transaction that opens a run: its content and its ends are known together."""
    if pending.ends is not None:
        await _write(connection, pending.source_id, pending.content_hash, pending.ends)


async def _write(connection: aiosqlite.Connection, source_id: SourceId, content_hash: ContentHash, ends: Ends) -> None:
    if ends.body:
        row = (source_id, content_hash, ends.first, ends.body)
        await connection.execute("INSERT OR REPLACE INTO list_ends VALUES (?, ?, ?, ?)", row)
    else:
        await connection.execute("DELETE FROM list_ends WHERE source_id = ?", (source_id,))
