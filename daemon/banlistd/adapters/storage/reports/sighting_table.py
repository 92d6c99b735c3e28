"""What nodes have reported, on SQLite. The only file with queries on it."""

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import aiosqlite
import numpy as np

from banlistd.adapters.storage.database import Database
from banlistd.core.fleet.reports.addresses import ReportedAddress
from banlistd.core.fleet.reports.judging import SortedOut
from banlistd.core.fleet.reports.quorum import QuorumRule, Sightings, agreed_addresses
from banlistd.core.fleet.reports.quota import Quota
from banlistd.core.fleet.reports.sightings import Sighting, Spell, changes_by, fair_share, within_quota
from banlistd.ports.reports import Taken

MOST_SIGHTINGS = 1_000_000
"""Of all nodes together; some 60 MB."""

FARTHEST_AHEAD = 3600
"""Seconds by which a sighting may be ahead of our clock, as one that was set back is allowed to be (`ClockWitness`)."""

_ROWS_AT_ONCE = 10_000

_NEWEST = """
    UPDATE nodes SET boot = :boot, seq = :seq, reported_at = :now
    WHERE id = :id AND key = :key AND suspended_at IS NULL AND (boot, seq) < (:boot, :seq) RETURNING number, spent
"""

# Only of addresses that so many sites have reported at all; most are of one alone.
_CANDIDATES = """
    SELECT s.address, n.site, s.first_at, s.last_at FROM sightings s JOIN nodes n ON n.number = s.node
    WHERE s.last_at >= :oldest AND s.address IN (
        SELECT t.address FROM sightings t JOIN nodes m ON m.number = t.node WHERE t.last_at >= :oldest
        GROUP BY t.address HAVING count(DISTINCT m.site) >= :quorum)
    ORDER BY s.address
"""

_OF_ONE = "SELECT first_at, last_at FROM sightings WHERE address = ? AND node = ?"

# Of a node, several may become one.
_AHEAD = "UPDATE OR REPLACE sightings SET first_at = min(first_at, :now), last_at = :now WHERE last_at > :newest"

_OLDEST_BEYOND = """
    DELETE FROM sightings WHERE (address, node, first_at) IN (
        SELECT address, node, first_at FROM (
            SELECT address, node, first_at,
                row_number() OVER (PARTITION BY node ORDER BY last_at DESC, address, first_at) AS place
            FROM sightings WHERE node IN (SELECT value FROM json_each(?)))
        WHERE place > ?)
"""


class SightingTable:
    """The SightingLog of `ports`. `path`: of the database's file, read by a connection of its own; None: it has none.

    `most`: sightings of all nodes together.
    """

    def __init__(self, database: Database, path: Path | None = None, most: int = MOST_SIGHTINGS) -> None:
        self._database = database
        self._path = path
        self._most = most

    async def take(self, reports: Sequence[SortedOut], now: float) -> Sequence[Taken | None]:
        async def work(connection: aiosqlite.Connection) -> Sequence[Taken | None]:
            return [await _taken(connection, one, now) for one in reports]

        return await self._database.write(work)

    async def of(self, address: ReportedAddress) -> Sequence[Sighting]:
        rows = await self._database.run(
            "SELECT s.address, n.id, n.site, s.first_at, s.last_at, s.origin FROM sightings s JOIN nodes n ON n.number = s.node"
            " WHERE s.address = ? ORDER BY n.id, s.first_at",
            (address,),
        )
        return [Sighting(bytes(row[0]), *row[1:]) for row in rows]

    async def counts(self) -> dict[str, int]:
        rows = await self._database.run(
            "SELECT n.id, count(DISTINCT s.address) FROM sightings s JOIN nodes n ON n.number = s.node GROUP BY n.number"
        )
        return dict(rows)

    async def prune(self, now: float, kept: float) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("DELETE FROM sightings WHERE last_at < ?", (now - kept,))
            await connection.execute(_AHEAD, {"now": int(now), "newest": int(now + FARTHEST_AHEAD)})
            rows = await connection.execute_fetchall("SELECT node, count(*) FROM sightings GROUP BY node")
            counts: dict[int, int] = {node: count for node, count in rows}  # noqa: C416 - mypy takes no Row for a pair
            share = fair_share(counts.values(), self._most)
            if share is not None:
                many = json.dumps([node for node, count in counts.items() if count > share])
                await connection.execute(_OLDEST_BEYOND, (many, share))

        await self._database.write(work)

    async def agreed(self, rule: QuorumRule, now: float) -> Sequence[ReportedAddress]:
        parameters = {"oldest": int(now) - rule.kept, "quorum": rule.quorum}
        if self._path is not None and not self._database.fault:
            return await asyncio.to_thread(_agreed_in, self._path, rule, parameters, now)
        rows = await self._database.run(_CANDIDATES, parameters)
        return await asyncio.to_thread(_agreed, rows, rule, now)


async def _taken(connection: aiosqlite.Connection, one: SortedOut, now: float) -> Taken | None:
    report = one.report
    place = {"boot": report.boot, "seq": report.seq, "now": now, "id": report.node, "key": one.key}
    found = list(await connection.execute_fetchall(_NEWEST, place))
    if not found:
        return None
    ((number, spent),) = found
    removed = 0
    for lifted in one.lifted:
        gone = await connection.execute("DELETE FROM sightings WHERE address = ? AND node = ?", (lifted.address, number))
        removed += gone.rowcount
    known = await _known(connection, number, [ban.address for ban in one.bans])
    quota = Quota.of_text(spent)
    changes, over = within_quota(changes_by(one.bans, known), quota.left(now))
    new = sum(change.is_new for change in changes)
    if new:
        await connection.execute("UPDATE nodes SET spent = ? WHERE number = ?", (quota.with_new(new, now).text, number))
    gone_rows = [(change.ban.address, number, first) for change in changes for first, _ in change.go]
    rows = [(change.ban.address, number, *spell, change.ban.origin) for change in changes for spell in change.come]
    await connection.executemany("DELETE FROM sightings WHERE address = ? AND node = ? AND first_at = ?", gone_rows)
    await connection.executemany("INSERT INTO sightings VALUES (?, ?, ?, ?, ?)", rows)
    return Taken(new, removed, over)


async def _known(
    connection: aiosqlite.Connection, number: int, addresses: Sequence[ReportedAddress]
) -> dict[ReportedAddress, list[Spell]]:
    """The sightings of these addresses by a node."""
    known: dict[ReportedAddress, list[Spell]] = {}
    for address in addresses:
        rows = await connection.execute_fetchall(_OF_ONE, (address, number))
        if spells := [(first, last) for first, last in rows]:
            known[address] = spells
    return known


def _agreed_in(path: Path, rule: QuorumRule, parameters: dict[str, int], now: float) -> Sequence[ReportedAddress]:
    """By a connection of its own: the daemon's goes on meanwhile."""
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
        return _agreed(connection.execute(_CANDIDATES, parameters), rule, now)


def _agreed(rows: Iterable[tuple[bytes, str, int, int]], rule: QuorumRule, now: float) -> Sequence[ReportedAddress]:
    """`rows`: in the order of addresses."""
    addresses: list[ReportedAddress] = []
    sites: dict[str, int] = {}
    numbered: list[tuple[int, int, int, int]] = []
    pieces: list[Sightings] = []
    for address, site, first, last in rows:
        if not addresses or addresses[-1] != address:
            addresses.append(bytes(address))
        numbered.append((len(addresses) - 1, sites.setdefault(site, len(sites)), first, last))
        if len(numbered) == _ROWS_AT_ONCE:
            pieces.append(Sightings.of(numbered))
            numbered = []
    pieces.append(Sightings.of(numbered))
    columns = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("address", "site", "first", "last"))
    return [addresses[number] for number in agreed_addresses(Sightings(*columns), rule, now).address.tolist()]
