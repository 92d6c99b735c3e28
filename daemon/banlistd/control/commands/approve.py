"""banlistctl approve: accept a list that a guard refused, and only the content that the operator has seen."""

import re
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from banlistd.control.commands.quarantine import SHOWN_DIGITS, place_of, quarantine_lines, show_quarantined
from banlistd.control.commands.refresh import REFRESH, REFRESH_SECONDS, OutcomeRow, exit_code, outcomes_page, poll_now
from banlistd.control.declaration import UNAVAILABLE, Argument, Command, Completes
from banlistd.core.printing import counted
from banlistd.errors import ChangedContentError, NoSuchSourceError, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.config.model import Source
    from banlistd.core.feeds.quarantine import Quarantined
    from banlistd.model import SourceId

_FEWEST_DIGITS = 8
_HASH = re.compile(rf"[0-9a-f]{{{_FEWEST_DIGITS},64}}")
_LISTED = "banlistctl quarantine lists the refused ones"


class ApproveOrder(NamedTuple):
    """`content_hash`: its first digits; empty: what the user `uid` has seen last. `force`: also what is no list at all."""

    source_ids: "tuple[SourceId, ...]"
    content_hash: str
    force: bool
    uid: int | None


def read_approve(fields: "Mapping[str, object]", source_ids: "tuple[SourceId, ...]", uid: int | None) -> ApproveOrder:
    """Raises UsageError."""
    content_hash, force = fields.get("hash", ""), fields.get("force", False)
    if not source_ids:
        raise UsageError("no source is named", _LISTED)
    if not isinstance(force, bool):
        raise UsageError("force: is not true or false")
    if "hash" in fields:
        if not isinstance(content_hash, str) or not _HASH.fullmatch(content_hash):
            hint = f"at least {_FEWEST_DIGITS} digits of the one that banlistctl quarantine {source_ids[0]} prints"
            raise UsageError(f"{str(content_hash)[:64]!a} is not a content hash", f"{hint}; approve takes one source")
        if len(source_ids) > 1:
            raise UsageError("one content hash cannot be that of several sources", "approve them one by one")
    return ApproveOrder(source_ids, str(content_hash), force, uid)


def _read(request: "ControlRequest") -> ApproveOrder:
    return read_approve(request.fields, request.source_ids, request.uid)


async def _approve(parts: "Parts", order: ApproveOrder) -> list[OutcomeRow]:
    """All or none: every source is looked at before the first is approved."""
    contents = [(source := parts.source(source_id), await _wanted(parts, source, order)) for source_id in order.source_ids]
    for source, content in contents:
        if not await parts.quarantine.approve(source.id, content.content_hash):
            await _refuse_changed(parts, source, order)
    return await poll_now(parts, order.source_ids)


async def _wanted(parts: "Parts", source: "Source", order: ApproveOrder) -> "Quarantined":
    """The content, if it is what was seen or named. Raises UsageError, ChangedContentError or RefusedError."""
    content = await parts.quarantine.quarantined(source.id)
    if content is None or not source.enabled:
        why = "nothing of it is in quarantine" if source.enabled else "it is off"
        raise UsageError(f"{source.id}: {why}", _LISTED)
    seen = parts.seen.last(order.uid, source.id)
    if not order.content_hash and seen is None:
        raise UsageError(
            f"{source.id}: it is not known which content you have seen",
            f"banlistctl quarantine {source.id} shows it; then: banlistctl approve {source.id} HASH",
        )
    wanted = order.content_hash or (seen.content_hash if seen else "")
    if not wanted or not content.content_hash.startswith(wanted):
        await _refuse_changed(parts, source, order)
    if not content.is_list and not order.force:
        raise RefusedError(
            f"{source.id}: this is no list ({content.guard}): {content.reason}",
            f"see banlistctl quarantine {source.id}, and what {place_of(source)} answers",
        )
    return content


async def _refuse_changed(parts: "Parts", source: "Source", order: ApproveOrder) -> NoReturn:
    """Show the present content, which the user has seen then. Raises ChangedContentError."""
    seen = parts.seen.last(order.uid, source.id)
    row = await show_quarantined(parts, source, order.uid)
    if row is None:
        raise UsageError(f"{source.id}: nothing of it is in quarantine any more", _LISTED)
    before = f"content {order.content_hash[:SHOWN_DIGITS]}" if order.content_hash else ""
    if seen is not None and seen.content_hash.startswith(order.content_hash):
        before = f"{counted(seen.entries, 'entry', 'entries')} ({seen.guard}, content {seen.content_hash[:SHOWN_DIGITS]})"
    now = f"{counted(row['entries'], 'entry', 'entries')} ({row['guard']}, content {row['content_hash'][:SHOWN_DIGITS]})"
    raise ChangedContentError(
        f"{source.id}: the content has changed, and was not approved: {before} before, {now} now",
        f"look at it; then: banlistctl approve {source.id} {row['content_hash'][:SHOWN_DIGITS]}",
        tuple(quarantine_lines(row, parts.clock.now())),
    )


APPROVE: "Command[ApproveOrder, list[OutcomeRow]]" = Command(
    name="approve",
    help="accept the content of a refused list that you have seen, in spite of the guards, without another download",
    details="HASH names the content: at least 8 digits of the content hash that banlistctl quarantine ID prints. Without it,"
    " the content is approved that banlistctl quarantine ID showed to this user last. Content that has changed meanwhile is"
    " not approved but shown, with exit code 65. A script reads the hash from banlistctl quarantine --json ID, judges the"
    " content, and passes the hash on.",
    method="POST",
    example=[{**REFRESH.example[0], "added": 1, "removed": 1_621}],
    arguments=(
        Argument("ids", "ID", "as banlistctl quarantine lists them", "sources", nargs=1, completes=Completes.QUARANTINED),
        Argument("hash", "HASH", "the first digits of the content hash, at least 8", nargs="?"),
        Argument(
            "--force", "", "accept also what is no list at all: a web page, an error message, an empty list", is_flag=True
        ),
    ),
    read=_read,
    answer=_approve,
    page=outcomes_page,
    exits={65: "the content has changed since you looked at it, or is no list", UNAVAILABLE: "the list could not be applied"},
    errors=(NoSuchSourceError, UsageError, ChangedContentError, RefusedError),
    judge=exit_code,
    timeout=REFRESH_SECONDS,
)
