"""What a poll needs to know of its source, in one turn of SQLite's thread: a start with thousands of sources asks for each."""

import json
from collections.abc import Collection, Sequence
from functools import partial

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.adapters.storage.import_runs import EMPTY_SOURCES, NEWEST_OF, newest_of
from banlistd.adapters.storage.poll_rows import POLL_OF, POLLS, poll_of, polls_of, save
from banlistd.adapters.storage.polling.findings import MOVED
from banlistd.adapters.storage.polling.kept_figures import KeptFigures
from banlistd.adapters.storage.quarantine import (
    HEALTHS,
    OLD_HEALTHS,
    QUARANTINED_OF,
    REFUSALS,
    healths_of,
    past_of,
    quarantined_of,
)
from banlistd.core.feeds.health.figures import SourceFigures
from banlistd.core.feeds.health.overview import Oldest, Overview
from banlistd.core.feeds.quarantine import PastContents, SourceRecord
from banlistd.core.feeds.value.over_time import BEFORE, SLOTS, ListSizes, Slots
from banlistd.model import Poll, SourceId

# Versions know when each content came, also one that came again. A run of before there was a history, or of which the version
# is forgotten, has its arrival: a run is completed anew where its content is only applied once more. Of the rows of a group
# the bare columns are those of the greatest moment (SQLite, "Bare columns in an aggregate query"). A row for each list:
# hundreds of thousands of rows take longer to pass on than to count (measured: 1.7 s, and 1.2 s so).
_SIZES = f"""
    WITH changes (source_id, at, entries) AS (
        SELECT source_id, came_at, entries FROM versions WHERE came_at IS NOT NULL
        UNION
        SELECT source_id, arrived_at, entries FROM arrivals JOIN import_runs USING (source_id, content_hash)
        WHERE state = 'completed'
    )
    SELECT source_id, group_concat(slot || ' ' || entries) FROM (
        SELECT source_id, iif(at < :since, {BEFORE}, min({SLOTS - 1}, CAST((at - :since) / :width AS INTEGER))) AS slot,
            entries, max(at)
        FROM changes GROUP BY source_id, slot
    ) GROUP BY source_id
"""  # noqa: S608 - two numbers


# The condition is SQLite's: after each row Python's threads take turns, and those under way may be thousands.
_ENDED = f"{POLLS} WHERE source_id NOT IN (SELECT value FROM json_each(?))"  # noqa: S608 - made of a literal
_FAILING = f"{_ENDED} AND failures > 0"


class SourceRecordTables:
    """The SourceRecords of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._figures = KeptFigures()

    async def record(self, source_id: SourceId) -> SourceRecord:
        key = (source_id,)

        async def work(connection: aiosqlite.Connection) -> SourceRecord:
            polls = list(await connection.execute_fetchall(POLL_OF, key))
            runs = list(await connection.execute_fetchall(NEWEST_OF, key))
            contents = list(await connection.execute_fetchall(QUARANTINED_OF, key))
            return SourceRecord(poll_of(source_id, polls), newest_of(runs), quarantined_of(contents))

        return await self._database.read(work)

    async def begin(self, poll: Poll, now: float) -> PastContents:
        async def work(connection: aiosqlite.Connection) -> PastContents:
            await save(poll, connection)
            return await past_of(poll.source_id, now, connection)

        return await self._database.write(work)

    async def overview(self, oldest: Oldest | None = None, under_way: Collection[SourceId] = ()) -> Overview:
        # The values are made in SQLite's thread too: for thousands of sources the event loop would pause.
        return await self._database.read(partial(_overview, oldest, under_way))

    async def figures(self) -> SourceFigures:
        return await self._database.read(self._figures.read)

    async def sizes(self, slots: Slots) -> Sequence[ListSizes]:
        return await self._database.read(partial(_sizes, slots))


async def _sizes(slots: Slots, connection: aiosqlite.Connection) -> Sequence[ListSizes]:
    rows = await connection.execute_fetchall(_SIZES, {"since": slots.since, "width": slots.width})
    return [ListSizes(SourceId(source_id), dict(_pair(part) for part in text.split(","))) for source_id, text in rows]


def _pair(text: str) -> tuple[int, int]:
    slot, _, entries = text.partition(" ")
    return int(slot), int(entries)


async def _overview(oldest: Oldest | None, under_way: Collection[SourceId], connection: aiosqlite.Connection) -> Overview:
    if oldest is None:
        polls = await connection.execute_fetchall(_ENDED, (json.dumps([*under_way]),))
        healths = await connection.execute_fetchall(HEALTHS)
    else:
        polls = await connection.execute_fetchall(_FAILING, (json.dumps([*under_way]),))
        healths = await connection.execute_fetchall(OLD_HEALTHS, (oldest.good_at, oldest.changed_at))
    return Overview(
        polls_of(polls),
        healths_of(healths),
        {row[0]: row[1] for row in await connection.execute_fetchall(REFUSALS)},
        frozenset(row[0] for row in await connection.execute_fetchall(EMPTY_SOURCES)),
        {row[0]: row[1] for row in await connection.execute_fetchall(MOVED)},
    )
