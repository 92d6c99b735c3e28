"""banlistctl pin and unpin: keep the content that sources have in force, and let polls replace it again."""

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
    from banlistd.core.config.model import Source
    from banlistd.model import ContentHash


async def _pin(parts: "Parts", order: SuspendOrder) -> list[OrderedRow]:
    """All or none: every source is looked at before the first is pinned."""
    sources = [parts.source(source_id) for source_id in order.source_ids]
    wanted = [(source.id, *await _in_force(parts, source)) for source in sources]
    done = [await parts.suspended.pin(source_id, order.uid, run, content) for source_id, run, content in wanted]
    return await ordered_rows(parts, done)


async def _in_force(parts: "Parts", source: "Source") -> "tuple[int, ContentHash]":
    """The import run of the content in force, and its hash."""
    content, run = parts.enforcer.content(source.id), await parts.ledger.accepted(source.id)
    if content is None or run is None or run.content_hash != content.content_hash:
        raise UsageError(f"{source.id}: no content of it is in force", "banlistctl sources shows its state")
    return run.id, content.content_hash


def _page(rows: Sequence[OrderedRow], _: PageContext) -> Page:
    return [ordered_line(row, "no poll replaces its content") for row in rows]


async def _unpin(parts: "Parts", order: SuspendOrder) -> list[EndedRow]:
    from banlistd.core.feeds.versions.suspension import SuspensionKind

    return await end_and_poll(parts, order, SuspensionKind.PINNED)


def _unpinned(rows: Sequence[EndedRow], context: PageContext) -> Page:
    return ended_page(rows, context, "pinned")


PIN: "Command[SuspendOrder, list[OrderedRow]]" = Command(
    name="pin",
    help="keep the content that sources have now: no poll replaces it until they are unpinned",
    details="It survives restart, reboot and reload, and `banlistctl status` shows it. The sources are not polled meanwhile."
    " `banlistctl rollback` pins a source to an older content.",
    method="POST",
    example=[{**SUSPENSION_EXAMPLE, "kind": "pinned", "run": 7, "content_hash": "0123456789abcdef" * 4, "new": True}],
    arguments=(THESE,),
    read=read_suspend,
    answer=_pin,
    page=_page,
    errors=(NoSuchSourceError, UsageError, LedgerError),
)

UNPIN: "Command[SuspendOrder, list[EndedRow]]" = Command(
    name="unpin",
    help="let polls replace the content of sources that were pinned or rolled back, beginning at once",
    details="The list is fetched whole. The answer has the outcome of the poll: its guards compare the list with the content"
    " that the source was pinned to.",
    method="POST",
    example=ENDED_EXAMPLE,
    arguments=(THESE,),
    read=read_suspend,
    answer=_unpin,
    page=_unpinned,
    exits={NOT_FOUND: "one of them was not pinned"},
    errors=(NoSuchSourceError, UsageError, LedgerError),
    judge=judge_ended,
    timeout=REFRESH_SECONDS,
    polls=True,
)
