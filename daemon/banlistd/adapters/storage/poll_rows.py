"""What is remembered of polls and of what they showed, in works. The rows are written here alone."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import aiosqlite

from banlistd.core.feeds.found_list import Findings
from banlistd.model import ContentHash, Poll, SourceId, Validators

_TAKE_VALIDATORS = """etag = excluded.etag, last_modified = excluded.last_modified, body_hash = excluded.body_hash,
        recipe = excluded.recipe, content_hash = excluded.content_hash"""

_KEEP_VALIDATORS = f"""
    INSERT INTO polls (source_id, etag, last_modified, body_hash, recipe, content_hash)
    VALUES (:source_id, :etag, :last_modified, :body_hash, :recipe, :content_hash)
    ON CONFLICT (source_id) DO UPDATE SET {_TAKE_VALIDATORS}
"""  # noqa: S608 - made of the literal above

_TAKE_POLL = """due_at = excluded.due_at, polled_at = excluded.polled_at, failures = excluded.failures, error = excluded.error,
        failing_since = excluded.failing_since"""

_SAVE_POLL = f"""
    INSERT INTO polls (source_id, due_at, polled_at, failures, error, failing_since)
    VALUES (:source_id, :due_at, :polled_at, :failures, :error, :failing_since)
    ON CONFLICT (source_id) DO UPDATE SET {_TAKE_POLL}
"""  # noqa: S608 - as above

_SAVE_POLL_WITH_VALIDATORS = f"""
    INSERT INTO polls VALUES (:source_id, :etag, :last_modified, :body_hash, :recipe, :content_hash,
        :due_at, :polled_at, :failures, :error, :failing_since)
    ON CONFLICT (source_id) DO UPDATE SET {_TAKE_POLL}, {_TAKE_VALIDATORS}
"""  # noqa: S608 - as above

_KEEP_FINDINGS = """
    INSERT INTO findings (source_id, rejected, skipped, octets) VALUES (?, ?, ?, ?)
    ON CONFLICT (source_id) DO UPDATE
    SET rejected = excluded.rejected, skipped = excluded.skipped, octets = excluded.octets
"""

_POLL = "source_id, etag, last_modified, body_hash, recipe, content_hash, due_at, polled_at, failures, error, failing_since"

POLLS = f"SELECT {_POLL} FROM polls"  # noqa: S608 - as above
POLL_OF = f"{POLLS} WHERE source_id = ?"
POLLS_OF = f"{POLLS} WHERE source_id IN (SELECT value FROM json_each(?))"  # noqa: S608 - as above


async def save(poll: Poll, connection: aiosqlite.Connection) -> None:
    """In a work: remember a poll, with the validators where it has a content."""
    named = ("source_id", "due_at", "polled_at", "failures", "error", "failing_since")
    parameters: Mapping[str, Any] = {name: getattr(poll, name) for name in named}
    statement = _SAVE_POLL
    if poll.content_hash is not None:
        statement = _SAVE_POLL_WITH_VALIDATORS
        parameters = {**parameters, **_parameters_of(poll.source_id, poll.content_hash, poll.validators)}
    await connection.execute(statement, parameters)


async def keep_findings(connection: aiosqlite.Connection, source_id: SourceId, findings: Findings) -> None:
    """In a work: in place of those of the reading before."""
    skipped = json.dumps([[one.line, one.text, one.reason] for one in findings.skipped])
    await connection.execute(_KEEP_FINDINGS, (source_id, findings.rejected, skipped, findings.octets))


async def keep_validators(
    connection: aiosqlite.Connection, source_id: SourceId, content_hash: ContentHash | None, validators: Validators
) -> None:
    """In a work: remember with which a content came."""
    await connection.execute(_KEEP_VALIDATORS, _parameters_of(source_id, content_hash, validators))


def poll_of(source_id: SourceId, rows: Sequence[Sequence[Any]]) -> Poll:
    """From what POLL_OF gives."""
    return _poll_of(rows[0]) if rows else Poll(source_id)


def polls_of(rows: Iterable[Sequence[Any]]) -> Mapping[SourceId, Poll]:
    """From what POLLS gives."""
    return {poll.source_id: poll for poll in map(_poll_of, rows)}


def _poll_of(row: Sequence[Any]) -> Poll:
    return Poll(row[0], Validators(*row[1:5]), *row[5:])


def _parameters_of(source_id: SourceId, content_hash: ContentHash | None, validators: Validators) -> Mapping[str, Any]:
    return {
        "source_id": source_id,
        "content_hash": content_hash,
        "etag": validators.etag,
        "last_modified": validators.last_modified,
        "body_hash": validators.body_hash,
        "recipe": validators.fetch_key,
    }
