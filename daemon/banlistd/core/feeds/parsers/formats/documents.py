"""JSON: documents by path, and one record a line by field.

Where no path or field is named, the places of addresses are found, and the result names them: in a document beneath arrays, or
as the keys of an object, alone, since an error body says `{"ip": "your address"}` without one.
"""

import re
from collections.abc import Sequence

from banlistd.core.feeds.parsers.formats import crowdsec, stix2
from banlistd.core.feeds.parsers.json.agreeing import check_agreement, conditioned
from banlistd.core.feeds.parsers.json.choosing import chosen_format
from banlistd.core.feeds.parsers.json.looking import JsonLook
from banlistd.core.feeds.parsers.json.reading import Reader
from banlistd.core.feeds.parsers.json.texts import documents_of, json_object_of
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.text import LONGEST_LINE, decoded
from banlistd.formats import Format, FormatType

_IS_ERROR = "it says that it is an error"
_OBJECT = re.compile(r'\{\s*+"')


def parse_json(body: bytes, form: Format, harvest: Harvest) -> Format:
    """Every value at `paths`, or the addresses that are the list beyond doubt. `Rejected.line` counts values, not lines.

    Raises ParseError for what is not JSON, where none of the named paths exists, and where it is not clear what the list is.
    """
    if not body.strip():
        return form
    documents = documents_of(body)
    if form.paths:
        Reader(form, harvest, found_by_looking=False).read_document(documents)
        return form
    if stix2.has_indicators(documents):
        return stix2.read_objects(documents, form, harvest)
    if crowdsec.is_stream(documents):
        found = conditioned(Format(FormatType.CROWDSEC), form)
        crowdsec.read_decisions(documents, found, harvest)
        return found
    look = JsonLook()
    for document in documents:
        look.at(document, is_record=len(documents) > 1)
    chosen = None if look.is_error else chosen_format(look, FormatType.JSON)
    if chosen is None:
        reason = _IS_ERROR if look.is_error else "no array in the document has an address"
        harvest.reject(1, decoded(body[:LONGEST_LINE]).strip(), reason)
        return Format(FormatType.JSON)
    found = conditioned(chosen, form)
    reader = Reader(found, harvest, found_by_looking=True)
    reader.read_document(documents)
    check_agreement(reader, look, found)
    return found


def recognise_jsonl(look: Sequence[str]) -> Format | None:
    """Objects in the first two lines; of one that is too long to be looked at the beginning is enough."""
    first = [text.strip() for text in look[:2]]
    if len(first) == 1 or not all(text.startswith("{") for text in first):
        return None
    whole = [text for text in first if len(text) < LONGEST_LINE]
    if len(whole) < len(first) and not all(map(_OBJECT.match, first)):
        return None
    return None if any(json_object_of(text.encode()) is None for text in whole) else Format(FormatType.JSONL)


def recognise_json(look: Sequence[str]) -> Format | None:
    return Format(FormatType.JSON) if look[0].lstrip()[:1] in ("{", "[") else None
