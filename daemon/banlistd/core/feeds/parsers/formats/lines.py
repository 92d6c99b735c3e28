"""One line of a plain list -> what it says: entries, exceptions, nothing, or something that a person must settle.

An address further on in a line is prose ("your address 192.0.2.1 is limited"), never a ban, unless a time stamp or a known
command goes before it, or the whole line is nothing but addresses.
"""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.commands.commands import command_of
from banlistd.core.feeds.parsers.commands.parts import part_of
from banlistd.core.feeds.parsers.commands.readings import BESIDE, LineMeaning, LineReading, banned, doubtful
from banlistd.core.feeds.parsers.spans import (
    host_bits_of_mask,
    is_one_network,
    network_of,
    quad,
    range_at_end,
    short_range_of,
    span_between,
    span_of,
    wildcard_of,
)
from banlistd.model import Family, Span

_WORD = re.compile(r"[^\s,;#|]++")
_RANGE = re.compile(r"([0-9A-Fa-f.:]++)\s*+-\s*+([0-9A-Fa-f.:]++)(?=[\s,;#|]|\Z)")
STAMP = re.compile(
    r"(?:\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?+(?:[.,]\d{1,9})?+)?+(?:Z|[+-]\d\d:?+\d\d)?+|\d{10}(?:\.\d{1,9})?+)\s++",
    re.ASCII,
)
_QUOTED = re.compile(r"([\"'`])\s*+([^\"'`]*+)\1")
_LENGTH = re.compile(r" ?/ ?([0-9.]{1,15})(?=[ ,;|]|\Z)")
_RECORD = re.compile(r" (?:\d{1,10} )?+(?:(?:IN|in|CH|HS) [A-Za-z]{1,9}|A|AAAA|TXT|CNAME|PTR|NS|MX) \S")
_CELLS = re.compile(r"[ ,;|]+")
_JOINERS = frozenset({"-", "to", "thru", "through", "until", "..", "..."})
_ROUTES = frozenset({"dev", "via"})
"""Second words of a route that leads somewhere."""

_MASKS = frozenset({"mask", "netmask", "wildcard"})

_EXCEPTED = frozenset(
    {
        "accept",
        "accepted",
        "allow",
        "allowed",
        "allowlist",
        "dunno",
        "except",
        "exception",
        "exclude",
        "excluded",
        "exempt",
        "nomatch",
        "ok",
        "pass",
        "permit",
        "permitted",
        "relay",
        "return",
        "whitelist",
        "whitelisted",
    }
)
"""Second words that take an address out of a list: ipset's `nomatch`, the verdicts of Postfix, sendmail and filters."""

PAIR = doubtful(
    "two addresses that may be the ends of a range",
    "write {type: csv, columns: [1, 2]} for ranges, or each address in a line of its own",
)
_FLOW = doubtful("two addresses joined by a word", "write {type: csv, column: 1, separator: whitespace} for the first one")
_MASK = doubtful("an address and a mask that does not fit it", "write {type: csv, column: 1} if the mask means nothing")
_DNS = doubtful("a DNS record, whose name has the octets of its address reversed", "write dns_zone for a zone file")
_NAMED = doubtful("a range at the end, as in `name:first-last`", "write p2p for such a list, or plain without such ends")


def reading_of(text: str) -> LineReading:
    """A stripped line, no comment and not empty."""
    first = text[0]
    if first in "\"'`":
        quoted = _QUOTED.match(text)
        return reading_of(quoted[2] + text[quoted.end() :]) if quoted is not None and quoted[2].strip("\"'` \t") else BESIDE
    if first == "!":
        return _exception(text[1:].lstrip())
    entry = _entry(text)
    if entry is None:
        stamp = STAMP.match(text)
        entry = _entry(text[stamp.end() :]) if stamp is not None else None
    return entry or command_of(text) or part_of(text) or BESIDE


def span_of_line(text: str) -> Span | None:
    """The one address, network or range that a stripped line bans; None for none and for several."""
    found = reading_of(text) if text else BESIDE
    return found.spans[0] if found.meaning is LineMeaning.BAN and len(found.spans) == 1 else None


def cells_of(text: str) -> Sequence[str]:
    """The words of a line without its comment."""
    return [cell.strip("\"'`{}[]()") for cell in _CELLS.split(_uncommented(text).strip(" ,;|"))]


def is_nothing_but_addresses(text: str) -> bool:
    return all(map(span_of, _CELLS.split(" ".join(text.split()).replace(" - ", "-"))))


def _exception(text: str) -> LineReading:
    entry = _entry(text) if text else None
    if entry is None or entry.meaning is not LineMeaning.BAN:
        return doubtful("an exception that has no address", "write rbldnsd for a zone with exclusions")
    return LineReading(LineMeaning.EXCEPT, entry.spans)


def _entry(text: str) -> LineReading | None:
    """What a line says that begins with an address; None for another one."""
    if "-" in text:
        ends = _RANGE.match(text)
        # `a - b` with a bare number or word behind the dash is no range.
        if ends is not None and not ends[2].isalnum():
            span = span_between(ends[1], ends[2])
            return None if span is None else _with_tail(span, "", text[ends.end() :])
    match = _WORD.match(text)
    if match is None:
        return None
    word, tail = match[0], text[match.end() :]
    if word[-1] == "/":
        found = _LENGTH.match(_uncommented("/" + tail))
        span = network_of(word + found[1]) if found is not None else None
        return None if span is None else banned(span)
    span = span_of(word) or short_range_of(word) or wildcard_of(word)
    return None if span is None else _with_tail(span, word, tail)


def _uncommented(tail: str) -> str:
    """Without a comment, each stretch of blanks made one."""
    for sign in ("#", "//", " ;", "\t;"):
        tail = tail.partition(sign)[0]
    begins = " " if tail[:1].isspace() else ""
    return begins + " ".join(tail.split())


def _with_tail(span: Span, word: str, tail: str) -> LineReading:
    """`word`: how the address is written, empty for a range."""
    if not tail:
        return banned(span)
    tail = _uncommented(tail)
    if len(tail) < 2:  # noqa: PLR2004 - nothing, or a separator alone
        return banned(span)
    length = _LENGTH.match(tail)
    if length is not None and word and "/" not in word:
        network = network_of(f"{word}/{length[1]}")
        return _MASK if network is None else banned(network)
    cells = cells_of(tail.replace(" - ", "-", tail.count(" - ") if tail[:3] != " - " else 0))
    if cells[0].lower() in _EXCEPTED or "nomatch" in cells:
        return LineReading(LineMeaning.EXCEPT, (span,))
    masked = BESIDE if cells[0] in _ROUTES else _masked(span, cells)
    if masked is not None:
        return masked
    return _with_cells(span, word, tail, cells)


def _masked(span: Span, cells: Sequence[str]) -> LineReading | None:
    """`a 255.255.255.0` and `a 0.0.0.255`; None where the next cell is no mask."""
    named = cells[0].lower() in _MASKS and len(cells) > 1
    family, first, last = span
    host = host_bits_of_mask(cells[named])
    if host is None or family is not Family.IPV4 or first != last:
        return _MASK if named else None
    return _MASK if first & host or any(span_of(cell) for cell in cells[named + 1 :]) else banned((family, first, first | host))


def _with_cells(span: Span, word: str, tail: str, cells: Sequence[str]) -> LineReading:
    following = _span(cells[0])
    if following is not None:
        if is_one_network(span, following) and (len(cells) == 1 or _span(cells[1]) is None):
            return PAIR
        if _are_both_of_two(span, following) and (len(cells) == 1 or _span(cells[1]) is None):
            # As a range it has no more than these.
            return banned(span, following)
        spans = [_span(cell) for cell in cells]
        if all(spans):
            return banned(span, *(one for one in spans if one is not None))
    if len(cells) == 2 and cells[0] in _JOINERS and (_span(cells[1]) or (cells[0] == "-" and quad(f"0.0.0.{cells[1]}"))):  # noqa: PLR2004
        return _FLOW
    if word and _RECORD.match(tail):
        return _DNS
    return _NAMED if range_at_end(tail) else banned(span)


def _are_both_of_two(low: Span, high: Span) -> bool:
    """Whether two single addresses are the whole of a network of two."""
    bare = low[1] == low[2] and high[1] == high[2] and low[0] is high[0]
    return bare and high[1] == low[1] + 1 and not low[1] & 1


def _span(cell: str) -> Span | None:
    return span_of(cell) or short_range_of(cell)
