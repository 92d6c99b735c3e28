"""Bans by hand on SQLite. The only file with queries on them."""

from collections.abc import Iterable, Sequence
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.model import BanKey, Family, ManualBan
from banlistd.scopes.scope import scope_from, scope_text

_KEEP = """
    INSERT INTO manual_bans (first, last, origin, comment, created_at, expires_at, uid, confirm_by, scope)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (first, last, origin) DO UPDATE SET comment = excluded.comment, created_at = excluded.created_at,
        expires_at = excluded.expires_at, uid = excluded.uid, confirm_by = excluded.confirm_by, scope = excluded.scope
"""

_V4, _V6 = Family.IPV4, Family.IPV6
_OCTETS = {Family.IPV4: 4, Family.IPV6: 16}


class ManualBanTable:
    """The ManualBans of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[bool, Sequence[ManualBan]]:
        async def work(connection: aiosqlite.Connection) -> tuple[bool, Sequence[ManualBan]]:
            begun = list(await connection.execute_fetchall("SELECT 1 FROM manual_beginnings LIMIT 1"))
            rows = await connection.execute_fetchall(
                "SELECT first, last, origin, comment, created_at, expires_at, uid, confirm_by, scope"
                " FROM manual_bans ORDER BY created_at, first"
            )
            return bool(begun), [_ban_of(row) for row in rows]

        return await self._database.read(work)

    async def begin(self, bans: Sequence[ManualBan], now: float) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("INSERT INTO manual_beginnings VALUES (?)", (now,))
            await _keep(connection, bans)

        await self._database.write(work)

    async def change(self, come: Sequence[ManualBan], go: Sequence[BanKey]) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany(
                "DELETE FROM manual_bans WHERE first = ? AND last = ? AND origin = ?", [_packed(key) for key in go]
            )
            await _keep(connection, come)

        await self._database.write(work)


async def _keep(connection: aiosqlite.Connection, bans: Iterable[ManualBan]) -> None:
    rows = [
        (
            *(*_packed(ban.key), ban.comment, ban.created_at, ban.expires_at, ban.uid, ban.confirm_by),
            None if ban.scope is None else scope_text(ban.scope),
        )
        for ban in bans
    ]
    await connection.executemany(_KEEP, rows)


def _packed(key: BanKey) -> tuple[bytes, bytes, str]:
    family, first, last, origin = key
    return first.to_bytes(_OCTETS[family], "big"), last.to_bytes(_OCTETS[family], "big"), origin


def _ban_of(row: Sequence[Any]) -> ManualBan:
    first, last, *rest, written = row
    family = _V4 if len(first) == 4 else _V6  # noqa: PLR2004 - octets
    number = int.from_bytes(first, "big")
    end = number if first == last else int.from_bytes(last, "big")
    return ManualBan(family, number, end, *(*rest, scope_from(written) if written else None))
