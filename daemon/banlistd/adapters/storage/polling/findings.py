"""What reading each list showed, on SQLite. The only file with queries on it."""

import json
from collections.abc import Mapping

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.adapters.storage.poll_rows import keep_findings
from banlistd.core.feeds.found_list import Findings
from banlistd.model import Rejected, SourceId

_KEEP_ADDRESS = """
    INSERT INTO findings (source_id, rejected, skipped, moved_to) VALUES (?, 0, '[]', ?)
    ON CONFLICT (source_id) DO UPDATE SET moved_to = excluded.moved_to
"""

MOVED = "SELECT source_id, moved_to FROM findings WHERE moved_to <> ''"


class FindingTable:
    """The FindingLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Mapping[SourceId, Findings]:
        rows = await self._database.run("SELECT source_id, rejected, skipped, moved_to, octets FROM findings")
        return {
            SourceId(source_id): Findings(rejected, tuple(Rejected(*one) for one in json.loads(skipped)), moved_to, octets)
            for source_id, rejected, skipped, moved_to, octets in rows
        }

    async def keep(self, source_id: SourceId, findings: Findings) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await keep_findings(connection, source_id, findings)

        await self._database.write(work)

    async def moved_to(self, source_id: SourceId) -> str:
        rows = await self._database.run("SELECT moved_to FROM findings WHERE source_id = ?", (source_id,))
        return str(rows[0][0]) if rows else ""

    async def keep_moved_to(self, source_id: SourceId, moved_to: str) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_KEEP_ADDRESS, (source_id, moved_to))

        await self._database.write(work)
