"""What a table is, when its source does not say. Where it may be one thing or another, it is refused: never guessed."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from banlistd.core.feeds.parsers.records import SEPARATORS, WHITESPACE, records_in
from banlistd.core.feeds.parsers.tables.cells import address_of_cell, range_of_cells, span_of_cell
from banlistd.core.feeds.parsers.tables.flags import conditions_of
from banlistd.core.feeds.parsers.tables.pairs import Pair, fits_networks, matching_size, overlap
from banlistd.core.feeds.parsers.tables.rows import PLACEHOLDERS, is_registry_row
from banlistd.core.feeds.parsers.tables.sizes import find_size, is_of_masks, sized_words
from banlistd.core.feeds.parsers.tables.words import Role, role_of
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family, Span

_ENOUGH_ROWS = 3
_ENOUGH_EVENTS = 5
_USUAL = 0.8
"""The share of rows that have the same width in a table: separators in unquoted text make a few wider."""

_QUOTED_LINE = re.compile(r'"([^"\s]++)",?+')
_REMARK = re.compile(r"\s(?:#|;|//)")
_PAIR = 2
_MOST_COLUMNS = 200
"""Further to the right nothing is looked for: a hostile line has as many cells as bytes."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Sampled rows of the usual width, without their header. `names`: of the header, if there is one.

    `joined`: a quoted field goes on over several lines.
    """

    cells: list[list[str]]
    names: list[str]
    quoted: bool
    uniform: bool
    joined: bool

    @classmethod
    def of(cls, look: Sequence[str], separator: str) -> "Rows":
        records = records_in(look, separator)
        cells = [_without_remark(record.cells) if separator == WHITESPACE else record.cells for record in records]
        names = cells[0] if len(cells) > 1 and is_header(cells[0]) else []
        rows = cells[bool(names) :]
        width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
        usual = [row[:_MOST_COLUMNS] for row in rows if len(row) == width and width > 1 and not _is_dashed(row, separator)]
        opening = _opening_quote(separator)
        quoted = any(opening.search(record.text) is not None for record in records if '"' in record.text)
        joined = any(record.is_of_lines for record in records)
        return cls(usual, names, quoted, len(usual) >= _USUAL * len(rows), joined)

    def role(self, column: int) -> Role:
        return role_of(self.names[column]) if column < len(self.names) else Role.UNNAMED


@cache
def _opening_quote(separator: str) -> re.Pattern[str]:
    """A quote at the beginning of a cell."""
    # Of blanks, each would begin the same search again.
    between = r"\s" if separator == WHITESPACE else rf"{re.escape(separator)}\s*+"
    return re.compile(rf'(?:\A|{between})"')


def is_header(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and not any(span_of_cell(cell) for cell in cells) and any(cell[:1].isalpha() for cell in cells)


def _is_dashed(cells: Sequence[str], separator: str) -> bool:
    """`first - last`, which a plain list may have."""
    return separator in (WHITESPACE, "\t") and cells[1] == "-" and range_of_cells(cells[0], "".join(cells[2:3])) is not None


def _without_remark(cells: list[str]) -> list[str]:
    at = next((at for at, cell in enumerate(cells) if at and cell.startswith(("#", ";", "//"))), len(cells))
    return cells[:at]


def find_table(look: Sequence[str], separators: Sequence[str] = SEPARATORS) -> Format | None:
    """What the sampled lines are, if more than the first word of each line must be looked at.

    Raises ParseError, with what to write, where they are a table that can be read in more than one way.
    """
    unreadable = None
    for separator in separators:
        if separator != WHITESPACE and not any(separator in text for text in look):
            continue
        form = Format(FormatType.CSV, separator=separator)
        try:
            rows = Rows.of(look, separator)
        except ParseError as error:
            # Another separator may be the right one.
            is_row = any(span_of_cell(cell.strip(' "')) for cell in look[0].split(separator))
            unreadable = unreadable or (error if is_row else None)
            continue
        found = _found(rows, form) or (_sized_lines(look, form) if separator == WHITESPACE else None)
        conditions = conditions_of(rows.names, rows.cells) if found is not None or _begin_with_addresses(rows) else ()
        if conditions:
            found = replace(found or _with(form, (0,)), where=conditions)
        if found is not None:
            return found
    if unreadable is not None:
        raise unreadable
    if WHITESPACE in separators and _goes_on(look):
        raise ParseError("quoted text goes on over several lines, between blanks", "name the format; none that auto knows fits")
    quoted = [span_of_cell(line[1]) for line in map(_QUOTED_LINE.fullmatch, look) if line is not None]
    if len(look) > 1 and len(quoted) == len(look) and sum(span is not None for span in quoted) * 2 > len(look):
        return Format(FormatType.CSV, columns=("1",), separator=",")
    return None


def _begin_with_addresses(rows: Rows) -> bool:
    """Whether most rows are lines that begin with an address, as those of a plain list do."""
    return bool(rows.names) and 2 * sum(span_of_cell(row[0]) is not None for row in rows.cells) > len(rows.cells)


def _found(rows: Rows, form: Format) -> Format | None:
    if not rows.cells:
        return None
    if form.separator == "|" and sum(map(is_registry_row, rows.cells)) * 2 > len(rows.cells):
        return _with(form, (3,), size=("count", 4))
    spans = [[span_of_cell(cell) for cell in row] for row in rows.cells]
    masks = [is_of_masks(cells) for cells in zip(*rows.cells, strict=True)]
    shares = [
        0 if is_mask else sum(span is not None for span in column)
        for column, is_mask in zip(zip(*spans, strict=True), masks, strict=True)
    ]
    if sum(any(span is not None for span in row) for row in spans) * 2 < len(spans):
        return _no_column(rows)
    best = max(range(len(shares)), key=lambda column: (shares[column], -column))
    pair = _named_ends(rows, shares) or _families(rows, spans, best, form)
    if pair is not None:
        return _ends_or_families(rows, pair, form)
    if shares[best] * 2 < len(spans):
        return _no_column(rows)
    often = [column for column, share in enumerate(shares) if 2 * share >= len(spans)]
    return _several_columns(rows, often, form) or _one_column(rows, best, form)


def _one_column(rows: Rows, best: int, form: Format) -> Format | None:
    """The column, with the one that says its networks' sizes. None: the first word of the line is all that there is."""
    prose = form.separator == WHITESPACE
    size = find_size(rows.cells, rows.names, best, prose=prose) if not prose or best == 0 else None
    if size is not None:
        return _with(form, (best,), size=size)
    trusted = not prose and rows.uniform and bool(rows.names or rows.quoted or len(rows.cells) >= _ENOUGH_ROWS)
    first_is_bare = best == 0 and not rows.quoted
    return _with(form, (best,)) if (trusted and not first_is_bare) or rows.joined else None


def _several_columns(rows: Rows, columns: Sequence[int], form: Format) -> Format | None:
    if len(columns) > _PAIR and not _is_plain(rows):
        raise _unsure(form, columns)
    return _two_columns(rows, (columns[0], columns[1]), form) if len(columns) == _PAIR else None


def _is_plain(rows: Rows) -> bool:
    """Whether the lines are addresses and nothing else, which a plain list may be."""
    return not rows.names and not rows.quoted and all(span_of_cell(cell) is not None for row in rows.cells for cell in row)


def _no_column(rows: Rows) -> Format | None:
    """None, or ParseError where a line inside a quoted field would be an entry of a plain list."""
    if rows.joined and rows.names:
        raise ParseError(
            "a table with quoted fields of several lines, and no column that has mostly addresses",
            "write {type: csv, column: NAME} with the name or number of the column of addresses",
        )
    return None


def _with(form: Format, columns: tuple[int, ...], *, each: bool = False, size: tuple[str, int] | None = None) -> Format:
    found = replace(form, columns=tuple(str(column + 1) for column in columns), each=each)
    match size:
        case "prefix", column:
            return replace(found, prefix=str(column + 1))
        case "netmask", column:
            return replace(found, netmask=str(column + 1))
        case "count", column:
            return replace(found, count=str(column + 1))
    return found


def _named_ends(rows: Rows, shares: Sequence[int]) -> tuple[int, int] | None:
    """The two columns of addresses that the header calls start and end."""
    roles = [rows.role(column) if share else Role.UNNAMED for column, share in enumerate(shares)]
    starts, ends = ([at for at, role in enumerate(roles) if role is wanted] for wanted in (Role.START, Role.END))
    return (starts[0], ends[0]) if len(starts) == len(ends) == 1 else None


def _families(rows: Rows, spans: Sequence[Sequence[Span | None]], best: int, form: Format) -> tuple[int, int] | None:
    """A column of IPv4 and one of IPv6, which say nothing but addresses. Raises ParseError for a single row without names."""
    seen: dict[int, set[Family]] = {}
    for column, cells in enumerate(zip(*spans, strict=True)):
        said = sum(row[column].lower() not in PLACEHOLDERS for row in rows.cells)
        found = [span for span in cells if span is not None]
        if found and len(found) >= _USUAL * said and rows.role(column) is not Role.VICTIM:
            seen[column] = {family for family, _, _ in found}
    if best not in seen or len(seen[best]) != 1:
        return None
    others = [column for column, families in seen.items() if len(families) == 1 and families != seen[best]]
    if len(others) != 1:
        return None
    first, second = sorted((best, others[0]))
    if len(rows.cells) == 1 and not rows.names:
        raise _unsure(form, (first, second))
    return first, second


def _ends_or_families(rows: Rows, pair: tuple[int, int], form: Format) -> Format:
    """Raises ParseError where most rows of named ends are no ranges."""
    spans = [(address_of_cell(row[pair[0]]), address_of_cell(row[pair[1]])) for row in rows.cells]
    families = {(low[0], high[0]) for low, high in spans if low is not None and high is not None}
    # The names alone say which of the two it is.
    if rows.role(pair[0]) is not Role.START and rows.role(pair[1]) is not Role.START:
        return _with(form, pair, each=True)
    good = _ranges(rows, pair)
    if len(good) * 2 < len(rows.cells) or any(low is not high for low, high in families):
        raise _unsure(form, pair)
    size = matching_size(good)
    if size is None and rows.names[pair[0]].casefold() == "from" and not all(one.is_network for one in good):
        # What goes from one to another is an event, too.
        raise _unsure(form, pair)
    distinct = {one.span for one in good}
    if size is None and len(distinct) >= _ENOUGH_ROWS and len({last for _, _, last in distinct}) * 2 <= len(distinct):
        # `from` many `to` one: an event and its victim.
        raise _unsure(form, pair)
    return _with(form, pair, size=size)


def _ranges(rows: Rows, pair: tuple[int, int]) -> list[Pair]:
    """The rows whose two columns are a range, if they are any."""
    spans = ((range_of_cells(row[pair[0]], row[pair[1]]), row) for row in rows.cells)
    return [Pair(span, row, pair) for span, row in spans if span is not None]


def _two_columns(rows: Rows, pair: tuple[int, int], form: Format) -> Format | None:
    """Two columns of addresses. None: the first one counts, and the other is something else.

    Raises ParseError where they may be the ends of ranges as well as two addresses.
    """
    first, second = pair
    bare = [row for row in rows.cells if address_of_cell(row[first]) and address_of_cell(row[second])]
    if len(bare) * 2 < len(rows.cells):
        return None
    roles = [rows.role(first), rows.role(second)]
    if roles == [Role.ATTACKER] * _PAIR:
        return _with(form, pair, each=True)
    if roles.count(Role.VICTIM) == 1:
        attacker = pair[1 - roles.index(Role.VICTIM)]
        return _one_column(rows, attacker, form) or _with(form, (attacker,))
    good = _ranges(rows, pair)
    size = matching_size(good)
    if size is not None or (len(good) >= _USUAL * len(bare) and fits_networks(good)):
        return _with(form, pair, size=size)
    are_events = len(bare) >= _ENOUGH_EVENTS and len(rows.cells[0]) > _PAIR
    either = [*good, *_ranges(rows, (second, first))]
    if are_events and overlap(either):
        return None
    raise _unsure(form, pair)


def _goes_on(look: Sequence[str]) -> bool:
    """Whether text between quotes and blanks goes on over several lines, and a line of it may look like an entry."""
    if not any('"' in text for text in look):
        return False
    try:
        return any(record.is_of_lines for record in records_in([_REMARK.split(text, maxsplit=1)[0] for text in look], " "))
    except ParseError:
        return False


def _sized_lines(look: Sequence[str], form: Format) -> Format | None:
    """Lines of `address mask` or `address /length`, among them bare networks. Raises ParseError where others are among them."""
    found = sized_words([record.cells for record in records_in(look, WHITESPACE) if record.cells])
    return None if found is None else _with(form, (0,), size=(found, 1))


def _unsure(form: Format, columns: Sequence[int]) -> ParseError:
    separator = {"\t": "tab", WHITESPACE: WHITESPACE}.get(form.separator, f'"{form.separator}"')
    # As many as a configuration may name.
    first, *others = (str(column + 1) for column in columns[:16])
    written, where = ", ".join((first, *others)), f"separator: {separator}"
    ends = f"{{type: csv, columns: [{written}], {where}}} if they are the ends of ranges, " if len(others) == 1 else ""
    return ParseError(
        f"columns {written} have addresses, and nothing says whether each is listed",
        f"write {ends}{{type: csv, column: [{written}], {where}}} if each is listed, "
        f"{{type: csv, column: {first}, {where}}} if only the first is",
    )
