"""banlistctl top: bans by country, network operator or source, and sources by what they met."""

from typing import TYPE_CHECKING, NotRequired, TypedDict

from banlistd.control.declaration import LIMIT, Argument, Command, PageContext
from banlistd.control.page import Column, Page, Table, number
from banlistd.core.printing import counted, printable
from banlistd.errors import GeoError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.geo.types import By


class RankRow(TypedDict):
    """`key`: `NO`, `AS64496`, the id of a source, or empty for unknown. `addresses`: of IPv4.

    By hits only: `hits`: connections that `banlistctl hits` has, `samples`: of their packets. `packets`, `octets`: all that
    were counted; null if the firewall does not count.
    """

    key: str
    name: str
    bans: int
    addresses: int
    hits: NotRequired[int]
    samples: NotRequired[int]
    packets: NotRequired[int | None]
    octets: NotRequired[int | None]


class TopAnswer(TypedDict):
    """`bans`: all of them. `total`: how many rows there would be without a limit. `lost`, by hits only: samples that were lost
    since the daemon started.
    """

    by: str
    bans: int
    total: int
    rows: list[RankRow]
    lost: NotRequired[int]


def _read(request: "ControlRequest") -> tuple[str, int]:
    return request.text("by"), request.limit


async def _answer(parts: "Parts", order: tuple[str, int]) -> TopAnswer:
    import asyncio

    from banlistd.core.geo.tables import GeoTable
    from banlistd.core.geo.types import By
    from banlistd.core.ruleset.ranking import count, rank, rank_sources

    if order[0] == _HITS:
        return await _by_hits(parts, order[1])
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


_HITS = "hits"


async def _by_hits(parts: "Parts", limit: int) -> TopAnswer:
    """Every source in the firewall, and every other that has hits, those with most samples first, then with most packets."""
    import asyncio

    from banlistd.core.ruleset.evidence.hits import HitCount
    from banlistd.core.ruleset.ranking import count, rank_sources

    state = parts.enforcer.state
    counts, totals = await parts.evidence.hits.counts(), await parts.evidence.totals.now()
    ranks = {one.key: one for one in await asyncio.to_thread(rank_sources, state)} if state else {}
    rows: list[RankRow] = []
    for source_id in dict.fromkeys((*(owner.source_id for owner in parts.enforcer.policy.acting), *counts)):
        bans, found, total = ranks.get(source_id), counts.get(source_id, HitCount(0, 0, 0)), totals.get(source_id)
        rows.append(
            {
                "key": source_id,
                "name": "",
                "bans": bans.bans if bans else 0,
                "addresses": bans.addresses if bans else 0,
                "hits": found.hits,
                "samples": found.samples,
                "packets": total.packets if total else None,
                "octets": total.octets if total else None,
            }
        )
    rows.sort(key=lambda row: (-row["samples"], -(row["packets"] or 0), row["key"]))
    every = count(state) if state else 0
    return {"by": _HITS, "bans": every, "total": len(rows), "rows": rows[:limit], "lost": parts.evidence.hits.lost}


def _by(text: str) -> "By":
    from banlistd.core.geo.types import By

    try:
        return By(text)
    except ValueError:
        raise UsageError(f"bans are not counted by {text[:60]!a}", f"by {', '.join((*By, _HITS))}") from None


def _page(answer: TopAnswer, _: PageContext) -> Page:
    """A line for each country, operator or source; the share is that of all bans."""
    if answer["by"] == _HITS:
        return _page_of_hits(answer)
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


def _page_of_hits(answer: TopAnswer) -> Page:
    columns = (
        Column("SOURCE"),
        Column("HITS", right=True),
        Column("SAMPLES", right=True, spare=1),
        Column("PACKETS", right=True),
        Column("OCTETS", right=True, spare=3),
        Column("BANS", right=True, spare=2),
    )
    cells = (
        (
            printable(row["key"]),
            *(number(row[key]) for key in ("hits", "samples", "packets", "octets")),
            number(row["bans"]),
        )
        for row in answer["rows"]
    )
    left, lost = answer["total"] - len(answer["rows"]), answer.get("lost", 0)
    more = [f"... and {number(left)} more (--limit)"] if left > 0 else []
    missed = [f"{counted(lost, 'sample was', 'samples were')} lost since the start"] if lost else []
    return [Table(columns, tuple(cells)), *more, *missed]


TOP: Command[tuple[str, int], TopAnswer] = Command(
    name="top",
    help="who has most bans: countries, network operators or sources; and which sources met most",
    details="By hits: sources with the connections that were sampled, and with all packets that were counted, also over"
    " restarts and reboots; manual bans are the source manual.",
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
        Argument("--by", "WHAT", "what to count by", choices=("country", "asn", "source", "hits"), required=True),
        LIMIT,
    ),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, GeoError),
    timeout=60.0,  # a large database is read whole
)
