"""banlistctl sightings: which nodes have reported an address, and when."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.declaration import NOT_FOUND, Argument, Command, PageContext
from banlistd.control.page import Column, Page, Table, since
from banlistd.core.printing import printable
from banlistd.errors import LedgerError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest


class SightingRow(TypedDict):
    """`address`: of IPv6, its /64. `first_at`, `last_at`: the first and the last of reports that followed each other within ten
    minutes, in seconds since the epoch. `origin`: as the node names it.
    """

    address: str
    node: str
    site: str
    first_at: int
    last_at: int
    origin: str


class SightingOrder(NamedTuple):
    """The address, as the table has it."""

    address: bytes


def _read(request: "ControlRequest") -> SightingOrder:
    from banlistd.core.fleet.reports.addresses import reported_address

    try:
        return SightingOrder(reported_address(request.text("address")))
    except ValueError as error:
        raise UsageError("that is no single address", "banlistctl sightings 203.0.113.7") from error


async def _answer(parts: "Parts", order: SightingOrder) -> list[SightingRow]:
    from banlistd.core.fleet.reports.addresses import address_text

    return [
        {
            "address": address_text(one.address),
            "node": one.node,
            "site": one.site,
            "first_at": one.first_at,
            "last_at": one.last_at,
            "origin": one.origin,
        }
        for one in await parts.reports.sightings().of(order.address)
    ]


_COLUMNS = (Column("NODE"), Column("SITE"), Column("FIRST"), Column("LAST"), Column("ORIGIN", spare=1))


def _page(rows: Sequence[SightingRow], context: PageContext) -> Page:
    if not rows:
        return ["no node has reported it"]
    return [
        Table(
            _COLUMNS,
            tuple(
                (
                    printable(row["node"]),
                    printable(row["site"]),
                    since(row["first_at"], context.now),
                    since(row["last_at"], context.now),
                    printable(row["origin"]),
                )
                for row in rows
            ),
        )
    ]


SIGHTINGS: Command[SightingOrder, list[SightingRow]] = Command(
    name="sightings",
    help="which nodes of the fleet have reported an address to this hub",
    method="GET",
    example=[
        {
            "address": "203.0.113.7",
            "node": "web-1",
            "site": "oslo",
            "first_at": 1_790_000_000,
            "last_at": 1_790_000_300,
            "origin": "fail2ban/sshd",
        }
    ],
    arguments=(Argument("address", "ADDRESS", "a single address; of IPv6, its /64 counts"),),
    read=_read,
    answer=_answer,
    page=_page,
    exits={NOT_FOUND: "no node has reported it"},
    errors=(LedgerError,),
    judge=lambda rows: 0 if rows else NOT_FOUND,
)
