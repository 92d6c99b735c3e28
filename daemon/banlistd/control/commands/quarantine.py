"""banlistctl quarantine: lists that a guard refused."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.declaration import ONE_SOURCE, Command, Completes, PageContext
from banlistd.control.page import Page, interval, moment, number, short_duration
from banlistd.core.printing import counted, printable
from banlistd.errors import NoSuchSourceError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.addresses.comparison import Difference
    from banlistd.core.config.model import Source
    from banlistd.core.feeds.quarantine import Quarantined

SHOWN_DIGITS = 16
"""Of a content hash; too many for other content with the same ones to be made."""


class QuarantineRow(TypedDict):
    """`stood`: for how many seconds the content has been the same. `settle`: after how many it is accepted; null: never.

    `added`, `removed`: entries, compared with the last good content, and the first of each in the samples. `is_list`: false for
    a web page, an error message or an empty list, which only `approve --force` accepts. `place`: where the source comes from.
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
    is_list: bool
    place: str


class QuarantineOrder(NamedTuple):
    """`uid`: the user who looks."""

    source: str | None
    uid: int | None


def _read(request: "ControlRequest") -> QuarantineOrder:
    return QuarantineOrder(request.source, request.uid)


async def _quarantine(parts: "Parts", order: QuarantineOrder) -> list[QuarantineRow]:
    if order.source is not None:
        row = await show_quarantined(parts, parts.source(order.source), order.uid)
        return [row] if row is not None else []
    found = [(source, await parts.quarantine.quarantined(source.id)) for source in parts.service.config.sources]
    return [await _row(parts, source, content) for source, content in found if content is not None]


async def show_quarantined(parts: "Parts", source: "Source", uid: int | None) -> QuarantineRow | None:
    """The refused content of one source; the user has seen it then, and may approve it without naming its hash."""
    content = await parts.quarantine.quarantined(source.id)
    if content is None:
        return None
    row = await _row(parts, source, content)
    parts.seen.note(uid, content)
    return row


async def _row(parts: "Parts", source: "Source", content: "Quarantined") -> QuarantineRow:
    import asyncio
    import math

    from banlistd.core.feeds.guards import SETTLING

    run = await parts.ledger.accepted(source.id)
    before = await parts.ledger.snapshot(source.id, run.content_hash) if run and run.content_hash else None
    difference = await asyncio.to_thread(_difference, before, content.snapshot)
    settles = content.guard in SETTLING and source.guards.accept_shrink_after < math.inf
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
        "is_list": content.is_list,
        "place": place_of(source),
    }


def place_of(source: "Source") -> str:
    """Its URLs, without secrets, or its path."""
    from banlistd.core.credentials import shown_url

    return ", ".join(map(shown_url, source.urls)) if source.url else str(source.path)


def _difference(before: bytes | None, after: bytes) -> "Difference":
    from banlistd.core.addresses.comparison import compare
    from banlistd.core.addresses.sets import AddressSet

    return compare(AddressSet.decode(before) if before is not None else AddressSet.none(), AddressSet.decode(after))


def _page(rows: Sequence[QuarantineRow], context: PageContext) -> Page:
    """Some lines for each refused list, the next step at their end."""
    if not rows:
        return ["nothing is in quarantine"]
    return [line for row in rows for line in quarantine_lines(row, context.now)]


def quarantine_lines(row: QuarantineRow, now: float) -> list[str]:
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
    lines.append(f"  content hash {printable(row['content_hash'])}")
    return [*lines, f"  {_next_step(row, name)}"]


def _next_step(row: QuarantineRow, name: str) -> str:
    if row["approved"]:
        return "approved, not yet applied"
    if not row["is_list"]:
        return f"this is no list: see what {printable(row['place'])} answers"
    return f"try: banlistctl approve {name} {printable(row['content_hash'][:SHOWN_DIGITS])}"


def _samples(sign: str, sample: Sequence[str], total: int) -> list[str]:
    lines = [f"    {sign} {printable(entry)}" for entry in sample]
    return [*lines, f"    {sign} ... and {number(total - len(sample))} more"] if total > len(sample) else lines


QUARANTINE: Command[QuarantineOrder, list[QuarantineRow]] = Command(
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
            "is_list": True,
            "place": "https://www.spamhaus.org/drop/drop.txt",
        }
    ],
    arguments=(ONE_SOURCE._replace(completes=Completes.QUARANTINED),),
    read=_read,
    answer=_quarantine,
    page=_page,
    errors=(NoSuchSourceError,),
)
