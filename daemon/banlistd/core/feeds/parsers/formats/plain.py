"""Lists of one entry a line: the first word is the address, what follows is not looked at.

An address further on in a line is prose ("your address 192.0.2.1 is limited"), never a ban, unless a time stamp or one
of a few known words goes before it.
"""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers import hextets, quads
from banlistd.core.feeds.parsers.bare_hextets import read_hextets
from banlistd.core.feeds.parsers.bare_quads import Positions
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import span_between, span_of
from banlistd.core.feeds.parsers.text import LONGEST_LINE, blocks, decoded, is_silent
from banlistd.formats import Format, FormatType
from banlistd.model import Family, Span

_WORD = re.compile(r"[^\s,;#|]++")
_RANGE = re.compile(r"([0-9A-Fa-f.:]++)\s*+-\s*+([0-9A-Fa-f.:]++)(?=[\s,;#|]|\Z)")
_STAMP = re.compile(
    r"(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?+(?:[.,]\d{1,9})?+)?+(?:Z|[+-]\d\d:?+\d\d)?+|\d{10}(?:\.\d{1,9})?+)\s++",
    re.ASCII,
)
_KEYWORD = re.compile(r"(?i:ExitAddress|deny(?:\s++from)?+|blackhole|add\s++\S++)\s++")
"""Tor's exit-addresses; nginx and Apache; iproute2; `ipset save`."""

_METADATA = ("@type ", "Downloaded ", "ExitNode ", "Published ", "LastStatus ", "create ")
"""Lines of Tor's exit-addresses and of `ipset save` that hold no address by design."""

_PART = 4
"""Arrays of a whole block cost less than a call for each line where those lines are a quarter of it."""

TOO_LONG = f"a line of more than {LONGEST_LINE:,} bytes"
NO_ADDRESS = "no address at its beginning"


def parse_plain(body: bytes, form: Format, harvest: Harvest) -> Format:
    """Addresses, networks, `a - b`; `#`, `;` and `//` begin a comment."""
    for block in blocks(body):
        seen = quads.scan(block, LONGEST_LINE)
        harvest.add_block(Family.IPV4, seen.first, seen.last)
        number, harvest.lines = harvest.lines + 1, harvest.lines + seen.lines
        if not len(seen.unread):
            continue
        rest = _read_hextets(block, seen.unread, harvest)
        if not len(rest):
            continue
        text = decoded(block)
        short = rest[:, 2] - rest[:, 1] <= LONGEST_LINE
        first, last, unread = hextets.scan_hextets(text, rest[short].tolist())
        harvest.add_block(Family.IPV6, first, last)
        for index, start, end in sorted([*unread, *rest[~short].tolist()]):
            read_line(number + index, text[start : min(end, start + LONGEST_LINE + 1)], harvest)
    return form


def _read_hextets(block: bytes, lines: Positions, harvest: Harvest) -> Positions:
    """Read the IPv6 addresses of a block where they are much of it; returns the lines that are left."""
    octets = int((lines[:, 2] - lines[:, 1]).sum())
    if octets * _PART < len(block):
        return lines
    first, last, read = read_hextets(block, lines[:, 0])
    harvest.add_block(Family.IPV6, first, last)
    return lines[~read]


def recognise_plain(_: Sequence[str]) -> Format:
    return Format(FormatType.PLAIN)


def read_line(number: int, line: str, harvest: Harvest) -> None:
    """One line into the basket."""
    text = line.strip()
    if is_silent(text):
        return
    if len(line) > LONGEST_LINE:
        harvest.reject(number, text, TOO_LONG)
        return
    span = span_of_line(text)
    if span is not None:
        harvest.add(span)
    elif not text.startswith(_METADATA):
        harvest.reject(number, text, NO_ADDRESS)


def span_of_line(text: str) -> Span | None:
    """The address, network or range with which a stripped line begins."""
    span = _leading_span(text)
    if span is None:
        lead_in = _STAMP.match(text) or _KEYWORD.match(text)
        if lead_in is not None:
            span = _leading_span(text[lead_in.end() :])
    return span


def _leading_span(text: str) -> Span | None:
    if "-" in text:
        ends = _RANGE.match(text)
        # `a - b` with a bare number or word behind the dash is an address and a remark.
        if ends is not None and not ends[2].isalnum():
            return span_between(ends[1], ends[2])
    word = _WORD.match(text)
    return None if word is None else span_of(word[0])
