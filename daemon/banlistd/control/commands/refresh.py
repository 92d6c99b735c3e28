"""banlistctl refresh: poll sources now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.declaration import UNAVAILABLE, Argument, Command, Completes, PageContext
from banlistd.control.page import Page, StateLine, clock_time, number
from banlistd.core.printing import counted, printable
from banlistd.errors import DeferredError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import SourceId

# Lists are fetched, each with a deadline of its own.
REFRESH_SECONDS = 1800.0


class OutcomeRow(TypedDict):
    """`outcome`: completed, skipped, refused, failed, lost_race, deferred or suspended. `error`: of refused and failed, else
    empty. `reason`: why the source was not asked for, if it was not. `not_before`: when it may be asked; null unless deferred.
    """

    id: str
    outcome: str
    added: int
    removed: int
    error: str
    reason: str
    not_before: float | None


class RefreshOrder(NamedTuple):
    """`anyway`: also those whose publishers allow no request yet."""

    sources: "tuple[SourceId, ...]"
    anyway: bool


def _read(request: "ControlRequest") -> RefreshOrder:
    now = request.fields.get("now", False)
    if not isinstance(now, bool):
        raise UsageError("'now' is not true or false", '{"sources": ["spamhaus-drop"], "now": true}')
    return RefreshOrder(request.source_ids, now)


async def _answer(parts: "Parts", order: RefreshOrder) -> list[OutcomeRow]:
    return await poll_now(parts, order.sources, anyway=order.anyway)


async def poll_now(parts: "Parts", source_ids: "Sequence[SourceId]", *, anyway: bool = False) -> list[OutcomeRow]:
    return [
        {
            "id": outcome.source_id,
            "outcome": str(outcome.kind),
            "added": outcome.added,
            "removed": outcome.removed,
            "error": outcome.error,
            "reason": outcome.deferred,
            "not_before": parts.clock.now() + outcome.delay if outcome.kind == "deferred" else None,
        }
        for outcome in await parts.service.refresh(source_ids, anyway=anyway)
    ]


def outcomes_page(rows: Sequence[OutcomeRow], context: PageContext) -> Page:
    """A line for each source."""
    if not rows:
        return ["no sources are enabled: nothing was polled"]
    return [StateLine(f"{printable(row['id'])}: ", *_outcome(row, context.now)) for row in rows]


def _outcome(row: OutcomeRow, now: float) -> tuple[str, str]:
    """The state, and what is said of it."""
    if row["outcome"] == "deferred":
        time = clock_time(row["not_before"] or now, now)
        return "not asked", f" before {time}: {printable(row['reason'])}; --now asks anyway"
    if row["outcome"] == "suspended":
        return "not polled", f": {printable(row['reason'])}"
    return _polled(row)


def _polled(row: OutcomeRow) -> tuple[str, str]:
    match row["outcome"]:
        case "completed":
            return "completed", f", {counted(row['added'], 'element', 'elements')} added, {number(row['removed'])} removed"
        case "skipped":
            return "skipped", ", this content is already applied"
        case "lost_race":
            return "done", " by another import at the same time"
        case "refused":
            return "refused", f": {printable(row['error'])}"  # which says what stays
        case "failed":
            return "failed", f": {printable(row['error'])} (its bans stay as they are)"
        case other:
            return printable(other), ""


def exit_code(rows: Sequence[OutcomeRow]) -> int:
    outcomes = {row["outcome"] for row in rows}
    if outcomes & {"failed", "refused"}:
        return UNAVAILABLE
    # Those that are suspended on purpose do not spoil a refresh of all.
    return DeferredError.exit_code if "deferred" in outcomes or outcomes == {"suspended"} else 0


REFRESH: "Command[RefreshOrder, list[OutcomeRow]]" = Command(
    name="refresh",
    help="poll sources now, all or some, and wait for the outcome",
    method="POST",
    example=[
        {
            "id": "spamhaus-drop",
            "outcome": "completed",
            "added": 12,
            "removed": 3,
            "error": "",
            "reason": "",
            "not_before": None,
        }
    ],
    arguments=(
        Argument("ids", "ID", "these sources; default: all", field="sources", nargs="*", completes=Completes.SOURCES),
        Argument("--now", "", "also those whose publishers allow no request yet", is_flag=True),
    ),
    details=(
        "A source is not asked for sooner than its publisher allows (`minimum` of the source), nor before the time that its "
        "server asked for (Retry-After): the answer says from when on it may be, and the exit code is 75."
    ),
    read=_read,
    answer=_answer,
    page=outcomes_page,
    exits={
        UNAVAILABLE: "some source failed or was refused",
        DeferredError.exit_code: "some source was not asked: its publisher allows no request yet, or all are paused or pinned",
    },
    errors=(NoSuchSourceError, UsageError),
    judge=exit_code,
    timeout=REFRESH_SECONDS,
    polls=True,
)
