"""banlistctl versions: the contents that are kept of a list."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from banlistd.control.commands.past.rows import VERSION_EXAMPLE, VersionRow, version_row
from banlistd.control.declaration import LIMIT, Argument, Command, Completes, PageContext
from banlistd.control.page import Column, Page, Table, moment, number
from banlistd.core.printing import printable
from banlistd.errors import LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest


def _read(request: "ControlRequest") -> tuple[str, int]:
    if request.source is None:
        raise UsageError("no source is named", "GET /v1/versions?source=spamhaus-drop")
    return request.source, request.limit


async def _answer(parts: "Parts", order: tuple[str, int]) -> list[VersionRow]:
    versions = await parts.history.versions(parts.source(order[0]).id)
    return [version_row(version) for version in versions[: order[1]]]


_COLUMNS = (
    Column("RUN", right=True),
    Column("CAME"),
    Column("LEFT"),
    Column("ENTRIES", right=True),
    Column("CONTENT", spare=1),
)


def _page(rows: Sequence[VersionRow], _: PageContext) -> Page:
    if not rows:
        return ["no version is kept: nothing was imported since `history` is on, or it is off"]
    cells = [
        (
            printable(row["run"]),
            moment(row["came_at"]),
            "in force" if row["left_at"] is None else moment(row["left_at"]),
            number(row["entries"]),
            printable(row["content_hash"])[:12],
        )
        for row in rows
    ]
    return [Table(_COLUMNS, tuple(cells))]


VERSIONS: Command[tuple[str, int], list[VersionRow]] = Command(
    name="versions",
    help="the contents of a list that are kept, newest first, and the import runs that brought them",
    details="They are kept as long as `history` of the source says, within `history_size`. `diff` compares two of them, and"
    " `rollback` puts one into force again.",
    method="GET",
    example=[VERSION_EXAMPLE],
    arguments=(Argument("id", "ID", "the source", field="source", completes=Completes.SOURCES), LIMIT),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(NoSuchSourceError, UsageError, LedgerError),
)
