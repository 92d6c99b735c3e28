"""The nodes that a hub admits, on SQLite. The only file with queries on them."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.fleet.reports.addresses import ReportedAddress, reported_address, written
from banlistd.core.fleet.reports.judging import Node
from banlistd.core.fleet.reports.quota import Quota
from banlistd.errors import RefusedError

_ADMIT = """
    INSERT INTO nodes (id, site, key, own, admitted_at, suspended_at, boot, seq, reported_at, spent, is_canary)
    VALUES (?, ?, ?, ?, ?, NULL, 0, 0, NULL, '', ?)
    ON CONFLICT (id) DO UPDATE
    SET site = excluded.site, own = excluded.own, suspended_at = NULL, is_canary = excluded.is_canary
"""
_EVERY = """
    SELECT id, site, key, own, admitted_at, suspended_at, boot, seq, reported_at, spent, is_canary,
        silent_since FROM nodes ORDER BY id
"""
_SOME = """
    SELECT id, site, key, own, admitted_at, suspended_at, boot, seq, reported_at, spent, is_canary,
        silent_since FROM nodes
    WHERE id IN (SELECT value FROM json_each(?))
"""


class NodeTable:
    """The NodeRegister of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Sequence[Node]:
        return [_node_of(row) for row in await self._database.run(_EVERY)]

    async def some(self, ids: Collection[str]) -> Sequence[Node]:
        rows = await self._database.run(_SOME, (json.dumps([*ids]),))
        return [_node_of(row) for row in rows]

    async def own_addresses(self) -> frozenset[ReportedAddress]:
        rows = await self._database.run("SELECT own FROM nodes WHERE own != ''")
        return frozenset(reported_address(text) for (own,) in rows for text in own.split())

    async def admit(self, node: Node, is_canary: bool | None = None) -> None:
        own = " ".join(sorted(map(written, node.own)))

        async def work(connection: aiosqlite.Connection) -> None:
            known = await connection.execute_fetchall("SELECT is_canary FROM nodes WHERE id = ?", (node.id,))
            was_canary = any(value for (value,) in known)
            canary = was_canary if is_canary is None else is_canary
            # With another key it is another node: what the old one has reported goes.
            await connection.execute("DELETE FROM nodes WHERE id = ? AND key != ?", (node.id, node.key))
            try:
                await connection.execute(_ADMIT, (node.id, node.site, node.key, own, node.admitted_at, canary))
            except sqlite3.IntegrityError as error:
                hint = "each node has a key of its own: one key would count as several sites"
                raise RefusedError("another node has this key", hint) from error

        await self._database.write(work)

    async def suspend(self, node_id: str, at: float) -> bool:
        async def work(connection: aiosqlite.Connection) -> bool:
            await connection.execute("DELETE FROM sightings WHERE node = (SELECT number FROM nodes WHERE id = ?)", (node_id,))
            changed = await connection.execute(
                "UPDATE nodes SET suspended_at = coalesce(suspended_at, ?) WHERE id = ?", (at, node_id)
            )
            return changed.rowcount == 1

        return await self._database.write(work)

    async def note_silent(self, ids: Collection[str], at: float) -> None:
        silent = json.dumps([*ids])

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(
                "UPDATE nodes SET silent_since = coalesce(silent_since, ?) WHERE id IN (SELECT value FROM json_each(?))",
                (at, silent),
            )
            await connection.execute(
                "UPDATE nodes SET silent_since = NULL WHERE silent_since IS NOT NULL"
                " AND id NOT IN (SELECT value FROM json_each(?))",
                (silent,),
            )

        await self._database.write(work)

    async def forget(self, node_id: str) -> bool:
        async def work(connection: aiosqlite.Connection) -> bool:
            return (await connection.execute("DELETE FROM nodes WHERE id = ?", (node_id,))).rowcount == 1

        return await self._database.write(work)


def _node_of(row: Sequence[Any]) -> Node:
    node_id, site, key, own, admitted_at, suspended_at, boot, seq, reported_at, spent, canary, silent = row
    addresses = frozenset(map(reported_address, own.split()))
    quota = Quota.of_text(spent)
    times = admitted_at, suspended_at, boot, seq, reported_at
    return Node(node_id, site, bytes(key), addresses, *times, quota, bool(canary), silent)
