"""Bytes -> the records of a table (RFC 4180): a quoted field may go on over several lines, and is never read as a record.

Between blanks nothing is joined: there a quote is only taken off.
"""

import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from banlistd.core.feeds.parsers.text import LONGEST_LINE, is_silent, lines_of
from banlistd.errors import ParseError

WHITESPACE = "whitespace"
SEPARATORS = (",", "\t", ";", "|", WHITESPACE)
_ALIASES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", " ": WHITESPACE}

Split = Callable[[str], list[str]]
"""A record -> its cells, stripped and unquoted."""

_END_OF_FIELD = re.compile(r'(?:[^"]++|"")*+"')


class TableRecord(NamedTuple):
    """`number`: of its first line, from 1. `cells`: none where it is longer than a line may be.

    There is one for each line, and a named tuple is made in a third of the time of a dataclass.
    """

    number: int
    text: str
    cells: list[str]
    is_too_long: bool = False
    is_of_lines: bool = False


def separator_named(separator: str) -> str:
    return _ALIASES.get(separator, separator)


def records_of(body: bytes, separator: str, is_comment: Callable[[str], bool] = is_silent) -> Iterator[TableRecord]:
    """The records of a body, without blank lines and comments.

    Raises ParseError where a quote is never closed, or is closed in the middle of a field of several lines: what is a record
    and what is text inside a field cannot be known then.
    """
    return _records(lines_of(body), separator, is_comment)


def records_in(look: Sequence[str], separator: str) -> list[TableRecord]:
    """The records of the first lines of a body. A quoted field that they do not close is left out with its record."""
    records: list[TableRecord] = []
    try:
        records.extend(itertools.islice(_records(enumerate(look, 1), separator, is_silent), len(look)))
    except ParseError:
        if not records:
            raise
    return records


def _records(lines: Iterable[tuple[int, str]], separator: str, is_comment: Callable[[str], bool]) -> Iterator[TableRecord]:
    split, rest = splitter(separator), iter(lines)
    may_be_open = separator != WHITESPACE and len(separator) == 1
    for number, line in rest:
        text = line.strip()
        if not text:
            continue
        opens = False
        if is_comment(text):
            # With an empty first cell a line of a table between semicolons begins like a comment.
            opens = may_be_open and text[0] == separator and is_open(line, separator)
            if not opens:
                continue
        elif may_be_open and '"' in line:
            cells = _well_formed(line, separator)
            if cells is not None and len(line) <= LONGEST_LINE:
                yield TableRecord(number, text, cells)
                continue
            opens = cells is None and is_open(line, separator)
        if opens:
            yield _joined(number, line, rest, separator)
        elif len(line) > LONGEST_LINE:
            yield TableRecord(number, text, [], is_too_long=True)
        else:
            yield TableRecord(number, text, split(line))


def _well_formed(line: str, separator: str) -> list[str] | None:
    """The cells of a line in which every quoted field ends, and ends before a separator."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True))]
    except csv.Error:
        return None


def _joined(number: int, line: str, rest: Iterator[tuple[int, str]], separator: str) -> TableRecord:
    """A record whose first line ends inside a quoted field."""
    parts, length = [line], len(line)
    for _, more in rest:
        if _is_cut(parts[-1]) or _is_cut(more):
            break
        # What is longer than a record may be is passed over up to its end, and not kept.
        length += 1 + len(more)
        if length <= LONGEST_LINE:
            parts.append(more)
        end = _END_OF_FIELD.match(more)
        if end is None:
            continue
        after = more[end.end() :].lstrip(" ")
        if after and not after.startswith(separator):
            break
        if not is_open(after, separator):
            text = "\n".join(parts)
            too_long = length > LONGEST_LINE
            cells = [] if too_long else splitter(separator)(text)
            return TableRecord(number, parts[0].strip(), cells, too_long, is_of_lines=True)
    raise ParseError(
        f"the quoted field that begins in line {number} has no end",
        "in a table of quoted fields, a quote inside a field is written twice",
    )


def _is_cut(line: str) -> bool:
    """Whether the end of a line may be missing, with the quote that ends its field."""
    return len(line) == LONGEST_LINE + 1


def is_open(text: str, separator: str) -> bool:
    """Whether a line ends inside a quoted field. A quote in the middle of a field opens none."""
    opening, at = _opening(separator), 0
    while True:
        begin = opening.search(text, at)
        if begin is None:
            return False
        end = _END_OF_FIELD.match(text, begin.end())
        if end is None:
            return True
        at = end.end()


@cache
def _opening(separator: str) -> re.Pattern[str]:
    return re.compile(rf'(?:\A|{re.escape(separator)})[ \t]*+"' if separator != "\t" else r'(?:\A|\t) *+"')


def splitter(separator: str) -> Split:
    if separator == WHITESPACE:
        return lambda text: [cell.strip('"') for cell in text.split()] if '"' in text else text.split()

    def split(text: str) -> list[str]:
        if '"' not in text or len(separator) != 1:
            return [cell.strip() for cell in text.split(separator)]
        try:
            return [cell.strip() for cell in next(csv.reader([text], delimiter=separator, skipinitialspace=True))]
        except csv.Error:
            return []

    return split
