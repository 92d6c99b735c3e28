"""The lists of file sharing programs: P2P text (`name:a-b`) and eMule's ipfilter.dat (`a - b , level , name`)."""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.formats.lines import is_nothing_but_addresses, span_of_line
from banlistd.core.feeds.parsers.formats.plain import NO_ADDRESS, TOO_LONG
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.spans import range_at_end, span_between, span_of
from banlistd.core.feeds.parsers.text import LONGEST_LINE, is_most, is_silent, lines_of
from banlistd.formats import Format, FormatType
from banlistd.model import Span

_DAT = re.compile(r"[0-9A-Fa-f.:]++\s*+-\s*+[0-9A-Fa-f.:]++\s*+,\s*+\d{1,3}\s*+,", re.ASCII)

_HIGHEST_BLOCKED_LEVEL = 127
"""eMule: an access level above this one means that the range is not blocked."""


def parse_p2p(body: bytes, form: Format, harvest: Harvest) -> Format:
    """`name:a-b`; the name may hold anything, colons, commas, dashes and number signs too. A bare entry is taken as well."""
    for number, line in lines_of(body):
        text = line.strip()
        if is_silent(text):
            continue
        span = named_span(text) if len(line) <= LONGEST_LINE else None
        if span is None:
            harvest.reject(number, text, TOO_LONG if len(line) > LONGEST_LINE else "no `name:first-last`")
        else:
            harvest.add(span)
    return form


def named_span(text: str) -> Span | None:
    """The range at the end of a line, or an entry that has no name."""
    return (
        range_at_end(text)
        or span_between(*text.rpartition("-")[::2])
        or span_of(text)
        or span_of(text.rpartition(":")[2].strip())
    )


def recognise_p2p(look: Sequence[str]) -> Format | None:
    return Format(FormatType.P2P) if is_most(look, _is_named) else None


def _is_named(text: str) -> bool:
    """A name may begin with an address; a line of nothing but addresses has no name."""
    return ":" in text and "-" in text and range_at_end(text) is not None and not is_nothing_but_addresses(text)


def parse_dat(body: bytes, form: Format, harvest: Harvest) -> Format:
    """`a - b , level , name`, octets zero padded; lines with a level above 127 are allowed ranges and left out."""
    for number, line in lines_of(body):
        text = line.strip()
        if is_silent(text):
            continue
        span = None
        if len(line) <= LONGEST_LINE:
            ends, _, rest = text.partition(",")
            level = rest.partition(",")[0].strip()
            if level.isdecimal() and len(level) <= len("999") and int(level) > _HIGHEST_BLOCKED_LEVEL:
                continue
            low, dash, high = ends.partition("-")
            span = span_between(low, high) if dash else span_of_line(ends)
        if span is None:
            harvest.reject(number, text, TOO_LONG if len(line) > LONGEST_LINE else NO_ADDRESS)
        else:
            harvest.add(span)
    return form


def recognise_dat(look: Sequence[str]) -> Format | None:
    return Format(FormatType.DAT) if is_most(look, lambda text: _DAT.match(text) is not None) else None
