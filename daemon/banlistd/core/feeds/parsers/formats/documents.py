"""JSON: documents by path, and one record a line by field.

Where no path or field is named, the places of addresses are found, and the result names them: in a document beneath arrays, or
as the keys of an object, alone, since an error body says `{"ip": "your address"}` without one.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from banlistd.core.feeds.parsers.formats import crowdsec, stix2
from banlistd.core.feeds.parsers.json.choosing import chosen_format, expected
from banlistd.core.feeds.parsers.json.looking import JsonLook
from banlistd.core.feeds.parsers.json.reading import Reader
from banlistd.core.feeds.parsers.json.texts import LONGEST_RECORD, documents_of, json_object_of, record_lines
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.text import LONGEST_LINE, decoded
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

_TOO_LONG = f"a record of more than {LONGEST_RECORD:,} bytes"
_IS_ERROR = "it says that it is an error"
_NO_ADDRESS = "no address in the record"
_METADATA = "metadata"
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
        found = _conditioned(Format(FormatType.CROWDSEC), form)
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
    found = _conditioned(chosen, form)
    reader = Reader(found, harvest, found_by_looking=True)
    reader.read_document(documents)
    _compare(reader, look, found)
    return found


def _conditioned(found: Format, form: Format) -> Format:
    """Places that were found, with what the configured format says beside them."""
    return replace(found, where=(*form.where, *found.where), members=form.members, now=form.now)


def _compare(reader: Reader, look: JsonLook, found: Format) -> None:
    """What was seen must be what is read, or the path means something else than it seems. Raises ParseError."""
    if not found.where and reader.taken != expected(look, found):
        raise ParseError("the keys of the JSON document have brackets or dots in them", "write format: {type: json, path: ...}")


def parse_jsonl(body: bytes, form: Format, harvest: Harvest) -> Format:
    """The value of `field` in each record, or of the field, or fields, that have the addresses beyond doubt.

    A record whose `type` is `metadata` has none by design. Raises ParseError where no line is a JSON object, and where it is
    not clear which field has the bans.
    """
    look, used = JsonLook(), form
    if not form.field and not form.paths:
        for _, _, record in record_lines(body):
            if record is not None and stix2.is_indicator(record):
                return stix2.parse_stix2(body, form, harvest)
            if record is not None and record.get("type") != _METADATA:
                look.at(record, is_record=True)
        used = _conditioned(
            (None if look.is_error else chosen_format(look, FormatType.JSONL)) or Format(FormatType.JSONL), form
        )
    reader = Reader(used, harvest, found_by_looking=used is not form)
    _read_records(body, reader if used.field or used.paths else None, harvest, _IS_ERROR if look.is_error else _NO_ADDRESS)
    if used is not form and (used.field or used.paths):
        _compare(reader, look, used)
    return used


def _read_records(body: bytes, reader: Reader | None, harvest: Harvest, why_none: str) -> None:
    lines = readable = 0
    for number, line, record in record_lines(body):
        lines += 1
        readable += record is not None
        if record is None:
            harvest.reject(number, decoded(line), _TOO_LONG if len(line) > LONGEST_RECORD else "not a JSON object")
        elif record.get("type") == _METADATA:
            continue
        elif reader is None:
            harvest.reject(number, decoded(line), why_none)
        else:
            reader.read_record(number, record, decoded(line))
    if lines and not readable:
        raise ParseError("no line is a JSON object", "name the right `type`, or leave it `auto`")


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
