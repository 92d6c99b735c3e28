"""What was found by looking, with what the configured format says beside it, and whether reading agrees with it."""

from dataclasses import replace

from banlistd.core.feeds.parsers.json.choosing import expected
from banlistd.core.feeds.parsers.json.looking import JsonLook
from banlistd.core.feeds.parsers.json.reading import Reader
from banlistd.errors import ParseError
from banlistd.formats import Format


def conditioned(found: Format, form: Format) -> Format:
    """Places that were found, with what the configured format says beside them."""
    return replace(found, where=(*form.where, *found.where), members=form.members, now=form.now)


def check_agreement(reader: Reader, look: JsonLook, found: Format) -> None:
    """What was seen must be what is read, or the path means something else than it seems. Raises ParseError."""
    if not found.where and reader.taken != expected(look, found):
        raise ParseError("the keys of the JSON document have brackets or dots in them", "write format: {type: json, path: ...}")
