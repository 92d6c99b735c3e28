"""Since when sources are in shadow, on SQLite. The only file with queries on it."""

from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.value.shadow import Shadow
from banlistd.model import SourceId


class ShadowTable:
    """The ShadowLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Sequence[Shadow]:
        rows = await self._database.run("SELECT source_id, began_at, packets_before, ended_at, packets FROM shadows")
        return [Shadow(SourceId(source_id), *rest) for source_id, *rest in rows]

    async def change(self, come: Sequence[Shadow], go: Sequence[SourceId]) -> None:
        rows = [(one.source_id, one.began_at, one.packets_before, one.ended_at, one.packets) for one in come]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany("DELETE FROM shadows WHERE source_id = ?", [(source_id,) for source_id in go])
            await connection.executemany("INSERT OR REPLACE INTO shadows VALUES (?, ?, ?, ?, ?)", rows)

        await self._database.write(work)
