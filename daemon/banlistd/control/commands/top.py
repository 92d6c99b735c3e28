"""banlistctl top: bans by country, network operator or source."""

from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import LIMIT, Argument, Command, PageContext
from banlistd.control.page import Column, Page, Table, number
from banlistd.core.printing import printable
from banlistd.errors import GeoError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.geo.types import By


class RankRow(TypedDict):
    """`key`: `NO`, `AS64496`, the id of a source, or empty for unknown. `addresses`: of IPv4."""

    key: str
    name: str
    bans: int
    addresses: int


class TopAnswer(TypedDict):
    """`bans`: all of them. `total`: how many rows there would be without a limit."""

    by: str
    bans: int
    total: int
    rows: list[RankRow]


def _read(request: "ControlRequest") -> tuple[str, int]:
    return request.text("by"), request.limit


async def _answer(parts: "Parts", order: tuple[str, int]) -> TopAnswer:
    import asyncio

    from banlistd.core.geo.tables import GeoTable
    from banlistd.core.geo.types import By
    from banlistd.core.ruleset.ranking import count, rank, rank_sources

    state, by = parts.enforcer.state, _by(order[0])
    table = GeoTable.none() if by is By.SOURCE else await parts.enricher.table(by)
    if state is None:
        ranks = []
    elif by is By.SOURCE:
        ranks = [*await asyncio.to_thread(rank_sources, state)]
    else:
        ranks = [*await asyncio.to_thread(rank, state, table, by)]
    return {
        "by": str(by),
        "bans": count(state) if state else 0,
        "total": len(ranks),
        "rows": [{"key": one.key, "name": one.name, "bans": one.bans, "addresses": one.addresses} for one in ranks[: order[1]]],
    }


def _by(text: str) -> "By":
    from banlistd.core.geo.types import By

    try:
        return By(text)
    except ValueError:
        raise UsageError(f"bans are not counted by {text[:60]!a}", f"by {', '.join(By)}") from None


def _page(answer: TopAnswer, _: PageContext) -> Page:
    """A line for each country, operator or source; the share is that of all bans."""
    rows, total = answer["rows"], answer["bans"]
    if not rows:
        return ["nothing is banned"]
    head = {"country": "COUNTRY", "asn": "ASN", "source": "SOURCE"}[answer["by"]]
    named = any(row["name"] for row in rows)
    columns = (
        Column(head),
        *((Column("NAME", below=True),) if named else ()),
        Column("BANS", right=True),
        Column("SHARE", right=True, spare=1),
        Column("IPV4 ADDRESSES", right=True, spare=2),
    )
    cells = (
        (
            printable(row["key"]) or "unknown",
            *((printable(row["name"]),) if named else ()),
            number(row["bans"]),
            f"{100 * row['bans'] / max(total, 1):.1f} %",
            number(row["addresses"]),
        )
        for row in rows
    )
    left = answer["total"] - len(rows)
    return [Table(columns, tuple(cells)), *([f"... and {number(left)} more (--limit)"] if left > 0 else [])]


TOP: Command[tuple[str, int], TopAnswer] = Command(
    name="top",
    help="who has most bans: countries, network operators or sources",
    method="GET",
    example={
        "by": "country",
        "bans": 1_234_567,
        "total": 3,
        "rows": [
            {"key": "NO", "name": "Norway", "bans": 1_000_000, "addresses": 1_000_256},
            {"key": "", "name": "", "bans": 7, "addresses": 0},
        ],
    },
    arguments=(
        Argument("--by", "WHAT", "what to count by", choices=("country", "asn", "source"), required=True),
        LIMIT,
    ),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, GeoError),
    timeout=60.0,  # a large database is read whole
)
