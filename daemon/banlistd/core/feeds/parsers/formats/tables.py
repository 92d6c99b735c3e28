"""Lists in columns. The columns are named (by number from 1, or by header), or found by looking at the first records.

A line that begins with `#`, `;` or `//` is a comment, unless the columns are named and every record begins so.
"""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.core.feeds.parsers.commands.commands import command_of
from banlistd.core.feeds.parsers.conditions import all_hold, ends_at
from banlistd.core.feeds.parsers.formats.plain import TOO_LONG
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.records import SEPARATORS, WHITESPACE, Split, records_of, separator_named, splitter
from banlistd.core.feeds.parsers.spans import address_of, quad, span_of
from banlistd.core.feeds.parsers.tables.finding import find_table, is_header
from banlistd.core.feeds.parsers.tables.rows import (
    Layout,
    Means,
    is_mask,
    is_registry_row,
    lists_nothing,
    number_in,
    row_entries,
)
from banlistd.core.feeds.parsers.text import LONGEST_LINE, is_most, is_silent, lines_of
from banlistd.errors import ParseError
from banlistd.formats import Format

_LOOK = 200
"""Lines to look at before a column is chosen."""

_LONGEST_PREAMBLE = 10_000
"""Lines of comments that we look behind, or a body of blank lines alone would be read twice."""

_MAX_ENDS = 2
_MARKS = "#;/ "
"""What may be before the first name of a commented header."""

_NUMBERED = re.compile(r"#\d++")


def recognise_table(look: Sequence[str]) -> Format | None:
    """Where the addresses are in a table. The words of commands are no columns."""
    return None if is_most(look, lambda text: command_of(text) is not None) else find_table(look)


def parse_table(body: bytes, form: Format, harvest: Harvest) -> Format:
    """The entries of each record.

    Raises ParseError where a named column is absent, a column's number is none, the two named columns are no ends of ranges,
    or a quoted field has no end.
    """
    look, named = first_lines(body), bool(form.columns)
    if not look and not (named and _may_be_marked(form, body)):
        return form
    form = _settled(form, look, body)
    may_be_marked = named or form.separator == ";"
    comments = _Comments.of(body, form.separator, _positions(form, body)) if may_be_marked else _Comments()
    layout, conditions = _layout(form, body), _columns_of_conditions(form, body)
    headed, is_of_a_registry = False, layout.is_of_a_registry
    names = [column.casefold() for column in form.columns]
    for number, text, cells, is_too_long, _ in records_of(body, form.separator, comments.holds if comments.sign else is_silent):
        if is_of_a_registry and lists_nothing(cells):
            continue
        if conditions and not is_too_long:
            fault = _fault_of_conditions(cells, form, conditions)
            if fault and headed:
                harvest.reject(number, text, fault)
            if fault is not None:
                headed = True
                continue
            harvest.end_at(ends_at(form.where, _values_in(cells, conditions)))
        entries = row_entries(cells, layout)
        for span in entries:
            harvest.add(span)
        if not entries:
            is_heading = is_header(cells) or (len(cells) == 1 and cells[0].casefold() in names)
            if headed or is_too_long or not is_heading:
                harvest.reject(number, text, TOO_LONG if is_too_long else "no address in its column")
        headed = True
    return form


def _columns_of_conditions(form: Format, body: bytes) -> dict[str, int]:
    """The position from 0 of the column that each condition is about. Raises ParseError where there is none."""
    fields = [condition.field for condition in form.where]
    names = _names([*form.columns, *fields]) if _names(fields) else []
    header = _header_of(names, form.separator, body) if names else []
    if header is None:
        raise ParseError(f"no column named {', '.join(_names(fields))}", "where names columns by the header line, or by number")
    return {field: header.index(_name(field)) if field in names else int(field[:6]) - 1 for field in fields}


def _fault_of_conditions(cells: Sequence[str], form: Format, columns: Mapping[str, int]) -> str | None:
    """None where a row meets all conditions, empty where it does not, else why that cannot be said."""
    try:
        met = all_hold(form.where, _values_in(cells, columns), form.now)
    except ParseError as error:
        return error.message
    return None if met else ""


def _values_in(cells: Sequence[str], columns: Mapping[str, int]) -> Callable[[str], str | None]:
    return lambda field: cells[columns[field]] if 0 <= columns[field] < len(cells) else None


def _may_be_marked(form: Format, body: bytes) -> bool:
    """Whether lines that all look like comments can be records: where the columns are there at all."""
    separator = _settled(form, [], body).separator
    names = _names(form.columns)
    return bool(body.strip()) and (not names or _header_of(names, separator, body) is not None)


def first_lines(body: bytes) -> list[str]:
    """The first lines that say something, stripped; of a line too long only the beginning of what may be JSON.

    Where the first has a tab, tabs are cells, and the outer ones stay.
    """
    lines = (line for _, line in itertools.islice(lines_of(body), _LONGEST_PREAMBLE))
    short = (line for line in lines if len(line) <= LONGEST_LINE or line.lstrip().startswith(("{", "[")))
    look = list(itertools.islice((line[:LONGEST_LINE] for line in short if not is_silent(line.strip())), _LOOK))
    outer = " " if look and "\t" in look[0].strip() else None
    return [line.strip(outer) for line in look]


def _settled(form: Format, look: Sequence[str], body: bytes) -> Format:
    """The form with a separator and columns, found where it names none."""
    separator = separator_named(form.separator)
    if form.columns:
        return replace(form, separator=separator or _separator_of(look, form.columns, body))
    found = find_table(look, (separator,) if separator else SEPARATORS[:-1])
    if found is not None:
        return replace(found, where=(*form.where, *found.where), members=form.members, now=form.now)
    return replace(form, separator=separator or _separator_of(look, (), body), columns=("1",))


def _separator_of(look: Sequence[str], columns: Sequence[str], body: bytes) -> str:
    names = _names(columns)
    for separator in SEPARATORS:
        if names and _header_of(names, separator, body) is not None:
            return separator
    lines = look or [line for _, line in itertools.islice(lines_of(body), _LOOK)]
    counts = {separator: sum(separator in text for text in lines) for separator in SEPARATORS[:-1]}
    best = max(counts, key=lambda separator: counts[separator])
    return best if counts[best] else WHITESPACE


def _layout(form: Format, body: bytes) -> Layout:
    """What the named columns are: two of them as the first records show."""
    if len(form.columns) > _MAX_ENDS and not form.each:
        raise ParseError("more than two columns are named", "one for addresses, or two for the ends of ranges")
    positions = _positions(form, body)
    size = form.prefix or form.netmask or form.count
    columns, sizes = tuple(positions[: len(form.columns)]), positions[len(form.columns) :]
    rows = [record.cells for record in itertools.islice(records_of(body, form.separator), _LOOK)]
    means = Means.EACH if form.each else Means.ADDRESS if len(columns) == 1 else _meaning(form, columns, rows)
    layout = Layout(means, columns, sizes[0] if size else None, bool(form.count))
    if means is Means.ADDRESS and not size and 2 * sum(is_registry_row(row) for row in rows) > len(rows) > 0:
        raise ParseError(
            "a registry's statistics: the column behind the address says how many there are",
            'write {type: csv, column: 4, count: 5, separator: "|"}',
        )
    return layout


def _positions(form: Format, body: bytes) -> list[int]:
    """Positions from 0 of the columns that the form names, and of the one that says a size."""
    columns = [*form.columns, *(one for one in (form.prefix, form.netmask, form.count) if one)]
    names = _names(columns)
    header = _header_of(names, form.separator, body) if names else []
    if header is None:
        seen = ", ".join(splitter(form.separator)((first_lines(body) or [""])[0])[:20])
        raise ParseError(f"no column named {', '.join(names)}", f"the first line has: {seen[:200]}")
    positions = [header.index(_name(column)) if column in names else int(column[:6]) - 1 for column in columns]
    if min(positions) < 0:
        raise ParseError("there is no column 0", "columns are counted from 1")
    return positions


def _names(columns: Sequence[str]) -> list[str]:
    return [column for column in columns if not (column.isdecimal() and column.isascii())]


def _header_of(names: Sequence[str], separator: str, body: bytes) -> list[str] | None:
    """The names of all columns, from the first line, also a commented one, that has those that are asked for."""
    split = splitter(separator)
    for _, line in itertools.islice(lines_of(body), _LOOK):
        # Nothing that separates is stripped: the first name may be empty.
        text = line.lstrip(_MARKS.replace(separator, "")) if is_silent(line.strip()) else line
        cells = [_name(cell) for cell in split(text)] if len(line) <= LONGEST_LINE else []
        marked = line.lstrip().startswith("#")
        if marked and (cells[:1] in (["fields"], ["fields:"]) or (cells[:1] == [""] and len(cells) > _width(body, split))):
            # Zeek, and the extended log format of W3C; or the mark is a cell of its own: the first cell is no column.
            del cells[0]
        if all(_name(name) in cells for name in names):
            return cells
    return None


def _width(body: bytes, split: Split) -> int:
    """Cells of the first line that is no comment."""
    lines = (line for _, line in itertools.islice(lines_of(body), _LOOK) if not is_silent(line.strip()))
    return len(split(next(lines, "")[:LONGEST_LINE]))


def _name(cell: str) -> str:
    return cell.strip(' "').casefold()


def _meaning(form: Format, columns: Sequence[int], rows: Sequence[Sequence[str]]) -> Means:
    """What two columns are. Raises ParseError where the second is a mask or a number, not an end."""
    pairs = [(row[columns[0]], row[columns[1]]) for row in rows if max(columns) < len(row)]
    spans = [(low, high) for low, high in ((address_of(low), address_of(high)) for low, high in pairs)]
    alike = sum(low is not None and high is not None and low[0] is high[0] for low, high in spans)
    apart = sum(low is not None and high is not None and low[0] is not high[0] for low, high in spans)
    if not alike and (apart or _name_families(form.columns)):
        return Means.FAMILIES
    addressed = [high for (_, high), (low, _) in zip(pairs, spans, strict=True) if low is not None]
    if addressed and all(number_in(cell.removeprefix("/")) is not None for cell in addressed):
        raise ParseError(
            f"column {form.columns[1]} has no addresses, but numbers",
            f"write {{type: csv, column: {form.columns[0]}, prefix: {form.columns[1]}}} if they are lengths of networks, "
            f"count: {form.columns[1]} if they are numbers of addresses",
        )
    if addressed and all(map(_is_mask, addressed)):
        raise ParseError(
            f"column {form.columns[1]} has masks, not the ends of ranges",
            f"write {{type: csv, column: {form.columns[0]}, netmask: {form.columns[1]}}}",
        )
    whole = sum(number_in(low) is not None and number_in(high) is not None for low, high in pairs)
    return Means.NUMBERS if whole > alike else Means.ENDS


def _name_families(columns: Sequence[str]) -> bool:
    return {name[-1] for name in _names(columns) if re.search(r"(?:v|ip|inet|addr)_?[46]\Z", name, re.IGNORECASE)} == {"4", "6"}


def _is_mask(cell: str) -> bool:
    mask = quad(cell)
    return mask is not None and is_mask(mask)


@dataclass(frozen=True, slots=True)
class _Comments:
    """Which lines of a table are comments. `sign`: what begins a cell, not a comment, in a line of which `is_entry` is true."""

    sign: str = ""
    is_entry: Callable[[str], bool] = bool

    @classmethod
    def of(cls, body: bytes, separator: str, positions: Sequence[int]) -> "_Comments":
        """`#` begins a cell where every record does, in `#1`, `#2`, or below a header; `;` where it is the separator."""
        split = splitter(separator)

        def is_entry(text: str) -> bool:
            cells = split(text)
            return max(positions) < len(cells) and any(span_of(cells[at]) for at in positions)

        if separator == ";":
            return cls(";", is_entry)
        marked = numbered = 0
        headed = False
        for _, line in itertools.islice(lines_of(body), _LOOK):
            text = line.strip()
            if text.startswith("#") and text[1:2].strip():
                if is_entry(text[:LONGEST_LINE]):
                    marked += 1
                    numbered += _NUMBERED.fullmatch(split(text[:LONGEST_LINE])[0]) is not None
            elif not is_silent(text):
                if is_entry(text[:LONGEST_LINE]):
                    return cls()
                headed = headed or is_header(split(text[:LONGEST_LINE]))
        if not marked or 0 in positions:
            return cls()
        if headed or marked == numbered:
            return cls("#", is_entry)
        raise ParseError(
            "each line that has an address in its column begins with #, like a comment",
            "below a header line, or with a number behind the #, it would be read",
        )

    def holds(self, text: str) -> bool:
        if not is_silent(text):
            return False
        return not (self.sign and text.startswith(self.sign) and self.is_entry(text[:LONGEST_LINE]))
