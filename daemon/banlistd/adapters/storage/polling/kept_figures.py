"""The figures of all sources, kept in memory, of which only changed rows are read again: metrics ask for thousands each minute.

Triggers of the connection note the sources whose rows are written. They are temporary: the file has nothing of them, and a
connection that takes the place of another one begins without them, so that everything is read again.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, cast

import aiosqlite

from banlistd.adapters.storage.import_runs import NEWEST_RUNS_OF, NEWEST_RUNS_OF_ALL
from banlistd.adapters.storage.quarantine import GOOD_AT, REFUSALS
from banlistd.core.feeds.health.figures import SourceFigures
from banlistd.model import SourceId

_OF_THESE = " WHERE source_id IN (SELECT value FROM json_each(?))"
_POLLS = "SELECT source_id, due_at, failures FROM polls"
_RUN = "SELECT source_id, entries, completed_at"
_OF_ALL = (_POLLS, f"{_RUN} {NEWEST_RUNS_OF_ALL}", GOOD_AT, REFUSALS)
_OF_SOME = (_POLLS + _OF_THESE, f"{_RUN} {NEWEST_RUNS_OF}", GOOD_AT + _OF_THESE, REFUSALS + _OF_THESE)

_IS_WATCHED = "SELECT count(*) FROM sqlite_temp_master WHERE type = 'trigger' AND name LIKE 'figures_of_%'"
_TABLES, _EVENTS = (
    ("polls", "import_runs", "standings", "quarantine"),
    (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")),
)
_TRIGGERS = tuple(
    f"CREATE TEMP TRIGGER figures_of_{table}_{event} AFTER {event} ON main.{table}"
    f" BEGIN SELECT note_source({row}.source_id); END"
    for table in _TABLES
    for event, row in _EVENTS
)

_MANY = 500
"""Changed sources of which all rows are read: a question for each of them costs more than one for all."""

_Tables = tuple[dict[SourceId, Any], ...]


class KeptFigures:
    """For works of one database, which SQLite's thread carries out one after another."""

    def __init__(self) -> None:
        self._changed: set[SourceId] = set()
        self._kept: _Tables = ()

    async def read(self, connection: aiosqlite.Connection) -> SourceFigures:
        """A work."""
        if (await connection.execute_fetchall(_IS_WATCHED))[0][0] < len(_TRIGGERS):  # type: ignore[index]  # works get lists
            await self._watch(connection)
        # The work may fail half-way: then the next one reads these again.
        changed = sorted(self._changed)
        if not self._kept or len(changed) > _MANY:
            self._kept = await _rows(connection, _OF_ALL)
        elif changed:
            newer = await _rows(connection, _OF_SOME, (json.dumps(changed),))
            self._kept = tuple(_merged(before, found, changed) for before, found in zip(self._kept, newer, strict=True))
        self._changed.clear()
        return SourceFigures(*self._kept)

    async def _watch(self, connection: aiosqlite.Connection) -> None:
        self._kept, self._changed = (), set()
        cast("sqlite3.Connection", connection).create_function("note_source", 1, self._changed.add)
        for trigger in _TRIGGERS:
            await connection.execute(trigger)


async def _rows(connection: aiosqlite.Connection, statements: Sequence[str], parameters: Sequence[str] = ()) -> _Tables:
    polls, runs, good_at, refusals = [await connection.execute_fetchall(one, parameters) for one in statements]
    return (
        {row[0]: (row[1], row[2]) for row in polls},
        {row[0]: (row[1], row[2]) for row in runs},
        {row[0]: row[1] for row in good_at},
        {row[0]: row[1] for row in refusals},
    )


def _merged(before: Mapping[SourceId, Any], found: Mapping[SourceId, Any], changed: Sequence[SourceId]) -> dict[SourceId, Any]:
    """A new mapping: others may still read the one before."""
    gone = [one for one in changed if one in before and one not in found]
    merged = {**before, **found}
    for one in gone:
        del merged[one]
    return merged
