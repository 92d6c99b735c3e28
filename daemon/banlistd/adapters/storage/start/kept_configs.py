"""The kept configurations on SQLite. The database can be read by the account of the daemon alone, as the files may be."""

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.config.kept import Files, Kept, files_of_text, text_of_files

_KEEP = "INSERT INTO configurations (role, files) VALUES (?, ?) ON CONFLICT (role) DO UPDATE SET files = excluded.files"


class KeptConfigTable:
    """The KeptConfigs of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Kept:
        return Kept(
            **{role: files_of_text(files) for role, files in await self._database.run("SELECT role, files FROM configurations")}
        )

    async def put_in_force(self, files: Files, *, confirmed: bool) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            if confirmed:
                await connection.execute("DELETE FROM configurations")
            await connection.execute(_KEEP, ("in_force", text_of_files(files)))

        await self._database.write(work)

    async def begin_trial(self, files: Files) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_KEEP, ("tried", text_of_files(files)))

        await self._database.write(work)

    async def end_trial(self, *, refused: bool) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            if refused:
                await connection.execute("DELETE FROM configurations WHERE role = 'refused'")
                await connection.execute("UPDATE configurations SET role = 'refused' WHERE role = 'tried'")
            await connection.execute("DELETE FROM configurations WHERE role = 'tried'")

        await self._database.write(work)
