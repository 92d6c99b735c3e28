"""Drawings as SVG: bars, steps and columns over time, a matrix. Values of a size, for a page or a file. Pure.

Every mark has its figure as a text beside it, or as a `title` that a pointer shows; a table beside the drawing has them all.
"""

from collections.abc import Iterator, Sequence
from math import floor, log10
from typing import NamedTuple

from banlistd.control.drawing.markup import Markup, cut, markup_lines, tag
from banlistd.control.page import number

WIDTH = 720
_LABELS = 200
_VALUES = 150
_BAR = 16
_ROW = 22
_LONGEST = 30
"""Characters of a label: 12 pixels of a proportional face are 6.5 wide on average, and 200 pixels are reserved."""

_LONGEST_HEAD = 22
_PLOT = 150
_AXIS = 64
_FOOT = 22
_NUMBERED = 14
"""Lists up to which a cell of the matrix has room for its per cent."""

_DARK_CELL = 0.55
"""Share from which the text on a cell has the colour of the paper."""


class Drawing(NamedTuple):
    """`body`: what is drawn, in pixels from 0, 0 to `width`, `height`."""

    width: int
    height: int
    body: Markup


class Bar(NamedTuple):
    """A bar of two parts, one behind the other. `text`: its figures."""

    label: str
    one: int
    two: int
    text: str


class Axis(NamedTuple):
    """Times below a plot: where, from 0 to 1, and the text."""

    ticks: Sequence[tuple[float, str]]


def bars(rows: Sequence[Bar]) -> Drawing:
    """A bar for each row, all to one scale."""
    most = max((row.one + row.two for row in rows), default=0) or 1
    room = WIDTH - _LABELS - _VALUES
    return Drawing(
        WIDTH, _ROW * len(rows), markup_lines(part for at, row in enumerate(rows) for part in _bar(row, _ROW * at, room / most))
    )


def _bar(row: Bar, top: int, scale: float) -> Iterator[Markup]:
    one, two = row.one * scale, row.two * scale
    yield tag("text", cut(row.label, _LONGEST), x=_LABELS - 8, y=top + 13, text_anchor="end")
    yield tag(
        "g",
        tag("title", f"{row.label}: {row.text}"),
        tag("rect", class_="one", x=_LABELS, y=top + 2, width=f"{max(one, 1):.1f}", height=_BAR),
        *([tag("rect", class_="two", x=f"{_LABELS + one:.1f}", y=top + 2, width=f"{two:.1f}", height=_BAR)] if two else ()),
    )
    yield tag("text", row.text, class_="soft", x=f"{_LABELS + max(one + two, 1) + 6:.1f}", y=top + 13)


def steps(values: Sequence[int | None], axis: Axis) -> Drawing:
    """A number over time, which stays until it changes."""
    most, scale = _scale(values)
    across = (WIDTH - _AXIS - 10) / max(len(values), 1)
    path = _path([(_AXIS + at * across, _PLOT - value * scale) for at, value in _known(values)], across)
    return Drawing(WIDTH, _PLOT + _FOOT, markup_lines([*_frame(most, axis), tag("path", class_="curve", d=path)]))


def columns(values: Sequence[int], axis: Axis) -> Drawing:
    """A number for each slot of time."""
    most, scale = _scale(values)
    across = (WIDTH - _AXIS - 10) / max(len(values), 1)
    drawn = [
        tag(
            "rect",
            tag("title", number(value)),
            class_="three",
            x=f"{_AXIS + at * across + 1:.1f}",
            y=f"{_PLOT - value * scale:.1f}",
            width=f"{across - 2:.1f}",
            height=f"{value * scale:.1f}",
        )
        for at, value in _known(values)
        if value
    ]
    return Drawing(WIDTH, _PLOT + _FOOT, markup_lines([*_frame(most, axis), *drawn]))


def sparkline(values: Sequence[int | None]) -> Markup:
    """The shape of a number over time, for a cell of a table that has the figures: hidden from readers of a screen."""
    known = [value for _, value in _known(values)]
    low, high = min(known, default=0), max(known, default=0)
    scale = 18 / (high - low) if high > low else 0.0
    across = 160 / max(len(values), 1)
    path = _path([(at * across, 20 - (value - low) * scale) for at, value in _known(values)], across)
    return tag("svg", tag("path", class_="curve", d=path), viewBox="0 0 160 22", width=160, height=22, aria_hidden="true")


def matrix(labels: Sequence[str], cells: Sequence[Sequence[float]]) -> Drawing:
    """`cells[row][column]`: a share from 0 to 1, the larger the stronger its colour; the diagonal is empty."""
    size = max(11, min(44, (WIDTH - _LABELS) // max(len(labels), 1)))
    # A letter of a slanted label is some 6 pixels high.
    head = 20 + 6 * min(max(map(len, labels), default=0), _LONGEST_HEAD)
    parts = [
        tag(
            "text",
            cut(label, _LONGEST_HEAD),
            transform=f"translate({_LABELS + at * size + size / 2 + 4:.0f} {head - 6}) rotate(-60)",
        )
        for at, label in enumerate(labels)
    ]
    for row, label in enumerate(labels):
        middle = head + row * size + size // 2 + 4
        parts.append(tag("text", cut(label, _LONGEST), x=_LABELS - 8, y=middle, text_anchor="end"))
        parts += [
            part
            for column, other in enumerate(labels)
            if row != column
            for part in _cell(
                (label, other), cells[row][column], (_LABELS + column * size, head + row * size, size), len(labels)
            )
        ]
    # The last slanted label reaches beyond its column.
    return Drawing(max(WIDTH, _LABELS + size * len(labels) + 70), head + size * len(labels) + 4, markup_lines(parts))


def _cell(names: tuple[str, str], share: float, place: tuple[int, int, int], lists: int) -> Iterator[Markup]:
    x, y, size = place
    if share <= 0:
        return
    yield tag(
        "rect",
        tag("title", f"{names[0]}: {share_text(share)} also in {names[1]}"),
        class_="one",
        x=x,
        y=y,
        width=size - 1,
        height=size - 1,
        fill_opacity=f"{0.06 + 0.94 * min(share, 1.0):.2f}",
    )
    if lists <= _NUMBERED:
        text = f"{100 * share:.0f}" if share >= 0.005 else "<1"  # noqa: PLR2004 - what is rounded to 0 is not nothing
        class_ = "on" if share > _DARK_CELL else None
        yield tag("text", text, class_=class_, x=x + size // 2, y=y + size // 2 + 4, text_anchor="middle")


def share_text(share: float) -> str:
    return f"{100 * share:.1f} %"


def one_below_another(parts: Sequence[tuple[str, Drawing]]) -> Drawing:
    """Drawings below each other, each with a headline."""
    drawn, top = [], 0
    for headline, one in parts:
        drawn.append(tag("text", headline, class_="head", x=8, y=top + 18))
        drawn.append(tag("g", one.body, transform=f"translate(0 {top + 30})"))
        top += one.height + 48
    return Drawing(max((one.width for _, one in parts), default=WIDTH), top, markup_lines(drawn))


def _known(values: Sequence[int | None]) -> Iterator[tuple[int, int]]:
    return ((at, value) for at, value in enumerate(values) if value is not None)


def _path(points: Sequence[tuple[float, float]], across: float) -> str:
    """A line that goes level through each slot and then up or down; points of one height are one stretch."""
    if not points:
        return ""
    path, height = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"], points[0][1]
    for x, y in points[1:]:
        if y != height:
            path.append(f"H{x:.1f}V{y:.1f}")
            height = y
    return "".join((*path, f"H{points[-1][0] + across:.1f}"))


def _scale(values: Sequence[int | None]) -> tuple[int, float]:
    """The top of the axis, a round number, and pixels for each one."""
    most = max((value for _, value in _known(values)), default=0)
    top = _round(most)
    return top, (_PLOT - 10) / top


def _round(most: int) -> int:
    """The next of 1, 2, 4, 6, 8 times a power of ten: half of it is a round number too."""
    if most < 4:  # noqa: PLR2004 - four steps of one are the shortest axis
        return 4
    power: int = 10 ** floor(log10(most))
    return next(one * power for one in (1, 2, 4, 6, 8, 10) if one * power >= most)


def _frame(most: int, axis: Axis) -> Iterator[Markup]:
    height = _PLOT - 10
    for part in (0, 1, 2, 3, 4):
        y = _PLOT - height * part / 4
        yield tag("path", class_="grid", d=f"M{_AXIS} {y:.1f}H{WIDTH - 10}")
        if part % 2 == 0:
            yield tag("text", number(most * part // 4), class_="soft", x=_AXIS - 6, y=f"{y + 4:.1f}", text_anchor="end")
    for at, text in axis.ticks:
        yield tag("text", text, class_="soft", x=f"{_AXIS + at * (WIDTH - _AXIS - 10):.1f}", y=_PLOT + 16, text_anchor="middle")
