"""On SQLite, the one row that a restore at boot stands on."""

from collections.abc import Callable

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.ruleset.boot_snapshot import BootSnapshot, decode, encode
from banlistd.model import PolicyHash

_KEEP = """
    INSERT INTO footing (one, policy_hash, body) VALUES (1, :policy_hash, :body)
    ON CONFLICT (one) DO UPDATE SET policy_hash = excluded.policy_hash, body = excluded.body
"""


class BootSnapshotTable:
    """Each call is one transaction. Raises LedgerError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last(self) -> BootSnapshot | None:
        """What was kept last, if it can be read."""
        return decode("".join(row[0] for row in await self._database.run("SELECT body FROM footing")))

    async def keep(self, policy_hash: PolicyHash, make: Callable[[], BootSnapshot]) -> None:
        """Keep what `make` makes, unless what is kept has this very hash (that of the markers, so what is carved counts)."""
        if await self._database.run("SELECT 1 FROM footing WHERE policy_hash = ?", (policy_hash,)):
            return
        body = encode(make())

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_KEEP, {"policy_hash": policy_hash, "body": body})

        await self._database.write(work)
