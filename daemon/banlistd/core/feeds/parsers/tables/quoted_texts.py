"""Text between quotes that goes on over several lines, in what is recognised as a plain list: it may be a table after all.

What a line inside such a text says is another's word, and never an entry.
"""

import re

from banlistd.core.feeds.parsers.commands.readings import LineMeaning
from banlistd.core.feeds.parsers.formats.lines import reading_of
from banlistd.core.feeds.parsers.records import is_open
from banlistd.core.feeds.parsers.text import LONGEST_LINE, decoded, is_silent, lines_of, visible
from banlistd.errors import ParseError

_QUOTE = b'"'
_SEPARATORS = (",", "\t", ";", "|", " ")
_CLOSED = re.compile(r'(?:(?:[^"]*+(?<=[\s,;|]))?"[^"]*+"(?=[\s,;|]|\Z))*+[^"]*+')
"""Each quote begins a word, and ends one: what most lines with quotes are."""

_REMARK = re.compile(r"\s(?:#|;|//)")
_FEWEST_CELLS = 3


def refuse_open_texts(body: bytes) -> None:
    """Raises ParseError where a line opens a quoted text, and what comes before the next quote may be an entry."""
    at, opened, number, counted = body.find(_QUOTE), -1, 1, 0
    while at >= 0:
        start, end = body.rfind(b"\n", 0, at) + 1, body.index(b"\n", at)
        if opened >= 0 and _has_entry(body[opened:at]):
            raise ParseError(
                f"line {number} opens a quoted text that may go on over the next lines",
                "write {type: csv, column: NAME} for a table of quoted fields, {type: plain} if quotes mean nothing",
            )
        # Of a line that closes a text only what follows its quote can open another one.
        begin = at + 1 if opened >= 0 else start
        line = visible(decoded(body[begin : min(end, begin + LONGEST_LINE)]))
        opened = end + 1 if _opens(line, begins_line=begin == start) else -1
        if opened >= 0:
            number, counted = number + body.count(b"\n", counted, end), end
        at = body.find(_QUOTE, end)


def _opens(line: str, *, begins_line: bool) -> bool:
    text = line.strip()
    if begins_line and is_silent(text):
        # With an empty first cell, a row of a table between semicolons begins like a comment.
        return text.count(";") >= _FEWEST_CELLS - 1 and text.startswith(";") and is_open(text, ";")
    text = _REMARK.split(text, maxsplit=1)[0]
    if _CLOSED.fullmatch(text) is not None:
        return False
    return any(is_open(text, separator) for separator in _SEPARATORS)


def _has_entry(between: bytes) -> bool:
    texts = (line.strip() for _, line in lines_of(between + b"\n"))
    return any(
        not is_silent(text) and reading_of(text).meaning not in (LineMeaning.BESIDE, LineMeaning.SILENT) for text in texts
    )
