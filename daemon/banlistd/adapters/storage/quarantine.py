"""The quarantine on SQLite: refused content, and the health of each source. The only file with queries on them."""

from collections.abc import Sequence
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.quarantine import Quarantined, SourceHealth
from banlistd.model import ContentHash, SourceId

_COLUMNS = (
    "source_id, content_hash, snapshot, guard, reason, entries, rejected, first_seen, last_seen, refusals, stood, approved"
)

# The same content again moves the counters alone: the snapshot may have megabytes.
_MOVE = """
    UPDATE quarantine SET guard = :guard, reason = :reason, first_seen = :first_seen, last_seen = :last_seen,
        refusals = :refusals, stood = :stood, approved = :approved
    WHERE source_id = :source_id AND content_hash = :content_hash
    RETURNING source_id
"""

_HOLD_BACK = f"""
    INSERT OR REPLACE INTO quarantine ({_COLUMNS}) VALUES (:source_id, :content_hash, :snapshot, :guard, :reason, :entries,
        :rejected, :first_seen, :last_seen, :refusals, :stood, :approved)
"""  # noqa: S608 - made of the literal above

_CONFIRM = """
    INSERT INTO standings (source_id, good_at, trailer) VALUES (:source_id, :now, coalesce(:trailer, 0))
    ON CONFLICT (source_id) DO UPDATE SET good_at = :now, trailer = coalesce(:trailer, trailer), told = 0
"""


class QuarantineTable:
    """The Quarantine of ports.py."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quarantined(self, source_id: SourceId) -> Quarantined | None:
        query = f"SELECT {_COLUMNS} FROM quarantine WHERE source_id = ?"  # noqa: S608 - made of the literal above
        rows = await self._database.run(query, (source_id,))
        return _quarantined_of(rows[0]) if rows else None

    async def hold_back(self, content: Quarantined) -> None:
        parameters = {
            "source_id": content.source_id,
            "content_hash": content.content_hash,
            "guard": content.guard,
            "reason": content.reason,
            "entries": content.entries,
            "rejected": content.rejected,
            "first_seen": content.first_seen,
            "last_seen": content.last_seen,
            "refusals": content.refusals,
            "stood": content.stood,
            "approved": content.approved,
        }

        async def work(connection: aiosqlite.Connection) -> None:
            if not list(await connection.execute_fetchall(_MOVE, parameters)):
                await connection.execute(_HOLD_BACK, parameters | {"snapshot": content.snapshot})

        await self._database.write(work)

    async def approve(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        async def work(connection: aiosqlite.Connection) -> bool:
            rows = await connection.execute_fetchall(
                "UPDATE quarantine SET approved = 1 WHERE source_id = ? AND content_hash = ? RETURNING source_id",
                (source_id, content_hash),
            )
            return bool(list(rows))

        return await self._database.write(work)

    async def confirm(self, source_id: SourceId, now: float, *, has_end_count: bool | None) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_CONFIRM, {"source_id": source_id, "now": now, "trailer": has_end_count})
            await connection.execute("DELETE FROM quarantine WHERE source_id = ?", (source_id,))

        await self._database.write(work)

    async def health(self, source_id: SourceId) -> SourceHealth | None:
        rows = await self._database.run("SELECT good_at, trailer, told FROM standings WHERE source_id = ?", (source_id,))
        return SourceHealth(rows[0][0], bool(rows[0][1]), bool(rows[0][2])) if rows else None

    async def clock_set_back(self, source_id: SourceId, now: float) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("UPDATE standings SET good_at = min(good_at, ?) WHERE source_id = ?", (now, source_id))

        await self._database.write(work)

    async def mark_stale_announced(self, source_id: SourceId) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("UPDATE standings SET told = 1 WHERE source_id = ?", (source_id,))

        await self._database.write(work)


def _quarantined_of(row: Sequence[Any]) -> Quarantined:
    return Quarantined(*[*row[:-1], bool(row[-1])])
