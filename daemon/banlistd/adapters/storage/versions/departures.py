"""What left the lists, on SQLite. The only file with queries on it."""

from collections.abc import Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.content import Pending
from banlistd.model import SourceId

# The longest that a configuration may have: tests/core/config/test_combining.py compares them.
_LONGEST_WINDOW = 90 * 86_400.0


class DepartureTable:
    """The Departures of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def between(self, source_id: SourceId, first: float, last: float) -> Sequence[tuple[float, bytes]]:
        rows = await self._database.run(
            "SELECT left_at, body FROM departures WHERE source_id = ? AND left_at BETWEEN ? AND ? ORDER BY left_at, id",
            (source_id, first, last),
        )
        return [(left_at, bytes(body)) for left_at, body in rows]


async def note_departures(connection: aiosqlite.Connection, pending: Pending, now: float) -> None:
    """Within the transaction that opens a run: remember what leaves with its content, and forget what no window asks for.

    Of sources that are no longer configured, too: no run of theirs will do so.
    """
    if pending.departed is not None and pending.remembered:
        row = (pending.source_id, now, pending.departed)
        await connection.execute("INSERT INTO departures (source_id, left_at, body) VALUES (?, ?, ?)", row)
    oldest = now - pending.remembered if pending.remembered else float("inf")
    await connection.execute("DELETE FROM departures WHERE source_id = ? AND left_at < ?", (pending.source_id, oldest))
    if pending.remembered:
        await connection.execute("DELETE FROM departures WHERE left_at < ?", (now - _LONGEST_WINDOW,))
