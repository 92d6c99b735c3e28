"""The ledger on SQLite: `import_runs`, snapshots and marks. The only file with queries on them.

Each call is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.adapters.storage.list_ends import note_ends
from banlistd.adapters.storage.marks import give_marks, known_marks
from banlistd.adapters.storage.poll_rows import (
    POLL_OF,
    POLLS,
    POLLS_OF,
    confirm_good,
    keep_findings,
    keep_validators,
    poll_of,
    polls_of,
    save,
)
from banlistd.adapters.storage.versions.departures import note_departures
from banlistd.adapters.storage.versions.version_table import complete_version, note_version
from banlistd.core.feeds.content import NOT_ENDED, Pending
from banlistd.model import ContentHash, ImportRun, Mark, Marker, PolicyHash, Poll, RunState, SourceId, Validators

if TYPE_CHECKING:
    from banlistd.core.feeds.found_list import PollEnd  # as in `poll_rows`

# Rows kept for each source. A source that changes every hour has four days of history in them, and the file stays small.
KEPT_RUNS = 100

_COLUMNS = (
    "id, source_id, content_hash, state, generation, attempts, entries, added, removed, rejected, error, policy_hash,"
    " started_at, CASE state WHEN 'pending' THEN NULL ELSE completed_at END"
)

_NEXT_GENERATION = "(SELECT coalesce(max(generation), 0) + 1 FROM import_runs WHERE source_id = :source_id)"

# A pending run keeps its time of completion while its content is the last completed one: such a run never fails, because
# then no content of the source would be accepted any more.
_IS_LAST_COMPLETED = """state <> 'failed' AND NOT EXISTS (SELECT 1 FROM import_runs AS newer
            WHERE newer.source_id = :source_id AND newer.state = 'completed' AND newer.generation > import_runs.generation)"""

# Check-then-insert would lose a race; one statement cannot. DO UPDATE and not DO NOTHING, because the latter returns no row.
_UPSERT_PENDING = f"""
    INSERT INTO import_runs (source_id, content_hash, state, generation, entries, rejected, policy_hash, started_at)
    VALUES (:source_id, :content_hash, 'pending', {_NEXT_GENERATION}, :entries, :rejected, :policy_hash, :now)
    ON CONFLICT (source_id, content_hash) DO UPDATE SET
        state = 'pending', generation = {_NEXT_GENERATION}, attempts = attempts + 1, entries = excluded.entries,
        rejected = excluded.rejected, error = '', policy_hash = excluded.policy_hash, started_at = excluded.started_at,
        completed_at = CASE WHEN {_IS_LAST_COMPLETED} THEN completed_at END
    RETURNING {_COLUMNS}
"""  # noqa: S608 - made of the literals above

_KEEP_SNAPSHOT = """
    INSERT INTO snapshots (source_id, content_hash, body) VALUES (:source_id, :content_hash, :body)
    ON CONFLICT (source_id, content_hash) DO UPDATE SET body = excluded.body
"""

# A content that is only applied once more arrived when it arrived.
_NOTE_ARRIVAL = """
    INSERT INTO arrivals (source_id, content_hash, arrived_at, body) VALUES (:source_id, :content_hash, :now, :body)
    ON CONFLICT (source_id, content_hash) DO NOTHING
"""

_NOTE_NEW_ARRIVAL = """
    INSERT INTO arrivals (source_id, content_hash, arrived_at, body) VALUES (:source_id, :content_hash, :now, :body)
    ON CONFLICT (source_id, content_hash) DO UPDATE SET arrived_at = excluded.arrived_at, body = excluded.body
"""

_MARK_COMPLETED = """
    UPDATE import_runs SET state = 'completed', added = :added, removed = :removed, policy_hash = :policy_hash, error = '',
        completed_at = :now
    WHERE id = :id AND state = 'pending'
    RETURNING id
"""

_COMPLETE_AGAIN = """
    UPDATE import_runs SET state = 'completed' WHERE id = :id AND state = 'pending' AND completed_at IS NOT NULL
    RETURNING id
"""

_FAIL_RUN = "UPDATE import_runs SET state = 'failed', error = :error, completed_at = :now WHERE id = :id AND state = 'pending'"

# A complete run was read: a kill before the end of its poll is no failure of the list.
_END_ATTEMPT = "UPDATE polls SET failures = 0, error = '', failing_since = NULL WHERE source_id = ? AND error = ?"

_FORGET_OLD_SNAPSHOTS = """
    DELETE FROM snapshots WHERE source_id = :source_id AND content_hash NOT IN (
        SELECT content_hash FROM import_runs WHERE source_id = :source_id AND content_hash IS NOT NULL
            AND generation >= (SELECT generation FROM import_runs WHERE id = :id))
"""

_FORGET_OLD_RUNS = f"""
    DELETE FROM import_runs WHERE source_id = :source_id AND state <> 'pending' AND id NOT IN (
        SELECT id FROM import_runs WHERE source_id = :source_id ORDER BY generation DESC LIMIT {KEPT_RUNS})
    AND (content_hash IS NULL OR content_hash NOT IN (SELECT content_hash FROM snapshots WHERE source_id = :source_id))
"""  # noqa: S608 - as above

_FORGET_OLD_ARRIVALS = """
    DELETE FROM arrivals WHERE source_id = :source_id AND content_hash NOT IN (
        SELECT content_hash FROM import_runs WHERE source_id = :source_id AND content_hash IS NOT NULL)
"""

_COUNT_FAILURE_UP = f"""
    UPDATE import_runs SET attempts = attempts + 1, completed_at = :now, generation = {_NEXT_GENERATION}
    WHERE id = (SELECT id FROM import_runs WHERE source_id = :source_id ORDER BY generation DESC LIMIT 1)
        AND state = 'failed' AND content_hash IS NULL AND error = :error
    RETURNING {_COLUMNS}
"""  # noqa: S608 - as above

_RECORD_FAILURE = f"""
    INSERT INTO import_runs (source_id, content_hash, state, generation, error, policy_hash, started_at, completed_at)
    VALUES (:source_id, NULL, 'failed', {_NEXT_GENERATION}, :error, :policy_hash, :now, :now)
    RETURNING {_COLUMNS}
"""  # noqa: S608 - as above

# The inner question is answered from the index, once for each source.
_FROM_THE_NEWEST_OF_EACH = """FROM import_runs WHERE id IN (SELECT (SELECT id FROM import_runs AS run
        WHERE run.source_id = sources.source_id AND {} ORDER BY generation DESC LIMIT 1) FROM {})
"""
_HAS_CONTENT, _IS_ACCEPTED = "content_hash IS NOT NULL", "state IN ('pending', 'completed')"
NEWEST_RUNS_OF_ALL = _FROM_THE_NEWEST_OF_EACH.format(_HAS_CONTENT, "sources")
NEWEST_RUNS_OF = _FROM_THE_NEWEST_OF_EACH.format(_HAS_CONTENT, "(SELECT value AS source_id FROM json_each(?)) AS sources")
_NEWEST_RUNS = f"SELECT {_COLUMNS} {NEWEST_RUNS_OF_ALL}"
# The first condition is that of the index of migration 0046.
EMPTY_SOURCES = f"""SELECT source_id FROM import_runs AS run WHERE state = 'completed' AND entries = 0 AND NOT EXISTS (
    SELECT 1 FROM import_runs AS newer
    WHERE newer.source_id = run.source_id AND newer.{_HAS_CONTENT} AND newer.generation > run.generation)
"""  # noqa: S608 - as above

_NEWEST_FIRST = "ORDER BY generation DESC LIMIT 1"
NEWEST_OF = f"SELECT {_COLUMNS} FROM import_runs WHERE source_id = ? AND {_HAS_CONTENT} {_NEWEST_FIRST}"  # noqa: S608 - as above
_ACCEPTED_OF = f"SELECT {_COLUMNS} FROM import_runs WHERE source_id = ? AND {_IS_ACCEPTED} {_NEWEST_FIRST}"  # noqa: S608 - as above
_ACCEPTED_RUNS = f"SELECT {_COLUMNS} {_FROM_THE_NEWEST_OF_EACH.format(_IS_ACCEPTED, 'sources')}"


class ImportRuns:
    """The Ledger of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def marks_for(self, source_ids: Sequence[SourceId], standing: Sequence[Marker] = ()) -> Mapping[SourceId, Mark]:
        known = await self._database.read(known_marks)
        if not set(source_ids) <= known.keys():

            async def work(connection: aiosqlite.Connection) -> Mapping[str, int]:
                return await give_marks(connection, source_ids, standing)

            known = await self._database.write(work)
        return {source_id: Mark(known[source_id]) for source_id in source_ids}

    async def upsert_pending(self, pending: Pending, now: float) -> ImportRun:
        key = {"source_id": pending.source_id, "content_hash": pending.content_hash}

        async def work(connection: aiosqlite.Connection) -> ImportRun:
            named = ("entries", "rejected", "policy_hash")
            parameters = key | {name: getattr(pending, name) for name in named} | {"now": now}
            (row,) = await connection.execute_fetchall(_UPSERT_PENDING, parameters)
            await connection.execute(_KEEP_SNAPSHOT, {**key, "body": pending.snapshot})
            arrival = _NOTE_ARRIVAL if pending.added_history is None else _NOTE_NEW_ARRIVAL
            await connection.execute(arrival, {**key, "now": now, "body": pending.added_history})
            await note_departures(connection, pending, now)
            await note_ends(connection, pending)
            run = _run_of(row)
            await note_version(connection, pending, run, now)
            return run

        return await self._database.write(work)

    async def mark_completed(
        self,
        run: ImportRun,
        *,
        added: int,
        removed: int,
        policy_hash: PolicyHash,
        now: float,
        validators: Validators | None,
        end: PollEnd | None = None,
    ) -> bool:
        async def work(connection: aiosqlite.Connection) -> bool:
            # Also where another importer was first: the list was read, and is in force.
            if end is not None:
                await confirm_good(end.poll, now, end.confirmed, connection)
                if end.findings is not None:
                    await keep_findings(connection, run.source_id, end.findings)
            parameters = {"id": run.id, "added": added, "removed": removed, "policy_hash": policy_hash, "now": now}
            if not list(await connection.execute_fetchall(_MARK_COMPLETED, parameters)):
                return False
            if validators is not None:
                await keep_validators(connection, run.source_id, run.content_hash, validators)
            await complete_version(connection, run, now)
            row = {"source_id": run.source_id, "id": run.id}
            for forget in (_FORGET_OLD_SNAPSHOTS, _FORGET_OLD_RUNS, _FORGET_OLD_ARRIVALS):
                await connection.execute(forget, row)
            await connection.execute(_END_ATTEMPT, (run.source_id, NOT_ENDED))
            return True

        return await self._database.write(work)

    async def mark_failed(self, run: ImportRun, error: str, now: float) -> None:
        async def work(connection: aiosqlite.Connection) -> None:
            parameters = {"id": run.id, "error": error, "now": now}
            if list(await connection.execute_fetchall(_COMPLETE_AGAIN, parameters)):
                await _record_failure(connection, run.source_id, error, run.policy_hash, now)
            else:
                await connection.execute(_FAIL_RUN, parameters)

        await self._database.write(work)

    async def record_failure(self, source_id: SourceId, error: str, policy_hash: PolicyHash, now: float) -> ImportRun:
        return await self._database.write(lambda opened: _record_failure(opened, source_id, error, policy_hash, now))

    async def newest(self, source_id: SourceId) -> ImportRun | None:
        return newest_of(await self._database.run(NEWEST_OF, (source_id,)))

    async def newest_runs(self) -> Mapping[SourceId, ImportRun]:
        return _by_source(await self._database.run(_NEWEST_RUNS))

    async def accepted(self, source_id: SourceId) -> ImportRun | None:
        return newest_of(await self._database.run(_ACCEPTED_OF, (source_id,)))

    async def accepted_runs(self) -> Mapping[SourceId, ImportRun]:
        return _by_source(await self._database.run(_ACCEPTED_RUNS))

    async def snapshot(self, source_id: SourceId, content_hash: ContentHash) -> bytes | None:
        rows = await self._database.run(
            "SELECT body FROM snapshots WHERE source_id = ? AND content_hash = ?", (source_id, content_hash)
        )
        return bytes(rows[0][0]) if rows else None

    async def added_history(self, source_id: SourceId) -> Sequence[tuple[float, bytes | None]]:
        return await self._database.run(
            "SELECT arrived_at, body FROM arrivals JOIN import_runs USING (source_id, content_hash)"
            " WHERE source_id = ? AND state = 'completed' ORDER BY generation DESC",
            (source_id,),
        )

    async def history(self, source_id: SourceId | None, limit: int) -> Sequence[ImportRun]:
        condition = "1" if source_id is None else "source_id = :source_id"
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM import_runs WHERE {condition}"  # noqa: S608 - literals
            " ORDER BY iif(state = 'pending', started_at, completed_at) DESC, id DESC LIMIT :limit",
            {"source_id": source_id, "limit": limit},
        )
        return [_run_of(row) for row in rows]

    async def poll(self, source_id: SourceId) -> Poll:
        return poll_of(source_id, await self._database.run(POLL_OF, (source_id,)))

    async def polls(self, source_ids: Collection[SourceId] | None = None) -> Mapping[SourceId, Poll]:
        some = None if source_ids is None else (json.dumps(list(source_ids)),)
        return polls_of(await (self._database.run(POLLS_OF, some) if some else self._database.run(POLLS)))

    async def save_poll(self, poll: Poll) -> None:
        await self._database.write(partial(save, poll))


async def _record_failure(
    connection: aiosqlite.Connection, source_id: SourceId, error: str, policy_hash: PolicyHash, now: float
) -> ImportRun:
    parameters = {"source_id": source_id, "error": error, "policy_hash": policy_hash, "now": now}
    rows = list(await connection.execute_fetchall(_COUNT_FAILURE_UP, parameters))
    rows = rows or list(await connection.execute_fetchall(_RECORD_FAILURE, parameters))
    await connection.execute(_FORGET_OLD_RUNS, parameters)
    return _run_of(rows[0])


def _run_of(row: Sequence[Any]) -> ImportRun:
    return ImportRun(row[0], row[1], row[2], RunState(row[3]), *row[4:])


def _by_source(rows: Iterable[Sequence[Any]]) -> Mapping[SourceId, ImportRun]:
    return {run.source_id: run for run in map(_run_of, rows)}


def newest_of(rows: Sequence[Sequence[Any]]) -> ImportRun | None:
    """From what NEWEST_OF gives."""
    return _run_of(rows[0]) if rows else None
