"""What a node has to report, on SQLite. The only file with queries on it."""

from collections.abc import Callable, Collection, Sequence
from itertools import islice

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.adapters.storage.manual_bans import bans_within, newest_bans, newest_ends
from banlistd.core.fleet.reports.addresses import ReportedAddress, bounds_of
from banlistd.core.fleet.reports.outbox import (
    LIFTED_AGAIN,
    MOST_IN_OUTBOX,
    ReportChange,
    ends_again,
    reported_bans,
    reported_ends,
)
from banlistd.core.fleet.reports.report import LiftedBan, ReportedBan
from banlistd.core.manual.ended_bans import BanEnd, EndedBan
from banlistd.model import ManualBan

_PUT = """
    INSERT OR REPLACE INTO report_outbox (address, origin, at, seconds, is_lifted, number)
    VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM report_outbox))
"""
_PUT_MISSING = _PUT.replace("OR REPLACE", "OR IGNORE")
_FORGET = """
    DELETE FROM report_outbox WHERE number <= (SELECT number FROM report_outbox ORDER BY number DESC LIMIT 1 OFFSET ?)
"""


class OutboxNotes:
    """What is to be reported of each change of the manual bans, written down in its transaction: both happen, or neither.

    `patterns`: of the origins whose bans are reported. `now`: seconds since the epoch.
    """

    def __init__(self, patterns: Sequence[str], now: Callable[[], float]) -> None:
        self._patterns = patterns
        self._now = now

    async def note(self, connection: aiosqlite.Connection, come: Sequence[ManualBan], ended: Sequence[EndedBan]) -> None:
        now = self._now()
        ends = [*reported_ends(((one.ban, one.ended_at) for one in ended), self._patterns)]
        # Of more only the last would stay, and the firewall waits for this.
        lifted = [one for one in ends[-MOST_IN_OUTBOX:] if not await _is_banned(connection, one, self._patterns, now)]
        # Of an address that is lifted and banned at once, the ban counts.
        changes: list[ReportChange] = [*lifted, *reported_bans(come, self._patterns, now)]
        if changes:
            await put_changes(connection, changes)


async def _is_banned(connection: aiosqlite.Connection, lifted: LiftedBan, patterns: Sequence[str], now: float) -> bool:
    """Whether another ban in force of the address is reported."""
    bans = await bans_within(connection, bounds_of(lifted.address))
    return any(True for _ in reported_bans(bans, patterns, now))


async def put_changes(connection: aiosqlite.Connection, changes: Sequence[ReportChange], most: int = MOST_IN_OUTBOX) -> None:
    """In a work: add some; beyond the bound the oldest go."""
    await connection.executemany(_PUT, [_row_of(change) for change in changes[-most:]])
    await connection.execute(_FORGET, (most,))


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

    async def repeater(self) -> str:
        rows = await self._database.run("SELECT name FROM report_repeaters")
        return str(rows[0][0]) if rows else ""

    async def repeat(self, who: str, patterns: Sequence[str], now: float, most: int) -> int:
        async def work(connection: aiosqlite.Connection) -> int:
            await connection.execute("DELETE FROM report_repeaters")
            await connection.execute("INSERT INTO report_repeaters VALUES (?)", (who,))
            ((waiting,),) = await connection.execute_fetchall("SELECT count(*) FROM report_outbox")
            found = reported_bans(await newest_bans(connection), patterns, now)
            bans: dict[ReportedAddress, ReportedBan] = {}
            for ban in islice(found, max(0, min(most, MOST_IN_OUTBOX - waiting))):
                bans.setdefault(ban.address, ban)
            room = max(0, min(most, MOST_IN_OUTBOX - waiting - len(bans)))
            lifted: list[LiftedBan] = []
            recent = await newest_ends(connection, now - LIFTED_AGAIN, MOST_IN_OUTBOX)
            for one in ends_again(((each.ban, each.ended_at, each.how is BanEnd.LIFTED) for each in recent), patterns):
                if len(lifted) < room and not await _is_banned(connection, one, patterns, now):
                    lifted.append(one)
            changes: list[ReportChange] = [*reversed(lifted), *reversed(bans.values())]
            await connection.executemany(_PUT_MISSING, map(_row_of, changes))
            return len(bans) + len(lifted)

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
