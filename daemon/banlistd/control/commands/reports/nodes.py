"""banlistctl nodes: which machines may report bans to this hub, and what became of their reports."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from banlistd.control.commands.reports.rows import NODE_EXAMPLE, NodeRow, node_row
from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Column, Page, Table, since
from banlistd.core.printing import printable
from banlistd.errors import LedgerError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


async def _answer(parts: "Parts", _: tuple[()]) -> list[NodeRow]:
    counts, now = await parts.reports.sightings().counts(), parts.clock.now()
    return [node_row(node, counts, now) for node in await parts.reports.nodes().every()]


_COLUMNS = (
    Column("NODE"),
    Column("SITE"),
    Column("STATE"),
    Column("REPORTED", spare=1),
    Column("ADDRESSES", right=True, spare=2),
    Column("LEFT", right=True, spare=3),
    Column("ADMITTED", spare=4),
)


def _page(rows: Sequence[NodeRow], context: PageContext) -> Page:
    if not rows:
        return ["no node is admitted (banlistctl nodes admit ID --site SITE --key KEY)"]
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows))]


def _cells(row: NodeRow, now: float) -> tuple[str, ...]:
    return (
        printable(row["id"]),
        printable(row["site"]),
        _state(row),
        "never" if row["reported_at"] is None else since(row["reported_at"], now),
        f"{row['sightings']:,}",
        f"{row['left']:,}",
        since(row["admitted_at"], now),
    )


def _state(row: NodeRow) -> str:
    if row["suspended_at"] is not None:
        return "suspended"
    kind = "canary" if row["canary"] else "admitted"
    return kind if row["silent_since"] is None else f"{kind}, silent"


NODES: Command[tuple[()], list[NodeRow]] = Command(
    name="nodes",
    help="which machines of the fleet may report bans to this hub",
    details="ADDRESSES is how many addresses a node has reported that may still count, and LEFT how many new ones it may report"
    " within this hour.",
    method="GET",
    example=[NODE_EXAMPLE],
    read=no_fields,
    answer=_answer,
    page=_page,
    errors=(LedgerError,),
)
