"""What each list is worth, and what lists have in common."""

from collections.abc import Sequence

from banlistd.control.commands.value.html.parts import BoundedReport, Figure
from banlistd.control.commands.value.html.tables import table
from banlistd.control.commands.value.shapes import ValueRow
from banlistd.control.drawing.charts import Bar, bars, matrix, share_text
from banlistd.control.page import Column, moment, number

_PAIRS = 100


def worth_figures(report: BoundedReport) -> list[Figure]:
    """A bar for each list: entries that no other list has, and those that another has too."""
    rows = report.rows
    drawn = bars([Bar(row["id"], row["unique"], row["entries"] - row["unique"], _shares(row)) for row in rows])
    columns = [
        Column("list"),
        Column("action"),
        *(
            Column(head, right=True)
            for head in (
                "entries",
                "unique",
                "share",
                "IPv4 addresses",
                "unique addresses",
                "packets",
                "per 1,000 entries",
                "candidates",
            )
        ),
    ]
    figures = [
        Figure(
            "worth",
            "What each list is worth",
            "An entry is a single address or a network. The first part of a bar is unique: no other list has any address of"
            " these entries. Packets count for the first list in order that has their address, over restarts and reboots.",
            drawn,
            table("Entries of each list", columns, [_cells(row) for row in rows]),
        )
    ]
    past = [row for row in rows if row["past"]]
    return [*figures, _first(past)] if past else figures


def _shares(row: ValueRow) -> str:
    return f"{number(row['entries'])}, {share_text(row['unique'] / row['entries'])} unique" if row["entries"] else "empty"


def _cells(row: ValueRow) -> Sequence[str]:
    hits = row["hits_per_1000"]
    return (
        row["id"],
        row["action"],
        number(row["entries"]),
        number(row["unique"]),
        share_text(row["unique"] / row["entries"]) if row["entries"] else "",
        number(row["addresses"]),
        number(row["unique_addresses"]),
        number(row["packets"]),
        "" if hits is None else f"{hits:,.1f}",
        number(row["candidates"]),
    )


def _first(rows: Sequence[ValueRow]) -> Figure:
    known = [(row["id"], row["past"]) for row in rows]
    found = [(name, past) for name, past in known if past is not None]
    heads = ("known since", "had first", "days ahead", "came and left", "days listed")
    cells = [
        (
            name,
            moment(past["since"]),
            number(past["first"]),
            "" if past["days_ahead"] is None else f"{past['days_ahead']:.1f}",
            number(past["left"]),
            "" if past["days_listed"] is None else f"{past['days_listed']:.1f}",
        )
        for name, past in found
    ]
    return Figure(
        "first",
        "Who had addresses first",
        "Single IPv4 addresses that a list had before any other list that has them too, as far as versions are kept. Days are"
        " medians.",
        bars([Bar(name, past["first"], 0, number(past["first"])) for name, past in found]),
        table(
            "Addresses that came, and how long they stayed",
            [Column("list"), *(Column(one, right=True) for one in heads)],
            cells,
        ),
    )


def overlap_figures(report: BoundedReport) -> list[Figure]:
    """The matrix; nothing where there is one list."""
    rows = report.rows
    if len(rows) < 2:  # noqa: PLR2004 - a pair
        return []
    names = [row["id"] for row in rows]
    shares = [[row["overlap"].get(name, 0) / max(row["entries"], 1) for name in names] for row in rows]
    pairs = sorted(
        (
            (share, row["overlap"].get(name, 0), row["id"], name)
            for row, line in zip(rows, shares, strict=True)
            for name, share in zip(names, line, strict=True)
            if share and name != row["id"]
        ),
        key=lambda one: (-one[0], one[2], one[3]),
    )
    columns = [Column("of the list"), Column("also in"), Column("entries", right=True), Column("share", right=True)]
    left = f", the largest {_PAIRS} of {number(len(pairs))}" if len(pairs) > _PAIRS else ""
    return [
        Figure(
            "overlap",
            "What lists have in common",
            "Of the entries of the list of a row, the per cent that have an address which the list of the column has too."
            " A list whose row has a full colour adds little to the list of that column.",
            matrix(names, shares),
            table(
                f"Pairs of lists{left}",
                columns,
                [(one, other, number(count), share_text(share)) for share, count, one, other in pairs[:_PAIRS]],
                bounded=True,
            ),
        )
    ]
