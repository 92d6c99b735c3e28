"""The quarantine on SQLite: refused content, and the health of each source. The only file with queries on them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.adapters.storage.poll_rows import RECENT_DAYS, confirm_good
from banlistd.adapters.storage.works import write_blob
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.extent import AcceptedSizes
from banlistd.core.feeds.quarantine import Confirmed, PastContents, Quarantined, SourceHealth
from banlistd.core.feeds.samples import Sample
from banlistd.model import ContentHash, Poll, SourceId

_COLUMNS = (
    "source_id, content_hash, snapshot, guard, reason, entries, rejected, first_seen, last_seen, refusals, stood, approved"
)

QUARANTINED_OF = f"SELECT {_COLUMNS} FROM quarantine WHERE source_id = ?"  # noqa: S608 - made of the literal above

# The same content again moves the counters alone: the snapshot may have megabytes.
_MOVE = """
    UPDATE quarantine SET guard = :guard, reason = :reason, first_seen = :first_seen, last_seen = :last_seen,
        refusals = :refusals, stood = :stood, approved = :approved
    WHERE source_id = :source_id AND content_hash = :content_hash
    RETURNING source_id
"""

_HOLD_BACK = f"""
    INSERT OR REPLACE INTO quarantine ({_COLUMNS}) VALUES (:source_id, :content_hash, zeroblob(:octets), :guard, :reason,
        :entries, :rejected, :first_seen, :last_seen, :refusals, :stood, :approved)
"""  # noqa: S608 - made of the literal above

_RECENT = """
    SELECT min(fewest), max(most), min(least4), max(most4), min(least6), max(most6), sum(replaced) FROM recent_contents
    WHERE source_id = :source_id AND day BETWEEN :day - :days AND :day
"""


# What came after a sample on its own day counts too.
_SAMPLES = """
    SELECT sample, sampled, (SELECT sum(churn) FROM recent_contents AS later WHERE later.source_id = first.source_id
        AND later.day BETWEEN first.day AND :day)
    FROM recent_contents AS first
    WHERE source_id = :source_id AND day BETWEEN :day - :days AND :day AND sample IS NOT NULL ORDER BY day
"""


_HEALTH = "good_at, coalesce(changed_at, good_at), trailer, told, frozen_told"
HEALTHS = f"SELECT {_HEALTH}, source_id FROM standings"  # noqa: S608 - as above
OLD_HEALTHS = f"{HEALTHS} WHERE good_at <= ? OR coalesce(changed_at, good_at) <= ?"
GOOD_AT = "SELECT source_id, good_at FROM standings"
REFUSALS = "SELECT source_id, guard FROM quarantine"
_HEALTH_OF = f"SELECT {_HEALTH} FROM standings WHERE source_id = ?"  # noqa: S608 - made of the literal above


class QuarantineTable:
    """The Quarantine of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def quarantined(self, source_id: SourceId) -> Quarantined | None:
        return quarantined_of(await self._database.run(QUARANTINED_OF, (source_id,)))

    async def refused_since(self, guard: str, source_id: SourceId, content_hash: ContentHash) -> float | None:
        """Since when a guard has refused this content; None where it has not. Raises LedgerError."""
        rows = await self._database.run(
            "SELECT first_seen FROM quarantine WHERE guard = ? AND source_id = ? AND content_hash = ?",
            (guard, source_id, content_hash),
        )
        return rows[0][0] if rows else None

    async def hold_back(self, content: Quarantined) -> None:
        parameters = {
            "source_id": content.source_id,
            "content_hash": content.content_hash,
            "guard": content.guard,
            "reason": content.reason,
            "entries": content.entries,
            "rejected": content.rejected,
            "first_seen": content.first_seen,
            "last_seen": content.last_seen,
            "refusals": content.refusals,
            "stood": content.stood,
            "approved": content.approved,
        }

        async def work(connection: aiosqlite.Connection) -> None:
            if not list(await connection.execute_fetchall(_MOVE, parameters)):
                cursor = await connection.execute(_HOLD_BACK, parameters | {"octets": len(content.snapshot)})
                write_blob(connection, "quarantine", "snapshot", cursor.lastrowid or 0, content.snapshot)

        await self._database.write(work)

    async def approve(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        async def work(connection: aiosqlite.Connection) -> bool:
            rows = await connection.execute_fetchall(
                "UPDATE quarantine SET approved = 1 WHERE source_id = ? AND content_hash = ? RETURNING source_id",
                (source_id, content_hash),
            )
            return bool(list(rows))

        return await self._database.write(work)

    async def confirm(self, poll: Poll, now: float, good: Confirmed) -> None:
        await self._database.write(partial(confirm_good, poll, now, good))

    async def health(self, source_id: SourceId) -> SourceHealth | None:
        rows = await self._database.run(_HEALTH_OF, (source_id,))
        return _health_of(rows[0]) if rows else None

    async def past(self, source_id: SourceId, now: float) -> PastContents:
        return await self._database.read(partial(past_of, source_id, now))

    async def clock_set_back(self, source_id: SourceId, now: float) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("UPDATE standings SET good_at = min(good_at, ?) WHERE source_id = ?", (now, source_id))

        await self._database.write(work)

    async def mark_stale_announced(self, source_id: SourceId) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("UPDATE standings SET told = 1 WHERE source_id = ?", (source_id,))

        await self._database.write(work)

    async def mark_frozen_announced(self, source_id: SourceId) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("UPDATE standings SET frozen_told = 1 WHERE source_id = ?", (source_id,))

        await self._database.write(work)


async def past_of(source_id: SourceId, now: float, connection: aiosqlite.Connection) -> PastContents:
    """In a work: what is remembered of the good lists of a source."""
    days = {"source_id": source_id, "day": int(now // 86400), "days": RECENT_DAYS}
    healths = list(await connection.execute_fetchall(_HEALTH_OF, (source_id,)))
    (sizes,) = await connection.execute_fetchall(_RECENT, days)
    samples = await connection.execute_fetchall(_SAMPLES, days)
    return PastContents(
        _health_of(healths[0]) if healths else None,
        AcceptedSizes(*sizes) if sizes[1] is not None else None,
        tuple(Sample(AddressSet.decode(body), entries, churn) for body, entries, churn in samples),
    )


def _health_of(row: Sequence[Any]) -> SourceHealth:
    return SourceHealth(*row[:2], *map(bool, row[2:]))


def healths_of(rows: Iterable[Sequence[Any]]) -> Mapping[SourceId, SourceHealth]:
    """From what HEALTHS gives."""
    return {row[-1]: _health_of(row[:-1]) for row in rows}


def quarantined_of(rows: Sequence[Sequence[Any]]) -> Quarantined | None:
    """From what QUARANTINED_OF gives."""
    return Quarantined(*[*rows[0][:-1], bool(rows[0][-1])]) if rows else None
