"""The boot snapshot on SQLite: one row, from which a boot restores the bans."""

import asyncio
from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.backends import BackendName
from banlistd.core.ruleset.boot_snapshot import BootSnapshot, decode, encode
from banlistd.core.ruleset.policy import Policy
from banlistd.model import Ownership, PolicyHash, Protected

_KEEP = """
    INSERT INTO footing (one, policy_hash, body) VALUES (1, :policy_hash, :body)
    ON CONFLICT (one) DO UPDATE SET policy_hash = excluded.policy_hash, body = excluded.body
"""


async def last_boot_snapshot(database: Database) -> BootSnapshot | None:
    """The stored one; None where there is none, or it is damaged. Raises LedgerError."""
    return decode("".join(row[0] for row in await database.run("SELECT body FROM footing")))


class BootSnapshotTable:
    """The BootSnapshots of `ports`, for a daemon with this backend and these settings of it."""

    def __init__(self, database: Database, backend: BackendName, owner: Ownership, *, translated: bool) -> None:
        self._database = database
        self._backend = backend
        self._owner = owner
        self._translated = translated
        self._kept: tuple[int, str] | None = None  # in which database there is what

    async def keep(self, policy_hash: PolicyHash, policy: Policy, protected: Sequence[Protected]) -> None:
        # A restart may have changed the settings under the same policy.
        known = f"{policy_hash} {self._backend} {self._owner} {self._translated}"
        there = self._database.successors, known
        if there == self._kept:
            return
        if await self._database.run("SELECT 1 FROM footing WHERE policy_hash = ?", (known,)):
            self._kept = there
            return
        snapshot = BootSnapshot(self._backend, self._owner, self._translated, policy, protected)
        body = await asyncio.to_thread(encode, snapshot)  # thousands of ranges may be allowed

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_KEEP, {"policy_hash": known, "body": body})

        await self._database.write(work)
        self._kept = there
