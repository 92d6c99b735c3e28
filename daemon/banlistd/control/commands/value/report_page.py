"""What banlistctl report prints."""

from collections.abc import Mapping, Sequence

from banlistd.control.commands.value.shapes import CandidateRow, OverTime, PastRow, Places, ReportAnswer, ValueRow
from banlistd.control.declaration import PageContext
from banlistd.control.page import Column, Note, Page, Table, moment, number
from banlistd.core.printing import counted, printable

_OTHERS_SHOWN = 3

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


def report_page(answer: ReportAnswer, _: PageContext) -> Page:
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
    if "over_time" in answer:
        page += _changes(answer["over_time"])
    if "countries" in answer:
        page += _places("COUNTRY", answer["countries"])
    if "networks" in answer:
        page += _places("NETWORK", answer["networks"])
    return [*page, Note(_NOTE)]


def _changes(times: OverTime) -> list[str | Table | Note]:
    columns = (
        Column("LIST"),
        Column("THEN", right=True, spare=1),
        Column("NOW", right=True),
        Column("CONNECTIONS", right=True, spare=2),
        Column("SAMPLES", right=True, spare=3),
    )
    rows = (
        (
            printable(one["id"]),
            number(one["entries"][0]),
            number(one["entries"][-1]),
            number(one["connections"]),
            number(one["samples"]),
        )
        for one in times["lists"]
    )
    return [f"entries, and connections that were sampled, since {moment(times['since'])}:", Table(columns, tuple(rows))]


def _places(head: str, places: Places) -> list[str | Table | Note]:
    if places["unknown"]:
        return [printable(places["unknown"])]
    rows = [(printable(row["key"]) or "unknown", printable(row["name"]), number(row["bans"])) for row in places["rows"]]
    return [Table((Column(head), Column("NAME", below=True), Column("BANS", right=True)), tuple(rows))] if rows else []


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
