"""What a body is, when its source does not say: told from the first lines that are no comments."""

import re
from collections.abc import Callable, Sequence

from banlistd.core.feeds.parsers.formats.documents import record_of
from banlistd.core.feeds.parsers.formats.peers import named_span
from banlistd.core.feeds.parsers.formats.plain import span_of_line
from banlistd.core.feeds.parsers.formats.tables import find_table, sample
from banlistd.core.feeds.parsers.formats.zones import is_sink
from banlistd.core.feeds.parsers.spans import address_of
from banlistd.model import Format, FormatType

_DAT = re.compile(r"[0-9A-Fa-f.:]++\s*+-\s*+[0-9A-Fa-f.:]++\s*+,\s*+\d{1,3}\s*+,", re.ASCII)
_ZONE = re.compile(r"[:$][A-Za-z0-9]")


def recognised(body: bytes) -> Format:
    """The form that most of the first lines have; bodies that show none are plain."""
    look = sample(body)
    if not look:
        return Format(FormatType.PLAIN)
    if look[0][0] in "{[":
        records = [record_of(text) for text in look[:2]]
        lines = len(look) > 1 and all(record is not None for record in records)
        return Format(FormatType.JSONL if lines else FormatType.JSON)
    for kind, is_one in _KINDS.items():
        if 2 * sum(map(is_one, look)) > len(look):
            return Format(kind)
    if _is_zone(look):
        return Format(FormatType.RBLDNSD)
    return find_table(look) or Format(FormatType.PLAIN)


def _is_dat(text: str) -> bool:
    return _DAT.match(text) is not None


def _is_p2p(text: str) -> bool:
    return ":" in text and "-" in text and span_of_line(text) is None and named_span(text) is not None


def _is_hosts(text: str) -> bool:
    words = text.split(None, 2)
    span = address_of(words[0])
    return span is not None and is_sink(span) and len(words) > 1 and not words[1].startswith("#")


_KINDS: dict[FormatType, Callable[[str], bool]] = {
    FormatType.DAT: _is_dat,
    FormatType.P2P: _is_p2p,
    FormatType.HOSTS: _is_hosts,
}


def _is_zone(look: Sequence[str]) -> bool:
    return _ZONE.match(look[0]) is not None
