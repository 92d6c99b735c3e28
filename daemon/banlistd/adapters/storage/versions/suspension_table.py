"""Sources that are paused or pinned, on SQLite. The only file with queries on them."""

from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.versions.suspension import Suspension, SuspensionKind
from banlistd.model import SourceId


class SuspensionTable:
    """The Suspensions of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[Suspension]:
        rows = await self._database.run(
            "SELECT source_id, kind, since, uid, run_id, content_hash FROM suspensions ORDER BY since, source_id"
        )
        return [Suspension(source_id, SuspensionKind(kind), *rest) for source_id, kind, *rest in rows]

    async def change(self, come: Sequence[Suspension], go: Sequence[tuple[SourceId, SuspensionKind]]) -> None:
        rows = [(one.source_id, str(one.kind), one.since, one.uid, one.run_id, one.content_hash) for one in come]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany("DELETE FROM suspensions WHERE source_id = ? AND kind = ?", go)
            await connection.executemany("INSERT OR REPLACE INTO suspensions VALUES (?, ?, ?, ?, ?, ?)", rows)

        await self._database.write(work)
