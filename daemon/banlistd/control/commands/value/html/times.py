"""Lists and hits over time."""

from collections.abc import Iterator, Sequence

from banlistd.control.commands.value.html.parts import BoundedReport, Figure
from banlistd.control.commands.value.html.tables import table
from banlistd.control.commands.value.shapes import OverTime, PastOfList
from banlistd.control.drawing.charts import Axis, columns, sparkline, steps
from banlistd.control.drawing.markup import Markup, tag
from banlistd.control.page import Column, moment, number, second

_TICKS = 6
_DAY = 86_400
_SHORT = 2 * _DAY
"""Seconds up to which a time needs its hour."""


def time_figures(report: BoundedReport) -> list[Figure]:
    """Nothing without `since`."""
    answer = report.answer
    if "over_time" not in answer:
        return []
    found = answer["over_time"]
    lists = found["lists"][: len(report.rows)]
    axis = _axis(found)
    return [
        Figure(
            "entries",
            "Entries over time",
            "Of all lists in force together; an entry on two lists counts twice. It begins where runs and versions begin.",
            steps(found["entries"], axis),
            table("Entries of each list", [Column("list"), *_SIZES, Column("shape")], [_sizes(one) for one in lists]),
        ),
        Figure(
            "hits",
            "Connections over time",
            "Connections that met an entry, of all lists with hits: yes, from their first sample to their last. At most 10"
            " packets a second of each list are sampled." + ("" if any(found["hits"]) else " None was sampled in this time."),
            columns(found["hits"], axis),
            _of_hits(found, lists),
        ),
    ]


_SIZES = [Column(head, right=True) for head in ("then", "least", "most", "now")]


def _sizes(one: PastOfList) -> Sequence[object]:
    known = [value for value in one["entries"] if value is not None]
    return (
        one["id"],
        number(one["entries"][0]),
        number(min(known, default=None)),
        number(max(known, default=None)),
        number(one["entries"][-1]),
        sparkline(one["entries"]),
    )


def _of_hits(found: OverTime, lists: Sequence[PastOfList]) -> Markup:
    by_list = [(one["id"], number(one["connections"]), number(one["samples"])) for one in lists if one["connections"]]
    by_slot = [(second(found["since"] + at * found["slot"]), number(value)) for at, value in enumerate(found["hits"]) if value]
    heads = [Column("list"), Column("connections", right=True), Column("samples", right=True)]
    return tag(
        "div",
        table("Lists that were met", heads, by_list),
        table(
            "Connections in each part of the time", [Column("from"), Column("connections", right=True)], by_slot, bounded=True
        ),
        class_="pair",
    )


def _axis(found: OverTime) -> Axis:
    return Axis([*_ticks(found["since"], found["until"])])


def _ticks(since: float, until: float) -> Iterator[tuple[float, str]]:
    """Not at the ends, where a text would stick out."""
    for at in range(1, _TICKS):
        text = moment(since + (until - since) * at / _TICKS)
        yield at / _TICKS, text[5:] if until - since <= _SHORT else text[:10]
