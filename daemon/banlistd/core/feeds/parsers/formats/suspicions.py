"""Lists whose lines can be read one by one, and that may mean something else as a whole: what a person must settle.

Each suspicion is a reading of meaning DOUBT. Looks at the first lines alone.
"""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.commands.readings import BESIDE, LineReading, doubtful
from banlistd.core.feeds.parsers.formats.lines import PAIR, STAMP, cells_of, reading_of
from banlistd.core.feeds.parsers.spans import span_of
from banlistd.model import Family, Span

_MESSAGE_ENTRIES = 2
"""A list of more entries than this is no message of a server, which names the address of its reader."""

_SENTENCE = re.compile(r"(?:[A-Za-z][a-z']*+[.,:!]? ){2}[A-Za-z][a-z']*+", re.ASCII)
_SAID = re.compile(
    r"\b(?:access|again|ban(?:ned)?+|block(?:ed)?+|contact|denied|exceed(?:s|ed)?+|error|expired|fail(?:ed|ure)?+|forbidden|"
    r"has|have|invalid|is|limit(?:s|ed)?+|maximum|not|please|quota|rate|reached|refused|rejected|requests?+|retry|sorry|"
    r"suspended|throttled|too|unauthori[sz]ed|unavailable|unknown|wait|was|you|your)\b",
    re.ASCII | re.IGNORECASE,
)

_PARTS = re.compile(r"[\s,;|]++")

_MESSAGE = doubtful(
    "the body reads like a message, not like a list",
    "begin remarks with #, or write {type: csv, column: 1, separator: whitespace} if it is a list",
)
_LENGTHS = doubtful(
    "the number behind each address may be its prefix length",
    "name the columns: {type: csv, ...}; {type: csv, column: 1} reads single addresses",
)
_COUNTS = doubtful(
    "the number behind each address may be how many addresses there are",
    "name the columns: {type: csv, ...}; {type: csv, column: 1} reads single addresses",
)

_SHORTEST = {Family.IPV4: 8, Family.IPV6: 16}
_WIDTH = {Family.IPV4: 32, Family.IPV6: 128}
_NARROW = {Family.IPV4: 1 << 16, Family.IPV6: 1 << 64}
_ROWS = 2
_NOTABLE_COUNT = 4


def first_suspicion(look: Sequence[str], entries: int) -> LineReading | None:
    """`look`: the first lines that say something, stripped. `entries`: of the whole list."""
    if not look or not entries:
        return None
    if entries <= _MESSAGE_ENTRIES and sum(map(_is_said, look)) >= entries:
        return _MESSAGE
    rows = [(span, cells[1:]) for text in look if (span := span_of((cells := cells_of(text))[0])) is not None]
    single = [(span, cells) for span, cells in rows if cells and span[1] == span[2]]
    if len(single) < len(rows) or not single:
        return None
    numbered = [(span, _number(cells[0])) for span, cells in single]
    if all(_has_length(*row) for row in numbered) and any(bits != _WIDTH[span[0]] for span, bits in numbered):
        return _LENGTHS
    if all(_has_count(*row) for row in numbered) and any((count or 0) >= _NOTABLE_COUNT for _, count in numbered):
        return _COUNTS
    return PAIR if len(single) >= _ROWS and all(_is_narrow(span, cells) for span, cells in single) else None


def _is_said(text: str) -> bool:
    """Whether a line has a sentence, or words of one, outside of a comment."""
    uncommented = text.partition("#")[0].partition("//")[0].partition(" ;")[0]
    uncommented = STAMP.sub("", uncommented, count=1).lstrip("\"'!")
    words = _PARTS.split(uncommented, maxsplit=1)
    first, rest = words[0], "".join(words[1:])
    if span_of(first.strip("\"'.:")) is None:
        return reading_of(text) is BESIDE and _SAID.search(uncommented) is not None
    separator = uncommented[len(first) : len(first) + 1]
    is_row = separator in ",;|\t" and rest.count(separator) > 0 and not uncommented[len(first) + 1 :].startswith(" ")
    return not is_row and (_SENTENCE.search(rest) or _SAID.search(rest)) is not None


def _has_length(span: Span, bits: int | None) -> bool:
    family, first, _ = span
    return bits is not None and _SHORTEST[family] <= bits <= _WIDTH[family] and not first & ((1 << (_WIDTH[family] - bits)) - 1)


def _has_count(span: Span, count: int | None) -> bool:
    return count is not None and count > 0 and not count & (count - 1) and not span[1] & (count - 1)


def _is_narrow(span: Span, cells: Sequence[str]) -> bool:
    other = span_of(cells[0])
    return len(cells) == 1 and other is not None and other[0] is span[0] and 0 < other[1] - span[1] < _NARROW[span[0]]


def _number(cell: str) -> int | None:
    return int(cell) if cell.isdecimal() and cell.isascii() and len(cell) <= len("4294967296") else None
