"""banlistctl rollback: put an older content of a list into force again, and keep it."""

from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.commands.past.moments import TIME_HELP, point_argument, read_point
from banlistd.control.commands.past.rows import (
    VERSION_EXAMPLE,
    VersionRow,
    content_of_version,
    version_of,
    version_row,
    version_words,
)
from banlistd.control.commands.refresh import REFRESH, REFRESH_SECONDS, OutcomeRow, poll_now
from banlistd.control.declaration import UNAVAILABLE, Argument, Command, Completes, PageContext
from banlistd.control.page import Page, number
from banlistd.core.printing import counted, printable
from banlistd.errors import LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest


class RollbackOrder(NamedTuple):
    """`to`: an import run, or a moment in seconds since the epoch. `uid`: the user who asks."""

    source: str
    to: int | float
    uid: int | None


class RollbackAnswer(TypedDict):
    """`version`: to which it was rolled back. `outcome`: `suspended` where that is in force already."""

    id: str
    version: VersionRow
    outcome: OutcomeRow


def _read(request: "ControlRequest") -> RollbackOrder:
    if len(request.source_ids) != 1:
        raise UsageError("rollback takes one source", '{"sources": ["spamhaus-drop"], "to": "7"}')
    to = request.fields.get("to", "")
    point = read_point(to, "to") if isinstance(to, str) else None
    if point is None:
        raise UsageError("to which version is not said", "an import run, or @ and seconds since the epoch")
    return RollbackOrder(request.source_ids[0], point, request.uid)


async def _answer(parts: "Parts", order: RollbackOrder) -> RollbackAnswer:
    source = parts.source(order.source)
    if not source.enabled:
        raise UsageError(f"{source.id}: it is off", f"banlistctl enable {source.id}")
    version = version_of(await parts.history.versions(source.id), source.id, order.to)
    await content_of_version(parts, version)
    await parts.suspended.pin(source.id, order.uid, version.run_id, version.content_hash)
    (outcome,) = await poll_now(parts, [source.id])
    return {"id": source.id, "version": version_row(version), "outcome": outcome}


def _page(answer: RollbackAnswer, _: PageContext) -> Page:
    name, row, outcome = printable(answer["id"]), answer["version"], answer["outcome"]
    which = f"{version_words(row)}, {counted(row['entries'], 'entry', 'entries')}"
    if outcome["outcome"] == "failed":
        return [f"{name} is pinned to {which}; it is tried again, because: {printable(outcome['error'])}"]
    changed = f"{counted(outcome['added'], 'element', 'elements')} added, {number(outcome['removed'])} removed"
    what = "was in force already" if outcome["outcome"] == "suspended" else f"is in force: {changed}"
    return [f"{name}: {which}, {what}", f"  no poll replaces it until: banlistctl unpin {name}"]


ROLLBACK: Command[RollbackOrder, RollbackAnswer] = Command(
    name="rollback",
    help="put an older content of a list into force again, and pin the list to it",
    details="It is an import run like any other, but no guard is asked; what is allowed or protected is not banned. The source"
    " is not polled until `banlistctl unpin ID`, across restart, reboot and reload. Where the firewall does not take it"
    " now, that is tried again each minute.",
    method="POST",
    example={
        "id": "spamhaus-drop",
        "version": {**VERSION_EXAMPLE, "left_at": 1_790_000_000.0},
        "outcome": {**REFRESH.example[0], "removed": 1},
    },
    arguments=(
        Argument("id", "ID", "the source", field="sources", nargs=1, completes=Completes.SOURCES),
        Argument(
            "--to",
            "RUN|TIME",
            f"the import run that brought the content, or a moment at which it was in force: {TIME_HELP}",
            kind=point_argument,
            required=True,
        ),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={UNAVAILABLE: "the firewall or the database did not take it yet; it is tried again"},
    errors=(NoSuchSourceError, UsageError, LedgerError),
    judge=lambda answer: UNAVAILABLE if answer["outcome"]["outcome"] == "failed" else 0,
    timeout=REFRESH_SECONDS,
    polls=True,
)
