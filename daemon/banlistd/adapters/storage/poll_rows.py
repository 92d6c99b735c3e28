"""What is remembered of polls and of what they showed, in works. The rows are written here alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import aiosqlite

from banlistd.model import ContentHash, Poll, SourceId, Validators

if TYPE_CHECKING:
    # boot_restore needs none of them, and boot waits for its imports.
    from banlistd.core.feeds.found_list import Findings
    from banlistd.core.feeds.quarantine import Confirmed
    from banlistd.core.feeds.samples import Sample

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

_CONFIRM = """
    INSERT INTO standings (source_id, good_at, trailer, content_hash, changed_at)
    VALUES (:source_id, :now, coalesce(:trailer, 0), :content_hash, :now)
    ON CONFLICT (source_id) DO UPDATE SET good_at = :now, trailer = coalesce(:trailer, trailer), told = 0,
        changed_at = CASE WHEN content_hash IS :content_hash THEN min(changed_at, :now) ELSE :now END,
        frozen_told = CASE WHEN content_hash IS :content_hash THEN frozen_told ELSE 0 END,
        content_hash = :content_hash
"""

RECENT_DAYS = 30

_SIZE_NAMES = ("fewest", "most", "least4", "most4", "least6", "most6", "replaced")
_SIZES = ", ".join(_SIZE_NAMES)

# The scalar min of SQLite is NULL where one argument is.
_ADD_SIZES = f"""
    INSERT INTO recent_contents (source_id, day, {_SIZES}, sample, sampled, churn)
    VALUES (:source_id, :day, :fewest, :most, :least4, :most4, :least6, :most6, :replaced, :sample, :sampled, :churn)
    ON CONFLICT (source_id, day) DO UPDATE SET
        fewest = min(coalesce(fewest, excluded.fewest), coalesce(excluded.fewest, fewest)), most = max(most, excluded.most),
        least4 = min(least4, excluded.least4), most4 = max(most4, excluded.most4),
        least6 = min(least6, excluded.least6), most6 = max(most6, excluded.most6), replaced = replaced + excluded.replaced,
        sampled = CASE WHEN sample IS NULL THEN excluded.sampled ELSE sampled END, sample = coalesce(sample, excluded.sample),
        churn = churn + excluded.churn
"""  # noqa: S608 - made of the literal above

# Of a day to come there are sizes only after a clock that went wrong.
_FORGET_SIZES = "DELETE FROM recent_contents WHERE source_id = :source_id AND (:anew OR day NOT BETWEEN :day - :days AND :day)"

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


async def confirm_good(poll: Poll, now: float, good: Confirmed, connection: aiosqlite.Connection) -> None:
    """In a work: a good list has come with this poll."""
    await save(poll, connection)
    key = {"source_id": poll.source_id, "day": int(now // 86400)}
    parameters = {"source_id": poll.source_id, "now": now, "trailer": good.has_end_count, "content_hash": good.content_hash}
    await connection.execute(_CONFIRM, parameters)
    if good.sizes is not None:
        sizes = {name: getattr(good.sizes, name) for name in _SIZE_NAMES}
        await connection.execute(_FORGET_SIZES, key | {"anew": good.starts_anew, "days": RECENT_DAYS})
        await connection.execute(_ADD_SIZES, key | sizes | _row_of(good.sample))
    await connection.execute("DELETE FROM quarantine WHERE source_id = ?", (poll.source_id,))


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


def _row_of(sample: Sample | None) -> dict[str, Any]:
    if sample is None:
        return {"sample": None, "sampled": None, "churn": 0.0}
    return {"sample": sample.addresses.encode(), "sampled": sample.entries, "churn": sample.churn}


def _parameters_of(source_id: SourceId, content_hash: ContentHash | None, validators: Validators) -> Mapping[str, Any]:
    return {
        "source_id": source_id,
        "content_hash": content_hash,
        "etag": validators.etag,
        "last_modified": validators.last_modified,
        "body_hash": validators.body_hash,
        "recipe": validators.fetch_key,
    }
