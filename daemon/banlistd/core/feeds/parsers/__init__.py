"""Bytes -> addresses, naming every line that held none. Pure: made to run in a worker thread."""

from collections.abc import Callable, Mapping

from banlistd.core.feeds.parsers.formats.documents import parse_json, parse_jsonl
from banlistd.core.feeds.parsers.formats.peers import parse_dat, parse_p2p
from banlistd.core.feeds.parsers.formats.plain import parse_plain
from banlistd.core.feeds.parsers.formats.tables import parse_table
from banlistd.core.feeds.parsers.formats.zones import parse_hosts, parse_rbldnsd
from banlistd.core.feeds.parsers.parsed import Harvest, Parsed
from banlistd.core.feeds.parsers.recognition import recognised
from banlistd.core.feeds.parsers.text import MOST_LINES, SHORTEST_LINE, count_lines, looks_like, normalised
from banlistd.errors import ParseError
from banlistd.model import Format, FormatType

__all__ = ["PARSERS", "Parsed", "parse"]

Parser = Callable[[bytes, Format, Harvest], Format]
"""Normalised lines, what is known of them, the basket -> what is known afterwards."""

ANY = Format()


def parse(body: bytes, form: Format = ANY) -> Parsed:
    """Read a decompressed body in time linear to its length.

    Raises ParseError, and nothing else whatever the bytes are, only for a body that cannot be read at all in the format
    that `form` names, or that has more than 50 million lines.
    """
    text = normalised(body)
    if len(text) > MOST_LINES and count_lines(text) > MOST_LINES:
        raise ParseError(f"more than {MOST_LINES:,} lines", "no blocklist is as long as this")
    harvest = Harvest(len(text) // SHORTEST_LINE)
    used = PARSERS[form.type](text, form, harvest)
    return harvest.parsed(harvest.lines or count_lines(text), looks_like(text), used)


def _parse_recognised(body: bytes, _: Format, harvest: Harvest) -> Format:
    found = recognised(body)
    try:
        return PARSERS[found.type](body, found, harvest)
    except ParseError:
        # What looked like JSON is none; nothing has been collected from it.
        return parse_plain(body, Format(FormatType.PLAIN), harvest)


PARSERS: Mapping[FormatType, Parser] = {
    FormatType.AUTO: _parse_recognised,
    FormatType.PLAIN: parse_plain,
    FormatType.CSV: parse_table,
    FormatType.JSON: parse_json,
    FormatType.JSONL: parse_jsonl,
    FormatType.P2P: parse_p2p,
    FormatType.DAT: parse_dat,
    FormatType.RBLDNSD: parse_rbldnsd,
    FormatType.HOSTS: parse_hosts,
}
