"""banlistctl refresh: poll sources now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import UNAVAILABLE, Argument, Command, Completes, PageContext
from banlistd.control.page import Page, StateLine, number
from banlistd.core.printing import counted, printable
from banlistd.errors import NoSuchSourceError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.model import SourceId

# Lists are fetched, each with a deadline of its own.
REFRESH_SECONDS = 1800.0


class OutcomeRow(TypedDict):
    """`outcome`: completed, skipped, refused, failed or lost_race. `error`: of the last three, else empty."""

    id: str
    outcome: str
    added: int
    removed: int
    error: str


def read_sources(request: "ControlRequest") -> "tuple[SourceId, ...]":
    return request.source_ids


async def poll_now(parts: "Parts", source_ids: "Sequence[SourceId]") -> list[OutcomeRow]:
    return [
        {
            "id": outcome.source_id,
            "outcome": str(outcome.kind),
            "added": outcome.added,
            "removed": outcome.removed,
            "error": outcome.error,
        }
        for outcome in await parts.service.refresh(source_ids)
    ]


def outcomes_page(rows: Sequence[OutcomeRow], _: PageContext) -> Page:
    """A line for each source."""
    if not rows:
        return ["no sources are enabled: nothing was polled"]
    return [StateLine(f"{printable(row['id'])}: ", *_outcome(row)) for row in rows]


def _outcome(row: OutcomeRow) -> tuple[str, str]:
    """The state, and what is said of it."""
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
    return UNAVAILABLE if any(row["outcome"] in ("failed", "refused") for row in rows) else 0


REFRESH: "Command[tuple[SourceId, ...], list[OutcomeRow]]" = Command(
    name="refresh",
    help="poll sources now, all or some, and wait for the outcome",
    method="POST",
    example=[{"id": "spamhaus-drop", "outcome": "completed", "added": 12, "removed": 3, "error": ""}],
    arguments=(Argument("ids", "ID", "these sources; default: all", field="sources", nargs="*", completes=Completes.SOURCES),),
    read=read_sources,
    answer=poll_now,
    page=outcomes_page,
    exits={UNAVAILABLE: "some source failed or was refused"},
    errors=(NoSuchSourceError,),
    judge=exit_code,
    timeout=REFRESH_SECONDS,
    polls=True,
)
