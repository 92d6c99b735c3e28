"""banlistctl protected: the addresses that must never be banned, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import Command, PageContext, no_fields
from banlistd.control.page import Column, Page, Table
from banlistd.core.printing import printable

if TYPE_CHECKING:
    from banlistd.control.parts import Parts


class ProtectedRow(TypedDict):
    """`sources`: those that list it. `carved`: whether it would be banned without the protection."""

    address: str
    reason: str
    sources: list[str]
    carved: bool


async def _answer(parts: "Parts", _: tuple[()]) -> list[ProtectedRow]:
    from banlistd.core.addresses.text import span_text

    hits = {hit.protected: hit for hit in parts.enforcer.hits}
    return [
        {
            "address": span_text(item.span),
            "reason": item.reason,
            "sources": [*hits[item].sources] if item in hits else [],
            "carved": item in hits and hits[item].carved,
        }
        for item in parts.enforcer.protected
    ]


_COLUMNS = (Column("ADDRESS"), Column("REASON"), Column("LISTED BY"), Column("WOULD BE BANNED"))


def _page(rows: Sequence[ProtectedRow], _: PageContext) -> Page:
    if not rows:
        return ["nothing is protected: this host's own addresses could not be read"]
    return [Table(_COLUMNS, tuple(_cells(row) for row in rows))]


def _cells(row: ProtectedRow) -> tuple[str, ...]:
    would_be_banned = "yes" if row["carved"] else "no" if row["sources"] else ""
    listed_by = ", ".join(printable(name) for name in row["sources"])
    return printable(row["address"]), printable(row["reason"]), listed_by, would_be_banned


PROTECTED: Command[tuple[()], list[ProtectedRow]] = Command(
    name="protected",
    help="addresses that are never banned, to prevent lock-out, and the sources that list them",
    method="GET",
    example=[
        {"address": "192.0.2.1", "reason": "gateway", "sources": ["spamhaus-drop"], "carved": True},
        {"address": "10.0.0.53", "reason": "resolver", "sources": [], "carved": False},
    ],
    read=no_fields,
    answer=_answer,
    page=_page,
)
