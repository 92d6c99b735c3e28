"""A table on a terminal: no cell is broken, columns are left out by their priority, long texts go below their row. Pure."""

from collections.abc import Mapping, Sequence
from unicodedata import combining, east_asian_width

from banlistd.control.page import Column, Table, Tone, tone_of

_GAP = 2
_INDENT = 4

_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_COLOURS: Mapping[Tone, str] = {
    Tone.GOOD: "\x1b[32m",
    Tone.BAD: "\x1b[31m",
    Tone.OPEN: "\x1b[33m",
    Tone.OFF: "\x1b[2m",
}


def width_of(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)


def laid_out(table: Table, width: int, *, colour: bool) -> list[str]:
    """The lines of a table on a terminal of `width` cells.

    A line is longer only where a cell of a column that is never left out, or a single word below a row, is longer than that.
    """
    shown, below = _chosen(table, width)
    widths = {at: _width_of_column(table, at) for at in shown}
    heads = [_cell(column.head, widths[at], column) for at, column in _numbered(table, shown)]
    lines = [_joined([f"{_BOLD}{head}{_PLAIN}" if colour else head for head in heads])]
    for row in table.rows:
        cells = [
            _painted(row[at], _cell(row[at], widths[at], column), column, colour) for at, column in _numbered(table, shown)
        ]
        lines.append(_joined(cells))
        for at, column in _numbered(table, below):
            if row[at]:
                lines += wrapped(f"{_label(column)}{row[at]}", width, " " * _INDENT)
    return lines


def painted(state: str) -> str:
    """A state in the colour of its tone."""
    tone = tone_of(state)
    return f"{_COLOURS[tone]}{state}{_PLAIN}" if tone else state


def folded(line: str, width: int) -> list[str]:
    """A line as it is where it fits; else broken at blanks, what follows further indented."""
    if width_of(line) <= width:
        return [line]
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    first, *rest = wrapped(text, width, indent)
    beginning = len(first) - len(indent)
    return [first, *(wrapped(text[beginning + 1 :], width, indent + " " * _INDENT) if rest else ())]


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """A text in lines of `width` cells, broken at blanks only, so that an address or a name can be copied whole."""
    lines, line = [], indent
    for word in text.split(" "):
        if line.strip() and width_of(line) + 1 + width_of(word) > width:
            lines.append(line)
            line = indent
        line += word if line == indent else f" {word}"
    return [*lines, line]


def _numbered(table: Table, places: Sequence[int]) -> list[tuple[int, Column]]:
    return [(at, table.columns[at]) for at in places]


def _chosen(table: Table, width: int) -> tuple[Sequence[int], Sequence[int]]:
    """The columns that are shown in the rows, and those that go below them."""
    filled = {at for at in range(len(table.columns)) if any(row[at] for row in table.rows)}
    shown = [at for at, column in enumerate(table.columns) if not column.below or at in filled]
    below: list[int] = []
    if _total(table, shown) > width:
        shown = [at for at in shown if not table.columns[at].spare or at in filled]
    if _total(table, shown) > width:
        below = [at for at in shown if table.columns[at].below]
        shown = [at for at in shown if at not in below]
    for at in sorted(shown, key=lambda at: table.columns[at].spare, reverse=True):
        if not table.columns[at].spare or _total(table, shown) <= width:
            break
        shown.remove(at)
    return shown, below


def _total(table: Table, shown: Sequence[int]) -> int:
    return sum(_width_of_column(table, at) for at in shown) + _GAP * (len(shown) - 1)


def _width_of_column(table: Table, at: int) -> int:
    return max(width_of(cell) for cell in (table.columns[at].head, *(row[at] for row in table.rows)))


def _cell(text: str, width: int, column: Column) -> str:
    blanks = " " * (width - width_of(text))
    return blanks + text if column.right else text + blanks


def _painted(text: str, cell: str, column: Column, colour: bool) -> str:
    return f"{painted(text)}{cell[len(text) :]}" if colour and column.is_state else cell


def _joined(cells: Sequence[str]) -> str:
    line = (" " * _GAP).join(cells).rstrip()
    return f"{line.removesuffix(_PLAIN).rstrip()}{_PLAIN}" if line.endswith(_PLAIN) else line


def _label(column: Column) -> str:
    return f"{column.head.lower()}: "
