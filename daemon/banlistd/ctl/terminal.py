"""A page on a terminal, drawn by rich. No cell is broken: columns are left out by their priority, long texts go below a row."""

from collections.abc import Iterator, Sequence
from itertools import islice

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.segment import Segment, SegmentLines
from rich.style import Style
from rich.text import Text

from banlistd.control.page import Column, Note, Page, StateLine, Table, Tone, tone_of

_GAP = 2
_INDENT = 4
_AT_ONCE = 500  # rows and lines, so that a page of 100,000 begins at once
_STYLES = {Tone.GOOD: "green", Tone.BAD: "red", Tone.OPEN: "yellow", Tone.OFF: "dim"}


def print_page(page: Page, console: Console) -> None:
    """Print lines, tables and notes.

    A line is longer than the terminal is wide only where a cell of a column that is never left out, or a single word, is.
    """
    lines = (line for part in page for line in _drawn(part, console))
    while some := [*islice(lines, _AT_ONCE)]:
        console.print(Group(*some))


def _chosen(table: Table, width: int) -> tuple[Sequence[int], Sequence[int]]:
    """The columns that are shown in the rows, and those that go below them."""
    cells = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    widths = [max(map(cell_len, (column.head, *texts))) + _GAP for column, texts in zip(table.columns, cells, strict=True)]
    places = range(len(table.columns))
    filled = {at for at in places if any(cells[at])}
    below: list[int] = []

    def is_too_wide() -> bool:
        return sum(widths[at] for at in shown) - _GAP > width

    shown = [at for at in places if not table.columns[at].below or at in filled]
    if is_too_wide():
        shown = [at for at in shown if not table.columns[at].spare or at in filled]
    if is_too_wide():
        below = [at for at in shown if table.columns[at].below]
        shown = [at for at in shown if at not in below]
    for at in sorted(shown, key=lambda at: table.columns[at].spare, reverse=True):
        if table.columns[at].spare and is_too_wide():
            shown.remove(at)
    return shown, below


def _drawn(part: str | StateLine | Table | Note, console: Console) -> Iterator[RenderableType]:
    match part:
        case Table():
            return _rows(part, console)
        case StateLine(before, state, after):
            return _folded(Text.assemble(before, _state(state), after), console)
        case Note(text) | str(text):
            return _folded(Text(text), console)


def _rows(table: Table, console: Console) -> Iterator[RenderableType]:
    """Not rich's own table: of 30,000 rows that takes 18 s (measured)."""
    shown, below = _chosen(table, console.width)
    columns = [table.columns[at] for at in shown]
    widths = [max(map(cell_len, (table.columns[at].head, *(row[at] for row in table.rows)))) for at in shown]
    head, plain = console.get_style("bold"), Style.null()
    yield SegmentLines([_line([(column.head, head) for column in columns], columns, widths)], new_lines=True)
    for row in table.rows:
        cells = [(row[at], _style(row[at], console) if table.columns[at].is_state else plain) for at in shown]
        yield SegmentLines([_line(cells, columns, widths)], new_lines=True)
        for at in below:
            if row[at]:
                yield from _wrapped(Text(f"{table.columns[at].head.lower()}: {row[at]}"), console, _INDENT)


def _line(cells: Sequence[tuple[str, Style]], columns: Sequence[Column], widths: Sequence[int]) -> list[Segment]:
    line: list[Segment] = []
    for (text, style), column, width in zip(cells, columns, widths, strict=True):
        room = Segment(" " * (width - cell_len(text)))
        line += [room, Segment(text, style)] if column.right else [Segment(text, style), room]
        line.append(Segment(" " * _GAP))
    return _without_blanks(line)


def _style(text: str, console: Console) -> Style:
    tone = tone_of(text)
    return console.get_style(_STYLES[tone]) if tone else Style.null()


def _state(text: str) -> Text:
    tone = tone_of(text)
    return Text(text, _STYLES[tone] if tone else "")


def _without_blanks(line: list[Segment]) -> list[Segment]:
    """A line without the blanks that fill its last columns."""
    while line and not line[-1].text.strip():
        line.pop()
    return line


def _folded(line: Text, console: Console) -> Iterator[Text]:
    """A line as it is where it fits; else broken at blanks, what follows further indented."""
    if line.cell_len <= console.width:
        yield line
        return
    indent = len(line.plain) - len(line.plain.lstrip(" "))
    text = line[indent:]
    first = next(_wrapped(text, console, indent))
    yield first
    if rest := text[len(first) - indent :].plain.lstrip(" "):
        yield from _wrapped(text[-len(rest) :], console, indent + _INDENT)


def _wrapped(text: Text, console: Console, indent: int) -> Iterator[Text]:
    """A text in lines that fit, broken at blanks only, so that an address or a name can be copied whole."""
    if text.cell_len <= console.width - indent:
        text.rstrip()
        text.pad_left(indent)
        yield text
        return
    text.overflow = "ignore"
    for line in text.wrap(console, console.width - indent):
        line.rstrip()
        line.pad_left(indent)
        yield line
