"""What the sections of a report are made of."""

from collections.abc import Sequence
from typing import NamedTuple

from banlistd.control.commands.value.shapes import ReportAnswer, ValueRow
from banlistd.control.drawing.charts import Drawing
from banlistd.control.drawing.markup import Markup, tag

_MOST_LISTS = 63
"""As many as the daemon compares; an answer with more is cut."""


class BoundedReport(NamedTuple):
    """An answer within the bounds of the file. `left_out`: ids."""

    answer: ReportAnswer
    rows: Sequence[ValueRow]
    left_out: Sequence[str]

    @classmethod
    def of(cls, answer: ReportAnswer) -> "BoundedReport":
        rows = answer["lists"]
        return cls(answer, rows[:_MOST_LISTS], [*(row["id"] for row in rows[_MOST_LISTS:]), *answer["left_out"]])


class Figure(NamedTuple):
    """A drawing with what it says in words (`about`), and a table of its figures. `name`: unique in the file."""

    name: str
    title: str
    about: str
    drawing: Drawing
    table: Markup


def figure(one: Figure) -> Markup:
    """A section. The drawing has its title and its words for those who cannot see it."""
    width, height, body = one.drawing
    svg = tag(
        "svg",
        tag("title", one.title, id=f"{one.name}-title"),
        tag("desc", f"{one.about} The table below has the figures.", id=f"{one.name}-desc"),
        body,
        role="img",
        aria_labelledby=f"{one.name}-title {one.name}-desc",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
    )
    return tag(
        "section",
        tag("h2", one.title),
        tag("p", one.about),
        tag("figure", tag("div", svg, class_="scroll", tabindex="0", role="group", aria_label=one.title), one.table),
    )
