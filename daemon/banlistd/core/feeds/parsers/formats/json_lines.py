"""JSON lines: one record a line.

Where no field is named, the lines are looked at, and read in the same pass as the first ones show. If the rest shows that the
list is another one, they are read once more, as it then is.
"""

from collections.abc import Iterable, Sequence

from banlistd.core.feeds.parsers.formats import stix2
from banlistd.core.feeds.parsers.json.agreeing import check_agreement, conditioned
from banlistd.core.feeds.parsers.json.choosing import chosen_format
from banlistd.core.feeds.parsers.json.looking import JsonLook
from banlistd.core.feeds.parsers.json.reading import Reader
from banlistd.core.feeds.parsers.json.texts import LONGEST_RECORD, RecordLine, record_lines, some_lines
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.text import decoded
from banlistd.errors import ParseError
from banlistd.formats import Format, FormatType

_TOO_LONG = f"a record of more than {LONGEST_RECORD:,} bytes"
_IS_ERROR = "it says that it is an error"
_NO_ADDRESS = "no address in the record"
_METADATA = "metadata"
_FIRST_OCTETS = 64 * 1024
"""Of the lines that are kept to be read once it is known how. As records they take some twelve times as much."""


def parse_jsonl(body: bytes, form: Format, harvest: Harvest) -> Format:
    """The value of `field` in each record, or of the field, or fields, that have the addresses beyond doubt.

    A record whose `type` is `metadata` has none by design. Raises ParseError where no line is a JSON object, and where it is
    not clear which field has the bans.
    """
    if form.field or form.paths:
        reading = _Reading(Reader(form, harvest, found_by_looking=False), harvest)
        reading.read(record_lines(body))
        reading.end()
        return form
    look, early, kept = JsonLook(), _Early(form), _Kept()
    for lines in some_lines(record_lines(body)):
        records = [record for _, _, record in lines if record is not None]
        if any(map(stix2.is_indicator, records)):
            return stix2.parse_stix2(body, form, harvest)
        look.at_records([record for record in records if record.get("type") != _METADATA])
        if kept.is_open():
            kept.add(lines)
            if not kept.is_open():
                early.begin(look, kept.lines)
                kept.lines = []
        elif early.reading is not None:
            early.reading.see(lines)
    used = _used(look, form)
    reading = _Reading(Reader(used, harvest, found_by_looking=True), harvest, _IS_ERROR if look.is_error else _NO_ADDRESS)
    if early.reading is not None and early.reading.form == used:
        reading = early.reading
        harvest.take_over(early.harvest)
    else:
        reading.read(kept.lines if kept.is_open() else record_lines(body))
    reading.end()
    if used.field or used.paths:
        check_agreement(reading.reader, look, used)
    return used


def _used(look: JsonLook, form: Format) -> Format:
    found = None if look.is_error else chosen_format(look, FormatType.JSONL)
    return conditioned(found or Format(FormatType.JSONL), form)


class _Kept:
    """The first lines, until they are many octets."""

    def __init__(self) -> None:
        self.lines: list[RecordLine] = []
        self._octets = 0

    def is_open(self) -> bool:
        return self._octets < _FIRST_OCTETS

    def add(self, lines: Sequence[RecordLine]) -> None:
        self.lines += lines
        self._octets += sum(len(text) for _, text, _ in lines)


class _Reading:
    """Lines into a basket, in order. Without places, each is rejected, for the reason `why_none`."""

    def __init__(self, reader: Reader, harvest: Harvest, why_none: str = "") -> None:
        self.reader = reader
        self.form = reader.form
        self._has_places = bool(reader.form.field or reader.form.paths)
        self._harvest = harvest
        self._why_none = why_none
        self._lines = self._readable = 0

    def read(self, lines: Iterable[RecordLine]) -> None:
        for some in some_lines(lines):
            self.see(some)

    def see(self, lines: Sequence[RecordLine]) -> None:
        records = [record for _, _, record in lines if record is not None and record.get("type") != _METADATA]
        if self._has_places and len(records) == len(lines) and self.reader.take_records(records):
            self._lines += len(lines)
            self._readable += len(lines)
            return
        for line in lines:
            self._see(line)

    def _see(self, line: RecordLine) -> None:
        number, text, record = line
        self._lines += 1
        if record is None:
            self._harvest.reject(number, decoded(text), _TOO_LONG if len(text) > LONGEST_RECORD else "not a JSON object")
            return
        self._readable += 1
        if record.get("type") == _METADATA:
            return
        if self._has_places:
            self.reader.read_record(number, record, text)
        else:
            self._harvest.reject(number, decoded(text), self._why_none)

    def end(self) -> None:
        """Raises ParseError where no line was a record."""
        if self._lines and not self._readable:
            raise ParseError("no line is a JSON object", "name the right `type`, or leave it `auto`")


class _Early:
    """Reading while the rest is still looked at, into a basket of its own."""

    def __init__(self, form: Format) -> None:
        self._form = form
        self.harvest = Harvest()
        self.reading: _Reading | None = None

    def begin(self, look: JsonLook, first: Iterable[RecordLine]) -> None:
        """As the first lines show, if they do."""
        try:
            form = _used(look, self._form)
        except ParseError:
            return
        if form.field or form.paths:
            self.reading = _Reading(Reader(form, self.harvest, found_by_looking=True), self.harvest)
            self.reading.read(first)
