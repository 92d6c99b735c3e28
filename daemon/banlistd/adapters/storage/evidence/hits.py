"""Hits on SQLite. The only file with queries on them."""

from collections.abc import Mapping, Sequence
from typing import Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.value.over_time import HitSpan, Slots
from banlistd.core.ruleset.evidence.hits import FlowHit, HitBounds, HitChoice, HitCount, Meeting
from banlistd.model import ContentHash, Direction, Family, SourceId, Span

_COLUMNS = (
    "source_id, direction, address, peer, protocol, port, run_id, content_hash, first, last, source_port, samples, first_at, "
    "last_at"
)
_NOTE = f"""
    INSERT INTO hits ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (address, peer, port, protocol, source_id, direction, run_id) DO UPDATE SET
        samples = samples + excluded.samples, source_port = excluded.source_port,
        last_at = max(last_at, excluded.last_at)
"""  # noqa: S608 - no text from outside
_SURPLUS = (
    "DELETE FROM hits WHERE id IN (SELECT id FROM hits ORDER BY last_at, id LIMIT max(0, (SELECT count(*) FROM hits) - ?))"
)
_COUNTS = """
    SELECT source_id, count(*), sum(samples), count(DISTINCT address) FROM hits WHERE last_at >= ? GROUP BY source_id
"""
_OVER_TIME = """
    SELECT source_id, max(0, CAST((first_at - :since) / :width AS INTEGER)) AS began,
        CAST((last_at - :since) / :width AS INTEGER) AS ended, count(*)
    FROM hits WHERE last_at >= :since GROUP BY source_id, began, ended
"""
_OCTETS: Mapping[Family, int] = {Family.IPV4: 4, Family.IPV6: 16}
_NO_PORT = -1


class HitTable:
    """The HitLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, hits: Sequence[FlowHit], bounds: HitBounds, now: float) -> None:
        rows = [_row(hit) for hit in hits]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany(_NOTE, rows)
            await connection.execute("DELETE FROM hits WHERE last_at < ?", (now - bounds.keep,))
            await connection.execute(_SURPLUS, (bounds.rows,))

        await self._database.write(work)

    async def newest_first(self, choice: HitChoice, limit: int) -> Sequence[FlowHit]:
        conditions, values = ["1"], list[Any]()
        if choice.source_id is not None:
            conditions.append("source_id = ?")
            values.append(choice.source_id)
        if choice.span is not None:
            family, first, last = choice.span
            # Two keys of different lengths never compare as neighbours: length() keeps the families apart.
            conditions.append("address BETWEEN ? AND ? AND length(address) = ?")
            values += [_octets(family, first), _octets(family, last), _OCTETS[family]]
        if choice.before is not None:
            conditions.append("(last_at, id) < (?, ?)")
            values += choice.before
        order = f"SELECT id, {_COLUMNS} FROM hits WHERE {' AND '.join(conditions)} ORDER BY last_at DESC, id DESC LIMIT ?"  # noqa: S608
        return [_hit(row) for row in await self._database.run(order, (*values, limit))]

    async def counts(self, since: float = 0.0) -> Mapping[SourceId, HitCount]:
        return {SourceId(source_id): HitCount(*counts) for source_id, *counts in await self._database.run(_COUNTS, (since,))}

    async def over_time(self, slots: Slots) -> Sequence[HitSpan]:
        async def work(connection: aiosqlite.Connection) -> Sequence[HitSpan]:
            # Made in SQLite's thread: there may be as many as there are hits.
            rows = await connection.execute_fetchall(_OVER_TIME, {"since": slots.since, "width": slots.width})
            return [HitSpan(SourceId(source_id), first, last, hits) for source_id, first, last, hits in rows]

        return await self._database.read(work)


def _row(hit: FlowHit) -> tuple[Any, ...]:
    meeting = hit.meeting
    entry = (None, None) if meeting.entry is None else (_octets(meeting.entry[0], end) for end in meeting.entry[1:])
    return (
        meeting.source_id,
        meeting.direction,
        _octets(meeting.family, meeting.address),
        _octets(meeting.family, meeting.peer),
        meeting.protocol,
        _NO_PORT if meeting.port is None else meeting.port,
        hit.run_id,
        meeting.content_hash,
        *entry,
        hit.source_port,
        hit.samples,
        hit.first_at,
        hit.last_at,
    )


def _hit(row: Sequence[Any]) -> FlowHit:
    number, source_id, direction, address, peer, protocol, port, run_id, content_hash, first, last, *times = row
    source_port, samples, first_at, last_at = times
    meeting = Meeting(
        SourceId(source_id),
        Direction(direction),
        _family(address),
        int.from_bytes(address, "big"),
        int.from_bytes(peer, "big"),
        protocol,
        None if port == _NO_PORT else port,
        None if content_hash is None else ContentHash(content_hash),
        _span(first, last),
    )
    return FlowHit(meeting, samples, first_at, last_at, source_port, run_id, number)


def _octets(family: Family, number: int) -> bytes:
    return number.to_bytes(_OCTETS[family], "big")


def _family(address: bytes) -> Family:
    return Family.IPV4 if len(address) == _OCTETS[Family.IPV4] else Family.IPV6


def _span(first: bytes | None, last: bytes | None) -> Span | None:
    if first is None or last is None:
        return None
    return _family(first), int.from_bytes(first, "big"), int.from_bytes(last, "big")
