"""Bans by hand on SQLite. The only file with queries on them."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.manual.ended_bans import BanEnd, EndedBan
from banlistd.model import BanKey, Family, ManualBan, Span
from banlistd.scopes.scope import scope_from, scope_text

_KEEP = """
    INSERT INTO manual_bans (first, last, origin, comment, created_at, expires_at, uid, confirm_by, scope)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (first, last, origin) DO UPDATE SET comment = excluded.comment, created_at = excluded.created_at,
        expires_at = excluded.expires_at, uid = excluded.uid, confirm_by = excluded.confirm_by, scope = excluded.scope
"""

_KEEP_ENDED = """
    INSERT INTO ended_bans (first, last, origin, comment, created_at, expires_at, uid, scope, ended_at, how)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

# Rows are in the order in which bans ended, nearly: to look for old ones among all takes 40 ms with each order (measured).
_FORGET_OLD = "DELETE FROM ended_bans WHERE id < (SELECT id FROM ended_bans WHERE ended_at >= ? ORDER BY id LIMIT 1)"
_FORGET_SURPLUS = "DELETE FROM ended_bans WHERE id <= (SELECT max(id) FROM ended_bans) - ?"

_ENDED = """
    SELECT first, last, origin, comment, created_at, expires_at, uid, NULL, scope, ended_at, how FROM ended_bans
    WHERE length(first) = :octets AND first <= :last AND last >= :first AND ended_at >= :since
        AND (:at IS NULL OR created_at <= :at AND ended_at > :at)
    ORDER BY ended_at DESC, id DESC
"""

_NEWEST_ENDS = """
    SELECT first, last, origin, comment, created_at, expires_at, uid, NULL, scope, ended_at, how FROM ended_bans
    WHERE ended_at >= ? ORDER BY id DESC LIMIT ?
"""

# Of each ban the newest row: it may have been lifted since.
_ENDED_EARLY = """
    SELECT first, last, origin, comment, created_at, expires_at, uid, NULL, scope FROM ended_bans
    WHERE how = 'expired' AND ended_at > :now AND created_at < :before
        AND id IN (SELECT max(id) FROM ended_bans GROUP BY first, last, origin)
"""

_COLUMNS = "first, last, origin, comment, created_at, expires_at, uid, confirm_by, scope"
_WITHIN = f"SELECT {_COLUMNS} FROM manual_bans WHERE first BETWEEN ? AND ? AND last <= ? AND length(first) = ?"  # noqa: S608 - names
_NEWEST = f"SELECT {_COLUMNS} FROM manual_bans ORDER BY created_at DESC, first"  # noqa: S608 - names of columns

# The longest `history` that a configuration may have: tests/core/config/test_history.py compares them.
_LONGEST = 365 * 86_400.0

# As many as an origin may have in force: 7 MB, for a row takes 71 octets, and 9 ms to find those of one address (measured).
_MOST_ENDED = 100_000

_V4, _V6 = Family.IPV4, Family.IPV6
_OCTETS = {Family.IPV4: 4, Family.IPV6: 16}


ChangeNote = Callable[[aiosqlite.Connection, Sequence[ManualBan], Sequence[EndedBan]], Awaitable[None]]
"""Writes down more about a change, the bans that come and those that end, in its transaction and after its rows."""


class ManualBanTable:
    """The ManualBans of `ports`."""

    def __init__(self, database: Database, note: ChangeNote | None = None) -> None:
        self._database = database
        self._note = note

    async def load(self) -> tuple[bool, Sequence[ManualBan]]:
        async def work(connection: aiosqlite.Connection) -> tuple[bool, Sequence[ManualBan]]:
            begun = list(await connection.execute_fetchall("SELECT 1 FROM manual_beginnings LIMIT 1"))
            rows = await connection.execute_fetchall(
                f"SELECT {_COLUMNS} FROM manual_bans ORDER BY created_at, first"  # noqa: S608 - as above
            )
            return bool(begun), [_ban_of(row) for row in rows]

        return await self._database.read(work)

    async def begin(self, bans: Sequence[ManualBan], now: float) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("INSERT INTO manual_beginnings VALUES (?)", (now,))
            await _keep(connection, bans)

        await self._database.write(work)

    async def change(self, come: Sequence[ManualBan], go: Sequence[BanKey], ended: Sequence[EndedBan] = ()) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany(
                "DELETE FROM manual_bans WHERE first = ? AND last = ? AND origin = ?", [_packed(key) for key in go]
            )
            await _keep(connection, come)
            if ended:
                await connection.executemany(_KEEP_ENDED, map(_over, ended))
                newest = max(one.ended_at for one in ended)
                await connection.execute(_FORGET_OLD, (newest - _LONGEST,))
                await connection.execute(_FORGET_SURPLUS, (_MOST_ENDED,))
            if self._note:
                await self._note(connection, come, ended)

        await self._database.write(work)

    async def ended(self, span: Span, since: float = 0.0, at: float | None = None) -> Sequence[EndedBan]:
        low, high, _ = _packed((*span, ""))
        bounds = {"octets": len(low), "first": low, "last": high, "since": since, "at": at}
        rows = await self._database.run(_ENDED, bounds)
        # There may be as many as are kept: SQLite's thread, for which others wait, only reads the rows.
        return await asyncio.to_thread(lambda: [*map(_ended_of, rows)])

    async def ended_early(self, before: float, now: float) -> Sequence[ManualBan]:
        return [_ban_of(row) for row in await self._database.run(_ENDED_EARLY, {"before": min(before, now), "now": now})]


async def bans_within(connection: aiosqlite.Connection, span: Span) -> Sequence[ManualBan]:
    """In a work: the rows whose addresses are all among these, also those that have run out."""
    family, first, last = span
    low, high, _ = _packed((family, first, last, ""))
    rows = await connection.execute_fetchall(_WITHIN, (low, high, high, _OCTETS[family]))
    return [_ban_of(row) for row in rows]


async def newest_bans(connection: aiosqlite.Connection) -> Iterator[ManualBan]:
    """In a work: all rows, the newest first, also those that have run out. Read as they are asked for."""
    rows = cast("sqlite3.Cursor", await connection.execute(_NEWEST))  # as works have it
    return map(_ban_of, rows)


async def newest_ends(connection: aiosqlite.Connection, since: float, most: int) -> Sequence[EndedBan]:
    """In a work: bans that ended since a moment, at most so many, the newest end first."""
    return [*map(_ended_of, await connection.execute_fetchall(_NEWEST_ENDS, (since, most)))]


async def _keep(connection: aiosqlite.Connection, bans: Iterable[ManualBan]) -> None:
    rows = [
        (
            *(*_packed(ban.key), ban.comment, ban.created_at, ban.expires_at, ban.uid, ban.confirm_by),
            _written(ban),
        )
        for ban in bans
    ]
    await connection.executemany(_KEEP, rows)


def _over(one: EndedBan) -> tuple[Any, ...]:
    ban = one.ban
    return (
        *(*_packed(ban.key), ban.comment, ban.created_at, ban.expires_at, ban.uid, _written(ban)),
        *(one.ended_at, one.how),
    )


def _ended_of(row: Sequence[Any]) -> EndedBan:
    return EndedBan(_ban_of(row[:9]), row[9], BanEnd(row[10]))


def _written(ban: ManualBan) -> str | None:
    return None if ban.scope is None else scope_text(ban.scope)


def _packed(key: BanKey) -> tuple[bytes, bytes, str]:
    family, first, last, origin = key
    return first.to_bytes(_OCTETS[family], "big"), last.to_bytes(_OCTETS[family], "big"), origin


def _ban_of(row: Sequence[Any]) -> ManualBan:
    first, last, *rest, written = row
    family = _V4 if len(first) == 4 else _V6  # noqa: PLR2004 - octets
    number = int.from_bytes(first, "big")
    end = number if first == last else int.from_bytes(last, "big")
    return ManualBan(family, number, end, *(*rest, scope_from(written) if written else None))
