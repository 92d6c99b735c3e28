"""banlistctl quarantine, approve: lists that a guard refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.commands.refresh import (
    REFRESH_SECONDS,
    OutcomeRow,
    exit_code,
    outcomes_page,
    poll_now,
    read_sources,
)
from banlistd.control.declaration import ONE_SOURCE, UNAVAILABLE, Argument, Command, Completes, PageContext
from banlistd.control.page import Page, counted, interval, moment, number, short_duration
from banlistd.core.printing import printable
from banlistd.errors import NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.addresses.comparison import Difference
    from banlistd.core.config.model import Source
    from banlistd.core.feeds.quarantine import Quarantined
    from banlistd.model import SourceId


class QuarantineRow(TypedDict):
    """`stood`: for how many seconds the content has been the same. `settle`: after how many it is accepted; null: never.

    `added`, `removed`: entries, compared with the last good content, and the first of each in the samples.
    """

    id: str
    guard: str
    reason: str
    since: float
    last_seen: float
    refusals: int
    stood: float
    settle: float | None
    approved: bool
    content_hash: str
    entries: int
    entries_before: int | None
    added: int
    removed: int
    added_sample: list[str]
    removed_sample: list[str]


def _read(request: "ControlRequest") -> str | None:
    return request.source


async def _quarantine(parts: "Parts", source_id: str | None) -> list[QuarantineRow]:
    sources = parts.service.config.sources if source_id is None else (parts.source(source_id),)
    found = [(source, await parts.quarantine.quarantined(source.id)) for source in sources]
    return [await _row(parts, source, content) for source, content in found if content is not None]


async def _row(parts: "Parts", source: "Source", content: "Quarantined") -> QuarantineRow:
    import asyncio
    import math

    from banlistd.core.feeds.guards import SHRUNK

    run = await parts.ledger.accepted(source.id)
    before = await parts.ledger.snapshot(source.id, run.content_hash) if run and run.content_hash else None
    difference = await asyncio.to_thread(_difference, before, content.snapshot)
    settles = content.guard == SHRUNK and source.guards.accept_shrink_after < math.inf
    return {
        "id": source.id,
        "guard": content.guard,
        "reason": content.reason,
        "since": content.first_seen,
        "last_seen": content.last_seen,
        "refusals": content.refusals,
        "stood": content.stood,
        "settle": source.guards.accept_shrink_after if settles else None,
        "approved": content.approved,
        "content_hash": content.content_hash,
        "entries": content.entries,
        "entries_before": run.entries if run else None,
        "added": difference.added,
        "removed": difference.removed,
        "added_sample": [*difference.added_sample],
        "removed_sample": [*difference.removed_sample],
    }


def _difference(before: bytes | None, after: bytes) -> "Difference":
    from banlistd.core.addresses.comparison import compare
    from banlistd.core.addresses.sets import AddressSet

    return compare(AddressSet.decode(before) if before is not None else AddressSet.none(), AddressSet.decode(after))


async def _approve(parts: "Parts", source_ids: "Sequence[SourceId]") -> list[OutcomeRow]:
    """All or none: every source is looked at before the first is approved."""
    if not source_ids:
        raise UsageError("no source is named", "banlistctl quarantine lists the refused ones")
    contents = []
    for source_id in source_ids:
        source = parts.source(source_id)
        content = await parts.quarantine.quarantined(source.id)
        if content is None or not source.enabled:
            why = "nothing of it is in quarantine" if source.enabled else "it is off"
            raise UsageError(f"{source_id}: {why}", "banlistctl quarantine lists the refused ones")
        contents.append(content)
    for content in contents:
        await parts.quarantine.approve(content.source_id, content.content_hash)
    return await poll_now(parts, source_ids)


def _page(rows: Sequence[QuarantineRow], context: PageContext) -> Page:
    """Some lines for each refused list, the next step at their end."""
    if not rows:
        return ["nothing is in quarantine"]
    return [line for row in rows for line in _lines(row, context.now)]


def _lines(row: QuarantineRow, now: float) -> list[str]:
    name, before = printable(row["id"]), row["entries_before"]
    against = "no list before it" if before is None else f"the last good one has {number(before)}"
    age, times = short_duration(now - row["since"]), counted(row["refusals"], "time", "times")
    changes = f"{number(row['added'])} added, {number(row['removed'])} removed"
    lines = [
        f"{name}: {printable(row['guard'])} since {moment(row['since'])} ({age}), refused {times}",
        f"  {printable(row['reason'])}",
        f"  {counted(row['entries'], 'entry', 'entries')}, {against}: {changes}",
        *_samples("+", row["added_sample"], row["added"]),
        *_samples("-", row["removed_sample"], row["removed"]),
    ]
    if row["settle"] is not None:
        stood = short_duration(row["stood"])
        lines.append(f"  accepted automatically once it has been the same for {interval(row['settle'])}; so far {stood}")
    return [*lines, "  approved, not yet applied" if row["approved"] else f"  try: banlistctl approve {name}"]


def _samples(sign: str, sample: Sequence[str], total: int) -> list[str]:
    lines = [f"    {sign} {printable(entry)}" for entry in sample]
    return [*lines, f"    {sign} ... and {number(total - len(sample))} more"] if total > len(sample) else lines


QUARANTINE: Command[str | None, list[QuarantineRow]] = Command(
    name="quarantine",
    help="lists that a guard refused: why, since when, and what differs from the last good content",
    method="GET",
    example=[
        {
            "id": "spamhaus-drop",
            "guard": "shrunk",
            "reason": "30 entries where 1,650 were, shrunk by more than 50 % (guards: shrink)",
            "since": 1_790_000_000.0,
            "last_seen": 1_790_007_200.0,
            "refusals": 2,
            "stood": 7_200.0,
            "settle": 259_200.0,
            "approved": False,
            "content_hash": "fedcba9876543210" * 4,
            "entries": 30,
            "entries_before": 1_650,
            "added": 1,
            "removed": 1_621,
            "added_sample": ["192.0.2.0/24"],
            "removed_sample": ["198.51.100.7", "203.0.113.9"],
        }
    ],
    arguments=(ONE_SOURCE,),
    read=_read,
    answer=_quarantine,
    page=_page,
    errors=(NoSuchSourceError,),
)

APPROVE: "Command[tuple[SourceId, ...], list[OutcomeRow]]" = Command(
    name="approve",
    help="accept a refused list in spite of the guards, at once and without a download",
    method="POST",
    example=[{"id": "spamhaus-drop", "outcome": "completed", "added": 1, "removed": 1_621, "error": ""}],
    arguments=(
        Argument("ids", "ID", "as banlistctl quarantine lists them", "sources", nargs="+", completes=Completes.SOURCES),
    ),
    read=read_sources,
    answer=_approve,
    page=outcomes_page,
    exits={UNAVAILABLE: "some list could not be applied"},
    errors=(NoSuchSourceError, UsageError),
    judge=exit_code,
    timeout=REFRESH_SECONDS,
)
