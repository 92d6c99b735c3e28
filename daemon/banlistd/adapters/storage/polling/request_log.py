"""When lists were last asked for, on SQLite. The only file with queries on it."""

from collections.abc import Mapping

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.download.intervals import LastRequest

_KEPT = 400 * 86_400.0
"""Seconds after which a place is forgotten; no minimum interval is longer than a year."""

_KEEP = """
    INSERT INTO requests (place, asked_at, retry_at) VALUES (:place, :asked_at, :retry_at)
    ON CONFLICT (place) DO UPDATE SET asked_at = excluded.asked_at, retry_at = excluded.retry_at
"""

_FORGET_OLD = "DELETE FROM requests WHERE place <> :place AND max(coalesce(asked_at, 0), coalesce(retry_at, 0)) < :old"


class RequestTable:
    """The RequestLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Mapping[str, LastRequest]:
        rows = await self._database.run("SELECT place, asked_at, retry_at FROM requests")
        return {place: LastRequest(asked_at, retry_at) for place, asked_at, retry_at in rows}

    async def keep(self, place: str, last: LastRequest) -> None:
        row = {"place": place, "asked_at": last.asked_at, "retry_at": last.retry_at}
        old = {"place": place, "old": max(last.asked_at or 0.0, last.retry_at or 0.0) - _KEPT}

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_KEEP, row)
            await connection.execute(_FORGET_OLD, old)

        await self._database.write(work)
