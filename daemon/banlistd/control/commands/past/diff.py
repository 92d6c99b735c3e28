"""banlistctl diff: what has come to a list, and what has left it, between two moments."""

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
from banlistd.control.declaration import LIMIT, NOT_FOUND, Argument, Command, Completes, PageContext
from banlistd.control.page import Page, number
from banlistd.core.printing import counted, printable
from banlistd.errors import LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.addresses.sets import AddressSet


class DiffOrder(NamedTuple):
    """`older`, `newer`: an import run, or a moment in seconds since the epoch; None: the one before, and the one in force."""

    source: str
    older: int | float | None
    newer: int | float | None
    limit: int


class DiffAnswer(TypedDict):
    """`added`, `removed`: entries that only the newer and only the older version has, and the first of each as text."""

    id: str
    older: VersionRow
    newer: VersionRow
    added: int
    removed: int
    added_entries: list[str]
    removed_entries: list[str]


def _read(request: "ControlRequest") -> DiffOrder:
    if request.source is None:
        raise UsageError("no source is named", "GET /v1/diff?source=spamhaus-drop")
    older, newer = read_point(request.text("from"), "from"), read_point(request.text("to"), "to")
    return DiffOrder(request.source, older, newer, request.limit)


async def _answer(parts: "Parts", order: DiffOrder) -> DiffAnswer:
    import asyncio

    source_id = parts.source(order.source).id
    versions = await parts.history.versions(source_id)
    if not versions:
        raise UsageError(f"{source_id}: no version is kept", "`history` of the source says how long they are")
    newer = versions[0] if order.newer is None else version_of(versions, source_id, order.newer)
    at = versions.index(newer)
    if order.older is None and at + 1 == len(versions):
        raise UsageError(f"{source_id}: no version before run {newer.run_id} is kept", f"banlistctl versions {source_id}")
    older = versions[at + 1] if order.older is None else version_of(versions, source_id, order.older)
    before, after = await content_of_version(parts, older), await content_of_version(parts, newer)
    come, gone, first_come, first_gone = await asyncio.to_thread(_compare, before, after, order.limit)
    return {
        "id": source_id,
        "older": version_row(older),
        "newer": version_row(newer),
        "added": come,
        "removed": gone,
        "added_entries": first_come,
        "removed_entries": first_gone,
    }


def _compare(older: "AddressSet", newer: "AddressSet", limit: int) -> tuple[int, int, list[str], list[str]]:
    from banlistd.core.addresses.comparison import added_history, sample

    come, gone = added_history(newer, older), added_history(older, newer)
    return len(come), len(gone), [*sample(come, limit)], [*sample(gone, limit)]


def _page(answer: DiffAnswer, _: PageContext) -> Page:
    older, newer = answer["older"], answer["newer"]
    lines = [
        f"{printable(answer['id'])}: {version_words(older)}, {counted(older['entries'], 'entry', 'entries')}",
        f"  and {version_words(newer)}, {counted(newer['entries'], 'entry', 'entries')}",
        f"  {number(answer['added'])} added, {number(answer['removed'])} removed",
    ]
    for sign, count, entries in (
        ("+", answer["added"], answer["added_entries"]),
        ("-", answer["removed"], answer["removed_entries"]),
    ):
        lines += [f"{sign} {printable(entry)}" for entry in entries]
        lines += [f"{sign} ... and {number(count - len(entries))} more (--limit)"] if count > len(entries) else []
    return lines


DIFF: Command[DiffOrder, DiffAnswer] = Command(
    name="diff",
    help="what has come to a list and what has left it, since the version before or between two moments",
    details="RUN is the number of an import run, as `banlistctl versions ID` lists them; TIME is a moment at which a version"
    " was in force. An address that is in a network of the other version has neither come nor gone.",
    method="GET",
    example={
        "id": "spamhaus-drop",
        "older": {**VERSION_EXAMPLE, "run": 6, "entries": 1_649, "left_at": 1_790_000_000.0},
        "newer": VERSION_EXAMPLE,
        "added": 1,
        "removed": 0,
        "added_entries": ["203.0.113.0/24"],
        "removed_entries": [],
    },
    arguments=(
        Argument("id", "ID", "the source", field="source", completes=Completes.SOURCES),
        Argument("--from", "RUN|TIME", "the older version; default: the one before the newer", kind=point_argument),
        Argument("--to", "RUN|TIME", f"the newer version; default: the one in force. TIME: {TIME_HELP}", kind=point_argument),
        LIMIT._replace(help=LIMIT.help.replace("1 to", "entries that are shown of each, 1 to")),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    exits={NOT_FOUND: "the two versions are equal"},
    errors=(NoSuchSourceError, UsageError, LedgerError),
    judge=lambda answer: 0 if answer["added"] or answer["removed"] else NOT_FOUND,
    timeout=60.0,
)
