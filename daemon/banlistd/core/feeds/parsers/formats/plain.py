"""Lists of one entry a line: the line begins with the address. What a line may say besides is in `lines` and `commands`."""

import itertools
from collections.abc import Sequence

from banlistd.core.feeds.parsers import hextets, quads
from banlistd.core.feeds.parsers.bare_hextets import read_hextets
from banlistd.core.feeds.parsers.bare_quads import Positions
from banlistd.core.feeds.parsers.commands.blocks import blocks_as_lines
from banlistd.core.feeds.parsers.commands.parts import ALLOWED_PART
from banlistd.core.feeds.parsers.commands.readings import BESIDE, LineMeaning, LineReading
from banlistd.core.feeds.parsers.formats.defanged import hosts_of_urls, refanged
from banlistd.core.feeds.parsers.formats.lines import reading_of
from banlistd.core.feeds.parsers.formats.suspicions import first_suspicion
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.text import LONGEST_LINE, are_entries_alone, blocks, decoded, is_silent, lines_of, visible
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType
from banlistd.model import Family

_PART = 4
"""Arrays of a whole block cost less than a call for each line where those lines are a quarter of it."""

_LOOK = 200
_LONGEST_PREAMBLE = 10_000

_DOUBTS_PER_ENTRY = 0.01
"""A list of thousands with a slip in it is read without the slip; a shorter one is refused."""

TOO_LONG = f"a line of more than {LONGEST_LINE:,} bytes"
NO_ADDRESS = "no address at its beginning"


def parse_plain(body: bytes, form: Format, harvest: Harvest) -> Format:
    """Addresses, networks, `a - b`; `#`, `;` and `//` begin a comment.

    Raises ParseError for a list that could be read in more than one way.
    """
    body = blocks_as_lines(refanged(body) if form.defanged else body)
    body = hosts_of_urls(body) if form.urls else body
    doubts, first_doubt, parts = 0, (0, BESIDE), 0
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
            found = read_line(number + index, text[start : min(end, start + LONGEST_LINE + 1)], harvest)
            if found is ALLOWED_PART:
                parts = parts or number + index
            if found.meaning is LineMeaning.DOUBT:
                first_doubt = first_doubt if doubts else (number + index, found)
                doubts += 1
    if parts:
        raise ParseError(f"line {parts} is {ALLOWED_PART.reason}", ALLOWED_PART.hint)
    if doubts > _DOUBTS_PER_ENTRY * harvest.entries:
        raise ParseError(f"line {first_doubt[0]} has {first_doubt[1].reason}", first_doubt[1].hint)
    look = first_texts(body)
    suspicion = None if are_entries_alone(look) else first_suspicion(look, harvest.entries)
    if suspicion is not None and harvest.rejected <= harvest.entries:  # of a body of more rejected lines a guard says more
        raise ParseError(suspicion.reason, suspicion.hint)
    return form


def first_texts(body: bytes) -> list[str]:
    """The first lines that say something, stripped."""
    stripped = (line.strip() for _, line in itertools.islice(lines_of(body), _LONGEST_PREAMBLE))
    return list(itertools.islice((text for text in stripped if not is_silent(text) and len(text) <= LONGEST_LINE), _LOOK))


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


def read_line(number: int, line: str, harvest: Harvest) -> LineReading:
    """One line into the basket; what it said."""
    text = visible(line).strip()
    if is_silent(text):
        return BESIDE
    if len(line) > LONGEST_LINE:
        harvest.reject(number, text, TOO_LONG)
        return BESIDE
    found = reading_of(text)
    match found.meaning:
        case LineMeaning.BAN:
            for span in found.spans:
                harvest.add(span)
        case LineMeaning.EXCEPT:
            for span in found.spans:
                harvest.exclude(span)
        case LineMeaning.SILENT:
            pass
        case LineMeaning.BESIDE:
            harvest.reject(number, text, NO_ADDRESS)
        case LineMeaning.DOUBT:
            harvest.reject(number, text, found.reason)
    return found
