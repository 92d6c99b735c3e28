"""The geo cache on SQLite: country and ASN by network. The only file with queries on it.

Each call is one transaction, all or nothing. Rows never overlap: a newer entry takes its whole range from what was there, and
of a wider row what sticks out stays. Both families share one index: IPv4 is stored as ::ffff:a.b.c.d (RFC 4291), where no
address of IPv6 can be.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.geo.types import GeoEntry, GeoNegEntry, Origin, Row, overlaid
from banlistd.model import Family

# Values bound at once; SQLite takes 32,766 (sqlite.org/limits.html, since 3.32).
_AT_ONCE = 1000

_MAPPED = 0xFFFF << 32
_MAX_V4 = 2**32 - 1

_COLUMNS = "first, last, negative, country, country_name, asn, organisation, expires_at"

# Rows are disjoint, so that of all rows that begin at or before an address only the last one can contain it.
_HELD = f"""
    WITH wanted(at) AS (VALUES {{}})
    SELECT {_COLUMNS} FROM geo_cache WHERE first IN (
        SELECT (SELECT first FROM geo_cache WHERE first <= wanted.at ORDER BY first DESC LIMIT 1) FROM wanted)
    ORDER BY first
"""  # noqa: S608 - made of the literal above

_OVERLAPPED = f"""
    WITH newer(low, high) AS (VALUES {{}})
    SELECT DISTINCT {_COLUMNS} FROM newer JOIN geo_cache ON last >= newer.low AND first BETWEEN
        coalesce((SELECT first FROM geo_cache WHERE first <= newer.low ORDER BY first DESC LIMIT 1), newer.low) AND newer.high
    ORDER BY first
"""  # noqa: S608 - as above

_INSERT = f"INSERT INTO geo_cache ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above

_PAGE = f"""
    SELECT {_COLUMNS} FROM geo_cache WHERE first > ? AND negative = 0 AND expires_at > ? ORDER BY first LIMIT ?
"""  # noqa: S608 - as above

_PRUNE = """
    DELETE FROM geo_cache WHERE first IN (
        SELECT first FROM geo_cache WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)
"""

Entry = GeoEntry | GeoNegEntry
KnownEntry = tuple[int, str, str, int | None, str, float]
"""The columns behind `last`: what two rows that came of one are alike in."""


class GeoCacheTable:
    """The GeoCache of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, family: Family, addresses: Sequence[int], now: float) -> Sequence[Entry | None]:
        keys = [_key(family, address) for address in addresses]

        async def work(connection: aiosqlite.Connection) -> list[Sequence[Any]]:
            rows: list[Sequence[Any]] = []
            for part in _parts(keys, _AT_ONCE):
                rows += await connection.execute_fetchall(_HELD.format(_places(len(part), "(?)")), part)
            return rows

        rows = sorted({row[0]: row for row in await self._database.read(work)}.items())
        firsts, lasts = [first for first, _ in rows], [row[1] for _, row in rows]
        entries = [_entry_of(row) if row[-1] > now else None for _, row in rows]
        before = ((key, bisect_right(firsts, key) - 1) for key in keys)
        return [entries[at] if at >= 0 and key <= lasts[at] else None for key, at in before]

    async def bulk_upsert_entries_and_neg_entries(
        self, entries: Sequence[GeoEntry], neg_entries: Sequence[GeoNegEntry]
    ) -> None:
        await self._lay([*neg_entries, *entries])

    async def page(self, after: GeoEntry | None, limit: int, now: float) -> Sequence[GeoEntry]:
        begin = _key(after.family, after.last) if after is not None else b""
        entries = [_entry_of(row) for row in await self._database.run(_PAGE, (begin, now, limit))]
        return [entry for entry in entries if isinstance(entry, GeoEntry)]

    async def prune(self, now: float, limit: int) -> int:
        async def work(connection: aiosqlite.Connection) -> int:
            return (await connection.execute(_PRUNE, (now, limit))).rowcount

        return await self._database.write(work)

    async def _lay(self, entries: Sequence[Entry]) -> None:
        newer = [row for entry in entries for row in _rows_of(entry)]
        if not newer:
            return

        async def work(connection: aiosqlite.Connection) -> None:
            older = await _overlapped(connection, newer)
            rows = overlaid(older, newer)
            await connection.executemany("DELETE FROM geo_cache WHERE first = ?", [(_bytes(row[0]),) for row in older])
            await connection.executemany(_INSERT, [(_bytes(first), _bytes(last), *known) for first, last, known in rows])

        await self._database.write(work)


async def _overlapped(connection: aiosqlite.Connection, newer: Sequence[Row[KnownEntry]]) -> Sequence[Row[KnownEntry]]:
    """The rows that newer ones take something from, sorted."""
    found: dict[int, Row[KnownEntry]] = {}
    for part in _parts(newer, _AT_ONCE):
        bounds = [_bytes(end) for row in part for end in row[:2]]
        rows = await connection.execute_fetchall(_OVERLAPPED.format(_places(len(part), "(?, ?)")), bounds)
        for row in rows:
            first = int.from_bytes(row[0], "big")
            found[first] = (first, int.from_bytes(row[1], "big"), tuple(row[2:]))
    return [found[first] for first in sorted(found)]


def _parts(items: Sequence[Any], size: int) -> Iterable[Sequence[Any]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _places(count: int, one: str) -> str:
    return ", ".join([one] * count)


def _bytes(number: int) -> bytes:
    return number.to_bytes(16, "big")


def _key(family: Family, address: int) -> bytes:
    return _bytes(_MAPPED | address if family is Family.IPV4 else address)


def _rows_of(entry: Entry) -> Sequence[Row[KnownEntry]]:
    """The row of an entry; two where a wide network of IPv6 lies around the place of IPv4."""
    origin = entry.origin if isinstance(entry, GeoEntry) else Origin()
    known = (
        int(isinstance(entry, GeoNegEntry)),
        origin.country,
        origin.country_name,
        origin.asn,
        origin.organisation,
        entry.expires_at,
    )
    if entry.family is Family.IPV4:
        return ((_MAPPED | entry.first, _MAPPED | entry.last, known),)
    around = ((entry.first, min(entry.last, _MAPPED - 1)), (max(entry.first, _MAPPED + _MAX_V4 + 1), entry.last))
    return [(first, last, known) for first, last in around if first <= last]


def _entry_of(row: Sequence[Any]) -> Entry:
    first, last = (int.from_bytes(end, "big") for end in row[:2])
    family = Family.IPV4 if first >> 32 == _MAPPED >> 32 else Family.IPV6
    if family is Family.IPV4:
        first, last = first & _MAX_V4, last & _MAX_V4
    if row[2]:
        return GeoNegEntry(family, first, last, row[7])
    return GeoEntry(family, first, last, Origin(*row[3:7]), row[7])
