"""banlistctl hits: which connection met which entry of which list."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from banlistd.control.declaration import LIMIT, MAX_ROWS, Argument, Command, Completes, PageContext
from banlistd.control.page import Column, Page, Table, number, since
from banlistd.core.printing import printable
from banlistd.errors import NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.geo.types import Origin
    from banlistd.core.ruleset.evidence.hits import FlowHit, HitChoice
    from banlistd.model import Family


class HitRow(TypedDict):
    """Samples of packets of one connection. `address`: the listed end; `peer`: the other. `direction`: in, from the listed
    address, or out, to it.

    `protocol`: its name, or its number. `port`: of the destination, null where there is none; `source_port`: of the newest
    sample. `entry`: the entry of the list that has the address, empty where the list lacked it already. `run`: the import run
    that brought this version of the list, null where there is none, as for manual bans; `content_hash`: its content.
    `country`, `asn`, `organisation`: of the listed end, as far as a database on this machine knows it. `samples`: how many
    packets were sampled, not how many came. `place`: for `after`.
    """

    source: str
    direction: str
    address: str
    country: str
    asn: int | None
    organisation: str
    peer: str
    protocol: str
    port: int | None
    source_port: int | None
    entry: str
    run: int | None
    content_hash: str | None
    samples: int
    first_at: float
    last_at: float
    place: str


def _read(request: "ControlRequest") -> "tuple[HitChoice, int]":
    from dataclasses import replace

    limit = request.limit if "limit" in request.fields else MAX_ROWS
    choice, after = _choice(request.text("of")), request.text("after")
    return replace(choice, before=_place(after)) if after else choice, limit


def _choice(text: str) -> "HitChoice":
    """An address or a network is not the id of a source: it has a dot or a colon."""
    from banlistd.control.lookups import read_address, read_network
    from banlistd.core.ruleset.evidence.hits import HitChoice
    from banlistd.model import SourceId

    if not text:
        return HitChoice()
    if "." not in text and ":" not in text:
        return HitChoice(source_id=SourceId(text))
    if "/" in text or "-" in text:
        return HitChoice(span=read_network(text))
    family, address = read_address(text)
    return HitChoice(span=(family, address, address))


def _place(text: str) -> tuple[float, int]:
    from math import isfinite

    moment, _, row = text.partition("|")
    try:
        place = float(moment), int(row)
    except ValueError:
        place = float("nan"), 0
    if not isfinite(place[0]) or not 0 <= place[1] < 1 << 63:
        raise UsageError(f"{text[:60]!a} is no place among the hits", "take `place` of the last row: banlistctl hits --json")
    return place


async def _answer(parts: "Parts", order: "tuple[HitChoice, int]") -> list[HitRow]:
    from banlistd.model import MANUAL

    choice, limit = order
    hits = await parts.evidence.hits.newest_first(choice, limit)
    if not hits and choice.source_id not in (None, MANUAL):
        parts.source(str(choice.source_id))  # a source that is no more may have hits
    origins = await _origins_of(parts, hits)
    return [_row(hit, origins[hit.meeting.family, hit.meeting.address]) for hit in hits]


async def _origins_of(parts: "Parts", hits: "Sequence[FlowHit]") -> "Mapping[tuple[Family, int], Origin]":
    from banlistd.core.addresses.sets import FAMILIES

    found: dict[tuple[Family, int], Origin] = {}
    for family in FAMILIES:
        listed = list(dict.fromkeys(hit.meeting.address for hit in hits if hit.meeting.family is family))
        origins = await parts.enricher.origins_of(family, listed) if listed else ()
        found |= {(family, address): origin for address, origin in zip(listed, origins, strict=True)}
    return found


def _row(hit: "FlowHit", origin: "Origin") -> HitRow:
    from banlistd.core.addresses.sets import from_numbers, to_text
    from banlistd.core.addresses.text import span_text
    from banlistd.core.ruleset.evidence.hits import PROTOCOLS

    meeting = hit.meeting
    address, peer = (to_text(meeting.family, one) for one in from_numbers(meeting.family, [meeting.address, meeting.peer]))
    return {
        "source": meeting.source_id,
        "direction": str(meeting.direction),
        "address": address,
        "country": origin.country,
        "asn": origin.asn,
        "organisation": origin.organisation,
        "peer": peer,
        "protocol": PROTOCOLS.get(meeting.protocol, str(meeting.protocol)),
        "port": meeting.port,
        "source_port": hit.source_port,
        "entry": span_text(meeting.entry) if meeting.entry else "",
        "run": hit.run_id or None,
        "content_hash": meeting.content_hash,
        "samples": hit.samples,
        "first_at": hit.first_at,
        "last_at": hit.last_at,
        "place": f"{hit.last_at!r}|{hit.id}",
    }


def _next_page(fields: Mapping[str, object], rows: list[HitRow]) -> Mapping[str, object] | None:
    """All hits without `limit`; with it, one page."""
    if "limit" in fields or len(rows) < MAX_ROWS:
        return None
    return {**fields, "after": rows[-1]["place"]}


_COLUMNS = (
    Column("LISTED"),
    Column("FROM", spare=7),
    Column("WAY"),
    Column("PEER", spare=2),
    Column("SERVICE", spare=1),
    Column("SAMPLES", right=True, spare=4),
    Column("LAST", spare=3),
    Column("SOURCE", below=True),
    Column("ENTRY", spare=5),
    Column("RUN", right=True, spare=6),
)


def _page(rows: Sequence[HitRow], context: PageContext) -> Page:
    if not rows:
        return ["no hit is recorded (sources with hits: yes sample their packets)"]
    return [Table(_COLUMNS, tuple(_cells(row, context.now) for row in rows))]


def _cells(row: HitRow, now: float) -> tuple[str, ...]:
    port = "" if row["port"] is None else f" {row['port']}"
    return (
        printable(row["address"]),
        printable(f"{row['country']} AS{row['asn']}".strip() if row["asn"] else row["country"]),
        printable(row["direction"]),
        printable(row["peer"]),
        f"{printable(row['protocol'])}{port}",
        number(row["samples"]),
        since(row["last_at"], now),
        printable(row["source"]),
        printable(row["entry"]),
        "" if row["run"] is None else str(row["run"]),
    )


HITS: "Command[tuple[HitChoice, int], list[HitRow]]" = Command(
    name="hits",
    help="which connection met which entry of which list",
    details="Only of sources with hits: yes, and of manual bans if that is below defaults. At most 10 packets a second of each"
    " source are sampled; samples of one connection are one hit, whatever its source port. The newest come first, in pages of"
    f" at most {MAX_ROWS}; without --limit, every page is asked for.",
    method="GET",
    example=[
        {
            "source": "spamhaus-drop",
            "direction": "in",
            "address": "192.0.2.7",
            "country": "NO",
            "asn": 64496,
            "organisation": "Example Network",
            "peer": "198.51.100.1",
            "protocol": "tcp",
            "port": 22,
            "source_port": 40_112,
            "entry": "192.0.2.0/24",
            "run": 17,
            "content_hash": "5d4f" * 16,
            "samples": 12,
            "first_at": 1_790_000_000.0,
            "last_at": 1_790_000_060.0,
            "place": "1790000060.0|3",
        }
    ],
    arguments=(
        Argument(
            "of",
            "ADDRESS|ID",
            "of this listed address, network or range, or of this source",
            nargs="?",
            completes=Completes.SOURCES,
        ),
        LIMIT._replace(help=f"one page of 1 to {MAX_ROWS} hits; default: all hits", default=None),
        Argument("--after", "PLACE", "begin after this hit: the place of its row"),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    next_page=_next_page,
    errors=(NoSuchSourceError, UsageError),
)
