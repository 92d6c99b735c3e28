"""Remote logins on SQLite. The only file with queries on them."""

from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.model import Family, Login

_OCTETS = {Family.IPV4: 4, Family.IPV6: 16}


class LoginTable:
    """The LoginMemory of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[Login]:
        rows = await self._database.run("SELECT address, since, last_seen FROM logins ORDER BY address")
        return [
            Login(
                Family.IPV4 if len(address) == _OCTETS[Family.IPV4] else Family.IPV6,
                int.from_bytes(address, "big"),
                since,
                last_seen,
            )
            for address, since, last_seen in rows
        ]

    async def keep(self, logins: Sequence[Login]) -> None:
        rows = [(login.address.to_bytes(_OCTETS[login.family], "big"), login.since, login.last_seen) for login in logins]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("DELETE FROM logins")
            await connection.executemany("INSERT INTO logins VALUES (?, ?, ?)", rows)

        await self._database.write(work)
