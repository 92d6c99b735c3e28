"""What is allowed by command, on SQLite. The only file with queries on it."""

from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.ruleset.manual_allows import AllowKey, ManualAllow
from banlistd.model import Family, Span

_OCTETS = {Family.IPV4: 4, Family.IPV6: 16}


class ManualAllowTable:
    """The ManualAllows of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[ManualAllow]:
        rows = await self._database.run(
            "SELECT first, last, comment, created_at, expires_at, uid, name FROM allow_entries ORDER BY created_at, first"
        )
        return [
            ManualAllow(
                Family.IPV4 if len(first) == _OCTETS[Family.IPV4] else Family.IPV6,
                int.from_bytes(first, "big"),
                int.from_bytes(last, "big"),
                *rest,
            )
            for first, last, *rest in rows
        ]

    async def change(self, come: Sequence[ManualAllow], go: Sequence[AllowKey]) -> None:
        gone = [(*_packed(span), name) for span, name in go]
        rows = [
            (*_packed(entry.span), entry.comment, entry.created_at, entry.expires_at, entry.uid, entry.name) for entry in come
        ]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany("DELETE FROM allow_entries WHERE first = ? AND last = ? AND name = ?", gone)
            await connection.executemany("INSERT OR REPLACE INTO allow_entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

        await self._database.write(work)


def _packed(span: Span) -> tuple[bytes, bytes]:
    family, first, last = span
    return first.to_bytes(_OCTETS[family], "big"), last.to_bytes(_OCTETS[family], "big")
