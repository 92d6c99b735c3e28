"""A source that an operator has paused or pinned, as an answer shows it, and what the four orders have in common."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict

from banlistd.control.commands.refresh import REFRESH, OutcomeRow, outcomes_page, poll_now
from banlistd.control.declaration import NOT_FOUND, Argument, Completes, PageContext
from banlistd.control.page import Page, moment
from banlistd.core.printing import printable
from banlistd.errors import UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.feeds.versions.suspension import Suspension, SuspensionKind
    from banlistd.model import SourceId


class SuspensionRow(TypedDict):
    """`kind`: paused or pinned. `user`: who ordered it; empty where that is not known. `run`, `content_hash`: of the content
    that the source is pinned to; null for one that is paused.
    """

    id: str
    kind: str
    since: float
    user: str
    run: int | None
    content_hash: str | None


class OrderedRow(SuspensionRow):
    """`new`: whether the order changed anything."""

    new: bool


SUSPENSION_EXAMPLE: SuspensionRow = {
    "id": "spamhaus-drop",
    "kind": "paused",
    "since": 1_790_000_000.0,
    "user": "root",
    "run": None,
    "content_hash": None,
}

THESE = Argument("ids", "ID", "these sources", field="sources", nargs="+", completes=Completes.SOURCES)


class SuspendOrder(NamedTuple):
    """`uid`: the user who asks."""

    source_ids: "tuple[SourceId, ...]"
    uid: int | None


def read_suspend(request: "ControlRequest") -> SuspendOrder:
    """Raises UsageError."""
    if not request.source_ids:
        raise UsageError("no source is named", "banlistctl sources lists them")
    return SuspendOrder(request.source_ids, request.uid)


async def suspension_rows(parts: "Parts", suspensions: Sequence["Suspension"]) -> list[SuspensionRow]:
    if not suspensions:
        return []
    import asyncio

    return await asyncio.to_thread(lambda: [_row(parts, one) for one in suspensions])


def _row(parts: "Parts", one: "Suspension") -> SuspensionRow:
    return {
        "id": one.source_id,
        "kind": str(one.kind),
        "since": one.since,
        "user": "" if one.uid is None else parts.user_name(one.uid),
        "run": one.run_id,
        "content_hash": one.content_hash,
    }


def suspension_words(row: SuspensionRow) -> str:
    """`pinned to run 12 since 2026-01-01 12:00:00 by root`."""
    run = "" if row["run"] is None else f" to run {printable(row['run'])}"
    user = f" by {printable(row['user'])}" if row["user"] else ""
    return f"{printable(row['kind'])}{run} since {moment(row['since'])}{user}"


def way_out(row: SuspensionRow) -> str:
    """The command that ends it."""
    return f"banlistctl {'resume' if row['kind'] == 'paused' else 'unpin'} {printable(row['id'])}"


async def ordered_rows(parts: "Parts", done: Sequence[tuple["Suspension", bool]]) -> list[OrderedRow]:
    """Of the suspensions that were asked for, each with whether it is new."""
    rows = await suspension_rows(parts, [one for one, _ in done])
    return [{**row, "new": is_new} for row, (_, is_new) in zip(rows, done, strict=True)]


def ordered_line(row: OrderedRow, effect: str) -> str:
    """What was ordered, what follows from it, and how it ends."""
    already = "" if row["new"] else "already "
    return f"{printable(row['id'])} is {already}{suspension_words(row)}; {effect} ({way_out(row)})"


class EndedRow(TypedDict):
    """`ended`: whether there was anything to end. `outcome`: of the poll that followed; null: none did."""

    id: str
    ended: bool
    outcome: OutcomeRow | None


async def end_and_poll(parts: "Parts", order: SuspendOrder, kind: "SuspensionKind") -> list[EndedRow]:
    """All are ended before the first is polled. Raises NoSuchSourceError and LedgerError."""
    sources = [parts.source(source_id) for source_id in order.source_ids]
    ended = {source.id for source in sources if await parts.suspended.end(source.id, kind)}
    polled = [source.id for source in sources if source.id in ended and source.enabled]
    outcomes = {row["id"]: row for row in (await poll_now(parts, polled) if polled else ())}
    return [{"id": source.id, "ended": source.id in ended, "outcome": outcomes.get(source.id)} for source in sources]


def ended_page(rows: Sequence[EndedRow], context: PageContext, state: str) -> Page:
    page: list[Any] = []
    for row in rows:
        page.append(f"{printable(row['id'])} is {'no longer' if row['ended'] else 'not'} {state}")
        page += outcomes_page([row["outcome"]], context) if row["outcome"] else ()
    return page


def judge_ended(rows: Sequence[EndedRow]) -> int:
    return 0 if all(row["ended"] for row in rows) else NOT_FOUND


ENDED_EXAMPLE: list[EndedRow] = [{"id": "spamhaus-drop", "ended": True, "outcome": REFRESH.example[0]}]
