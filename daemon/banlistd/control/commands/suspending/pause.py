"""banlistctl pause and resume: stop to poll sources, and poll them again. Their bans stay."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from banlistd.control.commands.refresh import REFRESH_SECONDS
from banlistd.control.commands.suspending.rows import (
    ENDED_EXAMPLE,
    SUSPENSION_EXAMPLE,
    THESE,
    EndedRow,
    OrderedRow,
    SuspendOrder,
    end_and_poll,
    ended_page,
    judge_ended,
    ordered_line,
    ordered_rows,
    read_suspend,
)
from banlistd.control.declaration import NOT_FOUND, Command, PageContext
from banlistd.control.page import Page
from banlistd.errors import LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


async def _pause(parts: "Parts", order: SuspendOrder) -> list[OrderedRow]:
    sources = [parts.source(source_id) for source_id in order.source_ids]
    done = [await parts.suspended.pause(source.id, order.uid) for source in sources]
    return await ordered_rows(parts, done)


def _page(rows: Sequence[OrderedRow], _: PageContext) -> Page:
    return [ordered_line(row, "its bans stay") for row in rows]


async def _resume(parts: "Parts", order: SuspendOrder) -> list[EndedRow]:
    from banlistd.core.feeds.versions.suspension import SuspensionKind

    return await end_and_poll(parts, order, SuspensionKind.PAUSED)


def _resumed(rows: Sequence[EndedRow], context: PageContext) -> Page:
    return ended_page(rows, context, "paused")


PAUSE_SOURCES: "Command[SuspendOrder, list[OrderedRow]]" = Command(
    name="pause",
    help="do not poll sources until they are resumed; their bans stay",
    details="It survives restart, reboot and reload, and `banlistctl status` shows it. `refresh` does not poll a source that is"
    " paused, not even with --now. None of its entries ends by itself meanwhile, neither by `ttl` nor by `on_stale: lift`.",
    method="POST",
    example=[{**SUSPENSION_EXAMPLE, "new": True}],
    arguments=(THESE,),
    read=read_suspend,
    answer=_pause,
    page=_page,
    errors=(NoSuchSourceError, UsageError, LedgerError),
)

RESUME_SOURCES: "Command[SuspendOrder, list[EndedRow]]" = Command(
    name="resume",
    help="poll sources again that were paused, at once",
    details="The answer has the outcome of the poll. A source that is pinned too stays pinned.",
    method="POST",
    example=ENDED_EXAMPLE,
    arguments=(THESE,),
    read=read_suspend,
    answer=_resume,
    page=_resumed,
    exits={NOT_FOUND: "one of them was not paused"},
    errors=(NoSuchSourceError, UsageError, LedgerError),
    judge=judge_ended,
    timeout=REFRESH_SECONDS,
    polls=True,
)
