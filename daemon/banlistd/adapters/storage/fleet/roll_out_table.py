"""Lists that are stopped and versions in question, on SQLite. The only file with queries on them."""

from collections.abc import Mapping
from dataclasses import replace

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.fleet.roll_out.stops import UNTOUCHED, ListStop, QuestionedVersion, Questioner, RollOutState


class RollOutTable:
    """The RollOutLog of `ports`."""

    def __init__(self, database: Database, fleet: str) -> None:
        self._database = database
        self._fleet = fleet

    async def every(self) -> Mapping[str, RollOutState]:
        async def work(connection: aiosqlite.Connection) -> dict[str, RollOutState]:
            found: dict[str, RollOutState] = {}
            for name, content_hash, at, node, uid, guard, reason, cleared in await connection.execute_fetchall(
                "SELECT list, content_hash, at, node, uid, guard, reason, is_cleared FROM questioned_versions"
                " ORDER BY list, place"
            ):
                one = QuestionedVersion(content_hash, at, Questioner(node, uid, guard, reason), bool(cleared))
                state = found.get(name, UNTOUCHED)
                found[name] = replace(state, questioned=(*state.questioned, one))
            for name, since, kept, node, uid, guard, reason in await connection.execute_fetchall(
                "SELECT list, since, kept, node, uid, guard, reason FROM stopped_lists"
            ):
                stop = ListStop(since, Questioner(node, uid, guard, reason), kept)
                found[name] = replace(found.get(name, UNTOUCHED), stop=stop)
            for name, number, signed in await connection.execute_fetchall("SELECT list, number, signed FROM roll_out_numbers"):
                found[name] = replace(found.get(name, UNTOUCHED), number=number, signed=signed)
            return found

        return await self._database.read(work)

    async def keep(self, name: str, state: RollOutState) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("DELETE FROM stopped_lists WHERE list = ?", (name,))
            await connection.execute("DELETE FROM questioned_versions WHERE list = ?", (name,))
            await connection.execute(
                "INSERT OR REPLACE INTO roll_out_numbers VALUES (?, ?, ?)", (name, state.number, state.signed)
            )
            if (stop := state.stop) is not None:
                await connection.execute(
                    "INSERT INTO stopped_lists VALUES (?, ?, ?, ?, ?, ?, ?)", (name, stop.since, stop.kept, *_row(stop.by))
                )
            await connection.executemany(
                "INSERT INTO questioned_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (name, one.content_hash, place, one.at, *_row(one.by), one.is_cleared)
                    for place, one in enumerate(state.questioned)
                ],
            )

        await self._database.write(work)

    async def highest(self) -> int:
        rows = await self._database.run("SELECT version FROM published_versions WHERE fleet = ?", (self._fleet,))
        return int(rows[0][0]) if rows else 0

    async def published(self, version: int) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(
                "INSERT INTO published_versions VALUES (?, ?)"
                " ON CONFLICT (fleet) DO UPDATE SET version = max(version, excluded.version)",
                (self._fleet, version),
            )

        await self._database.write(work)


def _row(by: Questioner) -> tuple[str, int | None, str, str]:
    return by.node, by.uid, by.guard, by.reason
