"""Names and their addresses on SQLite, so that a restart protects the same addresses before a resolver answers."""

from collections.abc import Mapping, Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database


class KnownNames:
    """What `Names` knew last. Each call is one transaction. Raises LedgerError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Mapping[str, Sequence[str]]:
        """The addresses of each name, sorted."""
        names: dict[str, list[str]] = {}
        for host, address in await self._database.run("SELECT host, address FROM known_names ORDER BY 1, 2"):
            names.setdefault(host, []).append(address)
        return names

    async def keep(self, names: Mapping[str, Sequence[str]]) -> None:
        """These, and no others any more."""
        rows = [(host, address) for host, addresses in names.items() for address in addresses]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("DELETE FROM known_names")
            await connection.executemany("INSERT INTO known_names VALUES (?, ?)", rows)

        await self._database.write(work)
