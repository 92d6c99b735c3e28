"""Where the banned addresses belong, and entries that may be false positives."""

from collections.abc import Iterator

from banlistd.control.commands.value.html.parts import BoundedReport, Figure, figure
from banlistd.control.commands.value.html.tables import table
from banlistd.control.commands.value.shapes import Places, ReportAnswer
from banlistd.control.drawing.charts import Bar, bars, share_text
from banlistd.control.drawing.markup import Markup, markup_lines, tag
from banlistd.control.page import Column, number

_MOST_PLACES = 20
_MOST_CANDIDATES = 200


def place_sections(answer: ReportAnswer) -> Markup:
    """Nothing without `since`."""
    found: list[Markup] = []
    if "countries" in answer:
        found.append(_ranked("countries", "Countries", "country", answer["countries"]))
    if "networks" in answer:
        found.append(_ranked("networks", "Networks", "network operator", answer["networks"]))
    return markup_lines(found)


def _ranked(name: str, title: str, head: str, found: Places) -> Markup:
    if found["unknown"] or not found["rows"]:
        return tag("section", tag("h2", title), tag("p", found["unknown"] or "Nothing is banned."))
    rows, whole = found["rows"][:_MOST_PLACES], max(found["bans"], 1)
    left = f" The first {len(rows)} of {number(found['total'])} are shown." if found["total"] > len(rows) else ""
    columns = [Column(head), Column("name"), *(Column(one, right=True) for one in ("bans", "share", "IPv4 addresses"))]
    drawn = bars([Bar(row["name"] or row["key"] or "unknown", row["bans"], 0, share_text(row["bans"] / whole)) for row in rows])
    about = f"Bans of this moment, by {head}, as the databases here give it. A network in several is a ban of each.{left}"
    cells = [
        (row["key"] or "unknown", row["name"], number(row["bans"]), share_text(row["bans"] / whole), number(row["addresses"]))
        for row in rows
    ]
    return figure(Figure(name, title, about, drawn, table(f"Bans by {head}", columns, cells)))


def candidate_section(report: BoundedReport) -> Markup:
    """Entries that met an address that is wanted."""
    rows = [*_met(report)]
    if not rows:
        text = "No entry met an allowed or protected address, or one that a host here connects to."
        return tag("section", tag("h2", _CANDIDATES), tag("p", text))
    count = sum(row["candidates"] for row in report.rows)
    shown = rows[:_MOST_CANDIDATES]
    left = f", {len(shown)} of {number(count)}" if count > len(shown) else ""
    columns = [Column("list"), Column("entry"), Column("met what is"), Column("address"), Column("reason")]
    about = "Entries that met an allowed or protected address, or one that a host here connects to and that answers."
    return tag("section", tag("h2", _CANDIDATES), tag("p", about), table(f"Candidates{left}", columns, shown, bounded=True))


_CANDIDATES = "Candidates for false positives"


def _met(report: BoundedReport) -> Iterator[tuple[str, ...]]:
    for row in report.rows:
        for one in row["met"]:
            yield row["id"], one["entry"], one["met"], one["address"], one["reason"]
