"""banlistctl report: what each list is worth beside the others."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from banlistd.control.declaration import Argument, Command, Completes, PageContext
from banlistd.control.page import Column, Note, Page, Table, moment, number
from banlistd.core.printing import counted, printable
from banlistd.errors import FirewallError, LedgerError, NoSuchSourceError, UsageError

if TYPE_CHECKING:
    from banlistd.control.parts import Parts
    from banlistd.control.request import ControlRequest
    from banlistd.core.feeds.value.candidates import Candidates
    from banlistd.core.feeds.value.lifetimes import Lifetimes
    from banlistd.core.feeds.value.report import ListValue

_MOST_NAMED = 63
"""As many as can be compared (`core.feeds.value.overlap`, which the tool does not import)."""

_OTHERS_SHOWN = 3


class CandidateRow(TypedDict):
    """An entry that may be a false positive. `met`: `allowed`, `protected` or `connected`. `address`: what it contains of."""

    entry: str
    met: str
    address: str
    reason: str


class PastRow(TypedDict):
    """What the versions that are kept say, of single IPv4 addresses. `since`: from when on they are known. `first`: addresses
    that it had before any other list that has them too, `days_ahead` by how many days (median). `left`: addresses that came and
    left since, `days_listed`: after how many days (median).
    """

    since: float
    first: int
    days_ahead: float | None
    left: int
    days_listed: float | None


class ValueRow(TypedDict):
    """`unique`: entries of which no other list has an address. `addresses`, `unique_addresses`: of IPv4. `owned`: elements in
    the firewall. `overlap`: by list, how many entries of this list have an address that the other has too. `packets`,
    `hits_per_1000`: null where nothing is counted; hits are packets for each 1,000 entries. `sampled`: addresses of
    which hits are kept (`hits: yes`). `candidates`: how many entries met
    an address that is wanted; `met` has the first. `past`: null unless it is asked for, and known.
    """

    id: str
    action: str
    entries: int
    unique: int
    addresses: int
    unique_addresses: int
    owned: int
    packets: int | None
    hits_per_1000: float | None
    sampled: int
    overlap: dict[str, int]
    candidates: int
    met: list[CandidateRow]
    past: PastRow | None


class ReportAnswer(TypedDict):
    """`left_out`: lists that are not compared one by one; what they have is not unique to another list all the same."""

    lists: list[ValueRow]
    left_out: list[str]


class ReportOrder(NamedTuple):
    """`ids` empty: every list."""

    ids: tuple[str, ...]
    past: bool


def _read(request: "ControlRequest") -> ReportOrder:
    ids = tuple(dict.fromkeys(request.text("ids").split(","))) if request.text("ids") else ()
    if len(ids) > _MOST_NAMED:
        raise UsageError("too many lists are named", f"at most {_MOST_NAMED} are compared")
    if request.text("past") not in ("", "true", "false"):
        raise UsageError(f"past={request.text('past')[:60]!a} is not possible", "true or false")
    return ReportOrder(ids, request.text("past") == "true")


async def _answer(parts: "Parts", order: ReportOrder) -> ReportAnswer:
    named = {parts.source(name).id for name in order.ids}
    report = await parts.value.report(parts.service.config, named, parts.clock.now(), past=order.past)
    lists = [_row(one) for one in report.lists if not named or one.source_id in named]
    missing = sorted(named - {one.source_id for one in report.lists})
    if missing:
        raise UsageError(f"{missing[0]} is not compared", "it is off, has no content yet, or is made of other lists")
    return {"lists": lists, "left_out": [*report.left_out]}


def _row(one: "ListValue") -> ValueRow:
    return {
        "id": one.source_id,
        "action": str(one.action),
        "entries": one.entries,
        "unique": one.unique,
        "addresses": one.addresses,
        "unique_addresses": one.unique_addresses,
        "owned": one.owned,
        "packets": one.packets,
        "sampled": one.met,
        "hits_per_1000": None if one.hits_per_1000 is None else round(one.hits_per_1000, 3),
        "overlap": {str(name): count for name, count in one.overlap.items()},
        "candidates": one.candidates.entries,
        "met": candidate_rows(one.candidates),
        "past": _past_row(one.lifetimes),
    }


def _past_row(found: "Lifetimes | None") -> PastRow | None:
    if found is None:
        return None
    return {
        "since": found.since,
        "first": found.first,
        "days_ahead": found.days_ahead,
        "left": found.left,
        "days_listed": found.days_listed,
    }


def candidate_rows(candidates: "Candidates") -> list[CandidateRow]:
    """The candidates that are named."""
    return [
        {"entry": each.entry, "met": str(each.met), "address": each.address, "reason": each.reason} for each in candidates.shown
    ]


_COLUMNS = (
    Column("LIST"),
    Column("ENTRIES", right=True),
    Column("UNIQUE", right=True),
    Column("SHARE", right=True, spare=3),
    Column("IPV4 ADDRESSES", right=True, spare=6),
    Column("UNIQUE", right=True, spare=7),
    Column("HITS/1,000", right=True, spare=1),
    Column("CANDIDATES", right=True, spare=2),
    Column("ALSO IN", below=True),
)

_NOTE = (
    "UNIQUE: of these entries no other list has an address. HITS/1,000: packets for each 1,000 entries, over restarts and"
    " reboots; a packet counts for the first list in order. CANDIDATES for false positives: entries that met an allowed"
    " or protected address, or one that a host here connects to."
)


def _requests(fields: Mapping[str, object]) -> tuple[Sequence[Mapping[str, object]], bool]:
    """One request, with the ids in one field."""
    ids = fields.get("ids")
    named = {"ids": ",".join(map(str, ids))} if isinstance(ids, list) and ids else {}
    return [{**{key: value for key, value in fields.items() if key != "ids"}, **named}], False


def _page(answer: ReportAnswer, _: PageContext) -> Page:
    rows = answer["lists"]
    if not rows:
        return ["no list has content yet"]
    page: list[str | Table | Note] = [Table(_COLUMNS, tuple(_cells(row) for row in rows))]
    if len(rows) == 1:
        page += _overlaps(rows[0])
    page += [line for row in rows if row["past"] for line in _past(row["id"], row["past"])]
    page += [line for row in rows for line in met_lines(row["id"], row["met"])]
    if answer["left_out"]:
        page.append(f"{counted(len(answer['left_out']), 'list is', 'lists are')} not compared one by one: banlistctl report ID")
    return [*page, Note(_NOTE)]


def _cells(row: ValueRow) -> tuple[str, ...]:
    hits = row["hits_per_1000"]
    others = [(name, count) for name, count in _by_count(row["overlap"]) if count][:_OTHERS_SHOWN]
    return (
        printable(row["id"]),
        number(row["entries"]),
        number(row["unique"]),
        _percent(row["unique"], row["entries"]),
        number(row["addresses"]),
        number(row["unique_addresses"]),
        "" if hits is None else f"{hits:,.1f}",
        number(row["candidates"]),
        ", ".join(f"{printable(name)} {_percent(count, row['entries'])}" for name, count in others),
    )


def _by_count(overlap: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(overlap.items(), key=lambda one: (-one[1], one[0]))


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""


def _overlaps(row: ValueRow) -> list[str]:
    """What there is room for where one list is asked for."""
    return [
        f"{counted(count, 'entry', 'entries')} ({_percent(count, row['entries'])}) also in {printable(name)}"
        for name, count in _by_count(row["overlap"])
        if count
    ]


def _past(name: str, past: PastRow) -> list[str]:
    first, left = counted(past["first"], "address", "addresses"), counted(past["left"], "address", "addresses")
    ahead = "" if past["days_ahead"] is None else f", by {past['days_ahead']:.1f} days (median)"
    listed = "" if past["days_listed"] is None else f", after {past['days_listed']:.1f} days (median)"
    return [f"{printable(name)}: since {moment(past['since'])} it had {first} first{ahead}; {left} came and left{listed}"]


def met_lines(source_id: str, met: Sequence[CandidateRow]) -> list[str]:
    """A line for each candidate that is named."""
    lines = []
    for one in met:
        of = "" if one["address"] == one["entry"] else f" {printable(one['address'])}"
        reason = f" ({printable(one['reason'])})" if one["reason"] else ""
        lines.append(f"{printable(source_id)}: {printable(one['entry'])} met what is {printable(one['met'])}{of}{reason}")
    return lines


REPORT: Command[ReportOrder, ReportAnswer] = Command(
    name="report",
    help="what each list is worth: unique entries, overlap with other lists, hits, candidates for false positives",
    details="An entry is a single address or a network. It is unique if no other list has any of its addresses; it overlaps"
    " another list that has one of them. The lists are compared as they were read, whatever their action, without sources that"
    " are made of others and without manual bans. Of more than 63 lists the named ones and the largest are compared one by one;"
    " the others count together. A candidate for a false positive is an entry that met an allowed or protected address, or one"
    " that a host here connects to and that answers. With one ID, the overlap with every list is printed. With --past it reads"
    " the versions of each list that are kept, at most 200: which list had single IPv4 addresses before any other that has them"
    " too, and how long those that left were listed. --json has the whole matrix; `ids` are joined by commas there.",
    method="GET",
    example={
        "lists": [
            {
                "id": "spamhaus-drop",
                "action": "drop",
                "entries": 1_650,
                "unique": 1_402,
                "addresses": 14_904_576,
                "unique_addresses": 13_000_000,
                "owned": 1_234,
                "packets": 98_765,
                "hits_per_1000": 59_857.576,
                "sampled": 0,
                "overlap": {"office-bans": 3},
                "candidates": 1,
                "met": [{"entry": "192.0.2.0/24", "met": "allowed", "address": "192.0.2.7", "reason": "the office"}],
                "past": {"since": 1_790_000_000.0, "first": 17, "days_ahead": 1.5, "left": 12, "days_listed": 6.25},
            }
        ],
        "left_out": [],
    },
    arguments=(
        Argument("ids", "ID", "these lists only, compared with all", nargs="*", completes=Completes.SOURCES),
        Argument("--past", "", "also who had addresses first, and how long they stay", is_flag=True),
    ),
    read=_read,
    answer=_answer,
    page=_page,
    errors=(UsageError, NoSuchSourceError, FirewallError, LedgerError),
    timeout=60.0,
    requests=_requests,
)
