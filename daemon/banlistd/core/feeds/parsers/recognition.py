"""What a body is, when its source does not say: decided by the first lines that are no comments."""

from dataclasses import replace

from banlistd.core.feeds.parsers.commands.blocks import blocks_as_lines
from banlistd.core.feeds.parsers.formats.tables import first_lines
from banlistd.core.feeds.parsers.json.texts import looks_like_json
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.registry import parser_of, recognisers
from banlistd.core.feeds.parsers.tables.quoted_texts import refuse_open_texts
from banlistd.core.feeds.parsers.text import are_entries_alone
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

_PLAIN = Format(FormatType.PLAIN)


def parse_auto(body: bytes, form: Format, harvest: Harvest) -> Format:
    """Read a body in the format that it is recognised as."""
    body = blocks_as_lines(body)
    found = replace(recognised(body), now=form.now)
    if found.type is FormatType.PLAIN:
        refuse_open_texts(body)
    try:
        return parser_of(found.type)(body, found, harvest)
    except ParseError:
        if found.type is not FormatType.JSON or looks_like_json(body):
            raise
        # It began like JSON and is none; nothing has been collected from it.
        return parser_of(FormatType.PLAIN)(body, _PLAIN, harvest)


def recognised(body: bytes) -> Format:
    """The format of the first lines. A body without any is plain."""
    look = first_lines(body)
    if not look or are_entries_alone(look):
        return _PLAIN
    answers = (recognise(look) for recognise in recognisers())
    return next((answer for answer in answers if answer is not None), _PLAIN)
