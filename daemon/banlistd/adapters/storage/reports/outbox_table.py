"""What a node has to report, on SQLite. The only file with queries on it."""

from collections.abc import Collection, Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.fleet.reports.outbox import ReportChange
from banlistd.core.fleet.reports.report import LiftedBan, ReportedBan

_PUT = """
    INSERT OR REPLACE INTO report_outbox (address, origin, at, seconds, is_lifted, number)
    VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM report_outbox))
"""
_FORGET = "DELETE FROM report_outbox WHERE number NOT IN (SELECT number FROM report_outbox ORDER BY number DESC LIMIT ?)"


class OutboxTable:
    """The ReportOutbox of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next_boot(self, now: float) -> int:
        async def work(connection: aiosqlite.Connection) -> int:
            ((last,),) = await connection.execute_fetchall("SELECT max(boot) FROM report_boots")
            boot = max(int(now), 0 if last is None else last + 1)
            await connection.execute("DELETE FROM report_boots")
            await connection.execute("INSERT INTO report_boots VALUES (?)", (boot,))
            return boot

        return await self._database.write(work)

    async def put(self, changes: Sequence[ReportChange], most: int) -> int:
        rows = [_row_of(change) for change in changes]

        async def work(connection: aiosqlite.Connection) -> int:
            await connection.executemany(_PUT, rows)
            return (await connection.execute(_FORGET, (most,))).rowcount

        return await self._database.write(work)

    async def oldest(self, limit: int) -> Sequence[tuple[int, ReportChange]]:
        rows = await self._database.run(
            "SELECT number, address, origin, at, seconds, is_lifted FROM report_outbox ORDER BY number LIMIT ?", (limit,)
        )
        return [
            (number, LiftedBan(bytes(address), origin) if lifted else ReportedBan(bytes(address), at, seconds, origin))
            for number, address, origin, at, seconds, lifted in rows
        ]

    async def done(self, numbers: Collection[int]) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany("DELETE FROM report_outbox WHERE number = ?", [(number,) for number in numbers])

        await self._database.write(work)


def _row_of(change: ReportChange) -> tuple[bytes, str, int, int | None, bool]:
    if isinstance(change, LiftedBan):
        return change.address, change.origin, 0, None, True
    return change.address, change.origin, change.at, change.seconds, False
