"""What was verified of a fleet, on SQLite. The only file with queries on it."""

from collections.abc import Collection, Mapping

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.fleet.kept_rows import TOP_ROLES
from banlistd.core.fleet.trust import FleetState, KnownTrust

_ROOTS = "root_history/"
_MOST_REMEMBERED = 2**18
"""Octets of metadata; of a fleet with a dozen lists, they are 10 KiB."""

_STATE = "floor, root_version, root_hash, timestamp_version, expires_at, mirror"


class TrustTable:
    """The TrustLog of `ports`. What is short is read once: each pull asks for it, and nothing else writes it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, KnownTrust] = {}

    async def load(self, fleet: str) -> KnownTrust:
        if fleet not in self._known:
            return self._remembered(fleet, await self._read(fleet))
        return self._known[fleet]

    async def _read(self, fleet: str) -> KnownTrust:
        async def work(connection: aiosqlite.Connection) -> KnownTrust:
            rows = await connection.execute_fetchall("SELECT name, octets FROM hub_trust WHERE fleet = ?", (fleet,))
            return KnownTrust({name: octets for name, octets in rows}, await _state(connection, fleet))  # noqa: C416 - rows of SQLite

        return await self._database.read(work)

    def _remembered(self, fleet: str, known: KnownTrust) -> KnownTrust:
        if sum(map(len, known.rows.values())) <= _MOST_REMEMBERED:
            self._known[fleet] = known
        return known

    async def state(self, fleet: str) -> FleetState:
        async def work(connection: aiosqlite.Connection) -> FleetState:
            return await _state(connection, fleet)

        return await self._database.read(work)

    async def keep(self, fleet: str, rows: Mapping[str, bytes], lists: Collection[str], state: FleetState) -> None:
        kept = {f"{role}.json" for role in (*TOP_ROLES, *lists)}

        async def work(connection: aiosqlite.Connection) -> None:
            named = [(fleet, name, octets) for name, octets in rows.items()]
            found = await connection.execute_fetchall(
                "SELECT name FROM hub_trust WHERE fleet = ? AND name NOT GLOB ?", (fleet, f"{_ROOTS}*")
            )
            gone = [(fleet, name) for (name,) in found if name not in kept]
            await connection.executemany("DELETE FROM hub_trust WHERE fleet = ? AND name = ?", gone)
            await connection.executemany("INSERT OR REPLACE INTO hub_trust VALUES (?, ?, ?)", named)
            await connection.execute("INSERT OR REPLACE INTO hub_state VALUES (?, ?, ?, ?, ?, ?, ?)", (fleet, *_row_of(state)))

        before = self._known.pop(fleet, None)  # unless the work ends well, the database alone knows what it has
        await self._database.write(work)
        if before is not None:
            left = {name: octets for name, octets in before.rows.items() if name in kept or name.startswith(_ROOTS)}
            self._remembered(fleet, KnownTrust({**left, **rows}, state))


def _row_of(state: FleetState) -> tuple[float | int | str, ...]:
    """In the order of `_STATE`. `dataclasses.astuple` copies each value, and takes as long as all statements of a pull."""
    verified = state.floor, state.root_version, state.root_hash
    return (*verified, state.timestamp_version, state.expires_at, state.mirror)


async def _state(connection: aiosqlite.Connection, fleet: str) -> FleetState:
    states = await connection.execute_fetchall(f"SELECT {_STATE} FROM hub_state WHERE fleet = ?", (fleet,))  # noqa: S608 - a literal
    for state in states:
        return FleetState(*state)
    return FleetState()
