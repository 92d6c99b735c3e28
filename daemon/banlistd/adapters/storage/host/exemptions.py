"""What was allowed or protected and when, on SQLite. The only file with queries on it."""

from collections.abc import Sequence
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.ruleset.allowing.exemptions import ExemptSpan
from banlistd.model import Family, Span

# The longest `history` that a configuration may have, and as many rows as there are of bans that are over: 8 MB.
_LONGEST = 365 * 86_400.0
_MOST_ENDED = 100_000

_COLUMNS = "first, last, reason, learned, since, until"
_KEEP = f"""
    INSERT INTO exemptions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (first, last, reason, learned, since) DO UPDATE SET until = excluded.until
"""  # noqa: S608 - names of columns
_LOAD = f"SELECT {_COLUMNS} FROM exemptions WHERE until IS NULL ORDER BY id"  # noqa: S608 - as above
_ENDED = f"""
    SELECT {_COLUMNS} FROM exemptions
    WHERE until IS NOT NULL AND length(first) = ? AND first <= ? AND last >= ? ORDER BY until DESC, id DESC
"""  # noqa: S608 - as above
_FORGET_OLD = "DELETE FROM exemptions WHERE until < ?"
_FORGET_SURPLUS = """
    DELETE FROM exemptions WHERE id IN (
        SELECT id FROM exemptions WHERE until IS NOT NULL ORDER BY until DESC, id DESC LIMIT -1 OFFSET ?
    )
"""

_OCTETS = {Family.IPV4: 4, Family.IPV6: 16}


class ExemptionTable:
    """The Exemptions of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[ExemptSpan]:
        async def work(connection: aiosqlite.Connection) -> Sequence[ExemptSpan]:
            return [_exemption(row) for row in await connection.execute_fetchall(_LOAD)]

        return await self._database.read(work)

    async def change(self, rows: Sequence[ExemptSpan]) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany(_KEEP, map(_row, rows))
            ends = [one.until for one in rows if one.until is not None]
            if ends:
                await connection.execute(_FORGET_OLD, (max(ends) - _LONGEST,))
                await connection.execute(_FORGET_SURPLUS, (_MOST_ENDED,))

        await self._database.write(work)

    async def ended(self, span: Span) -> Sequence[ExemptSpan]:
        first, last = _packed(span)

        async def work(connection: aiosqlite.Connection) -> Sequence[ExemptSpan]:
            rows = await connection.execute_fetchall(_ENDED, (_OCTETS[span[0]], last, first))
            return [_exemption(row) for row in rows]

        return await self._database.read(work)


def _row(one: ExemptSpan) -> tuple[Any, ...]:
    # It may quote a name from outside that is no UTF-8, of which SQLite takes no text: such octets are written as \udcff.
    reason = one.reason.encode("utf-8", "backslashreplace").decode()
    return (*_packed(one.span), reason, int(one.learned), one.since, one.until)


def _packed(span: Span) -> tuple[bytes, bytes]:
    family, first, last = span
    return first.to_bytes(_OCTETS[family], "big"), last.to_bytes(_OCTETS[family], "big")


def _exemption(row: Sequence[Any]) -> ExemptSpan:
    first, last, reason, learned, since, until = row
    family = Family.IPV4 if len(first) == _OCTETS[Family.IPV4] else Family.IPV6
    span = family, int.from_bytes(first, "big"), int.from_bytes(last, "big")
    return ExemptSpan(span, reason, bool(learned), since, until)
