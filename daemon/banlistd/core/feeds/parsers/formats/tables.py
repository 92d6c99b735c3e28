"""Lists in columns. The address column is named (by number from 1, or by header), or found by looking at the first lines.

A record is a line: a quoted field that goes on in the next line is not followed. A line that begins with `#`, `;` or `//`
is a comment, whatever the separator.
"""

import csv
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from banlistd.core.feeds.parsers.formats.plain import TOO_LONG
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import span_between, span_of
from banlistd.core.feeds.parsers.text import LONGEST_LINE, is_silent, lines_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family, Span

WHITESPACE = "whitespace"
SEPARATORS = (",", "\t", ";", "|", WHITESPACE)
_ALIASES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", " ": WHITESPACE}

_LOOK = 200
"""Lines to look at before a column is chosen."""

_LONGEST_PREAMBLE = 10_000
"""Lines of comments that we look behind, or a body of blank lines alone would be read twice."""

_MAX_COLUMNS = 2
_ENOUGH_ROWS = 3
_USUAL = 0.8
"""The share of rows that have the same width in a table: separators in unquoted text make a few wider."""

_MANY_ROWS = 20
_WIDEST_RANGE = {Family.IPV4: 1 << 24, Family.IPV6: 1 << 104}
"""Addresses. Two columns of addresses that have nothing to do with each other lie further apart in some row."""

_Split = Callable[[str], list[str]]


def parse_table(body: bytes, form: Format, harvest: Harvest) -> Format:
    """One address from one column, or a range from two.

    Raises ParseError where a named column is absent, or a column's number is none.
    """
    look = first_lines(body)
    if not look:
        return form
    form = _settled(form, look, body)
    columns = _numbers(form, look, body)
    split, headed = _splitter(form.separator), False
    for number, line in lines_of(body):
        text = line.strip()
        if is_silent(text):
            continue
        cells = split(text) if len(line) <= LONGEST_LINE else []
        span = _span_in(cells, columns)
        if span is not None:
            harvest.add(span)
        elif headed or len(line) > LONGEST_LINE or not _is_header(cells):
            harvest.reject(number, text, TOO_LONG if len(line) > LONGEST_LINE else "no address in its column")
        headed = True
    return form


def first_lines(body: bytes) -> list[str]:
    """The first lines that say something, stripped; of a line too long only the beginning of what may be JSON."""
    stripped = (line.strip() for _, line in itertools.islice(lines_of(body), _LONGEST_PREAMBLE))
    said = (text for text in stripped if not is_silent(text) and (len(text) <= LONGEST_LINE or text[0] in "{["))
    return list(itertools.islice(said, _LOOK))


def find_table(look: Sequence[str], separators: Sequence[str] = SEPARATORS) -> Format | None:
    """What the sampled lines are, if an address must be looked for behind their first word."""
    for separator in separators:
        if separator != WHITESPACE and not any(separator in text for text in look):
            continue
        columns = _found_columns(_Rows.of(look, separator), prose=separator == WHITESPACE)
        if columns:
            return Format(FormatType.CSV, columns=tuple(str(column + 1) for column in columns), separator=separator)
    return None


@dataclass(frozen=True, slots=True)
class _Rows:
    """Sampled rows of the usual width, without their header."""

    cells: list[list[str]]
    headed: bool
    quoted: bool
    uniform: bool

    @classmethod
    def of(cls, look: Sequence[str], separator: str) -> "_Rows":
        split = _splitter(separator)
        cells = [split(text) for text in look]
        headed = len(cells) > 1 and _is_header(cells[0])
        rows = cells[headed:]
        width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
        usual = [row for row in rows if len(row) == width and width > 1]
        uniform = len(usual) >= _USUAL * len(rows)
        return cls(usual, headed, any(text.startswith('"') for text in look), uniform)


def _found_columns(rows: _Rows, *, prose: bool) -> tuple[int, ...]:
    """The column of addresses, or the two of a range; none if the first word of the line is all that there is.

    `prose`: words between blanks may be a sentence, in which an address is no entry.
    """
    if not rows.cells:
        return ()
    spans = [[span_of(cell) for cell in row] for row in rows.cells]
    shares = [sum(span is not None for span in column) for column in zip(*spans, strict=True)]
    best = max(range(len(shares)), key=lambda column: (shares[column], -column))
    if shares[best] * 2 < len(spans):
        return ()
    if best + 1 < len(shares) and _are_ranges([(row[best], row[best + 1]) for row in rows.cells]):
        return best, best + 1
    trusted = not prose and rows.uniform and (rows.headed or rows.quoted or len(spans) >= _ENOUGH_ROWS)
    first_is_bare = best == 0 and not rows.quoted
    return (best,) if trusted and not first_is_bare else ()


def _are_ranges(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether two columns are the ends of ranges, not two addresses of an event: never the wrong way round, and either
    all narrow, or many and none over another.
    """
    spans: list[Span] = []
    for low, high in pairs:
        span = span_between(low, high)
        if span is None:
            return False
        spans.append(span)
    if all(first == last for _, first, last in spans):
        return False
    if all(last - first < _WIDEST_RANGE[family] for family, first, last in spans):
        return True
    ordered = sorted(set(spans))
    return len(ordered) >= _MANY_ROWS and all(
        one[0] is not other[0] or one[2] < other[1] for one, other in itertools.pairwise(ordered)
    )


def _settled(form: Format, look: Sequence[str], body: bytes) -> Format:
    """The form with a separator and columns, found where it names none."""
    separator = _ALIASES.get(form.separator, form.separator)
    if form.columns:
        return replace(form, separator=separator or _separator_of(look, form.columns, body))
    found = find_table(look, (separator,) if separator else SEPARATORS[:-1])
    if found is not None:
        return found
    return replace(form, separator=separator or _separator_of(look, (), body), columns=("1",))


def _separator_of(look: Sequence[str], columns: Sequence[str], body: bytes) -> str:
    names = [column for column in columns if not column.isdecimal()]
    for separator in SEPARATORS:
        if names and _header_of(names, separator, body) is not None:
            return separator
    counts = {separator: sum(separator in text for text in look) for separator in SEPARATORS[:-1]}
    best = max(counts, key=lambda separator: counts[separator])
    return best if counts[best] else WHITESPACE


def _numbers(form: Format, look: Sequence[str], body: bytes) -> list[int]:
    """Positions from 0 of the columns that the form names."""
    if len(form.columns) > _MAX_COLUMNS:
        raise ParseError("more than two columns are named", "one for addresses, or two for the ends of ranges")
    names = [column for column in form.columns if not (column.isdecimal() and column.isascii())]
    header = _header_of(names, form.separator, body) if names else []
    if header is None:
        seen = ", ".join(_splitter(form.separator)(look[0])[:20])
        raise ParseError(f"no column named {', '.join(names)}", f"the first line has: {seen[:200]}")
    positions = [header.index(_name(column)) if column in names else int(column[:6]) - 1 for column in form.columns]
    if min(positions) < 0:
        raise ParseError("there is no column 0", "columns are counted from 1")
    return positions


def _header_of(names: Sequence[str], separator: str, body: bytes) -> list[str] | None:
    """The names of all columns, from the first line, also a commented one, that has those that are asked for."""
    split = _splitter(separator)
    for _, line in itertools.islice(lines_of(body), _LOOK):
        cells = [_name(cell) for cell in split(line.strip().lstrip("#;/ "))] if len(line) <= LONGEST_LINE else []
        if all(_name(name) in cells for name in names):
            return cells
    return None


def _name(cell: str) -> str:
    return cell.strip(' "').casefold()


def _span_in(cells: Sequence[str], columns: Sequence[int]) -> Span | None:
    if max(columns) >= len(cells):
        return None
    if len(columns) == 1:
        return span_of(cells[columns[0]])
    return span_between(cells[columns[0]], cells[columns[1]])


def _is_header(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and not any(span_of(cell) for cell in cells) and any(cell[:1].isalpha() for cell in cells)


def _splitter(separator: str) -> _Split:
    """A line -> its cells, stripped and unquoted."""
    if separator == WHITESPACE:
        return str.split

    def split(text: str) -> list[str]:
        if '"' not in text or len(separator) != 1:
            return [cell.strip() for cell in text.split(separator)]
        try:
            return [cell.strip() for cell in next(csv.reader([text], delimiter=separator, skipinitialspace=True))]
        except csv.Error:
            return []

    return split
