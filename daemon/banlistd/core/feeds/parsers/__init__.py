"""Bytes -> addresses, naming every line without one. Pure: made to run in a worker thread."""

from collections.abc import Mapping

from banlistd.core.feeds.parsers.parsed import Harvest, Parsed
from banlistd.core.feeds.parsers.registry import Parser, parser_of
from banlistd.core.feeds.parsers.text import MAX_LINES, SHORTEST_LINE, count_lines, looks_like, normalised
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

__all__ = ["PARSERS", "Parsed", "parse"]

ANY = Format()


def parse(body: bytes, form: Format = ANY) -> Parsed:
    """Read a decompressed body in time linear to its length.

    Raises ParseError, and nothing else whatever the bytes are, only for a body that cannot be read at all in the format
    that `form` names, or that has more than 50 million lines.
    """
    text = normalised(body)
    if len(text) > MAX_LINES and count_lines(text) > MAX_LINES:
        raise ParseError(f"more than {MAX_LINES:,} lines", "no blocklist is as long as this")
    harvest = Harvest(len(text) // SHORTEST_LINE)
    used = PARSERS[form.type](text, form, harvest)
    # A pattern is how a web page is read as a list.
    is_meant = used.type is FormatType.PATTERN
    return harvest.parsed(harvest.lines or count_lines(text), "" if is_meant else looks_like(text), used)


PARSERS: Mapping[FormatType, Parser] = {kind: parser_of(kind) for kind in FormatType}
