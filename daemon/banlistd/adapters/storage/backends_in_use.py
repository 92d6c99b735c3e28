"""On SQLite, the backends that may have our bans."""

from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database


class BackendsInUse:
    """The Backends of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Sequence[str]:
        return [row[0] for row in await self._database.run("SELECT name FROM backends ORDER BY name")]

    async def enter(self, name: str) -> None:
        if name in await self.every():
            return

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("INSERT OR IGNORE INTO backends VALUES (?)", (name,))

        await self._database.write(work)

    async def leave(self, name: str) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("DELETE FROM backends WHERE name = ?", (name,))

        await self._database.write(work)
