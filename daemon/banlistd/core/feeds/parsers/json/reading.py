"""The addresses at the places that a format names, into the basket."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from banlistd.core.feeds.parsers.conditions import all_hold, ends_at
from banlistd.core.feeds.parsers.json.columns import AT_ONCE, FEWEST, bare_quads
from banlistd.core.feeds.parsers.json.paths import Enclosing, Walk, beside, value_around
from banlistd.core.feeds.parsers.json.values import excepted_in, holds_an_address, network_at, range_of, spans_in
from banlistd.core.feeds.parsers.parsed import Harvest
from banlistd.core.feeds.parsers.text import decoded
from banlistd.errors import ParseError
from banlistd.formats import Format
from banlistd.model import Family, Span


@dataclass(frozen=True, slots=True)
class JsonPlace:
    """`end`, `length`: keys beside the address; at most one of them is not empty."""

    walk: Walk
    path: str
    end: str
    length: str


def places_of(form: Format) -> list[JsonPlace]:
    """The places that a format names."""
    paths = form.paths or (form.field,)
    return [
        JsonPlace(Walk(path), path, beside(path, _nth(form.ends, at)), beside(path, _nth(form.lengths, at)))
        for at, path in enumerate(paths)
    ]


def _nth(values: tuple[str, ...], at: int) -> str:
    return "" if not values else values[at if len(values) > 1 else 0]


class Reader:
    """Puts what it finds into the basket, and counts it in `taken`.

    `found_by_looking`: no path or field is named. Then a value that is no address is passed over unless one is in it.
    """

    def __init__(self, form: Format, harvest: Harvest, *, found_by_looking: bool) -> None:
        self.form = form
        self._harvest = harvest
        self._found_by_looking = found_by_looking
        self.places = places_of(form)
        self.taken = 0

    def read_document(self, documents: Iterable[Any]) -> None:
        """All of a place, then all of the next. `Rejected.line` counts values."""
        documents, number = list(documents), 0
        for place in self.places:
            is_plain = not (place.end or place.length or self.form.where)
            for document in documents:
                found = place.walk.values(document)
                while some := list(islice(found, AT_ONCE)):
                    if is_plain and len(some) >= FEWEST and self._take_quads([value for value, _ in some]):
                        number += len(some)
                        continue
                    for value, inside in some:
                        number += 1
                        self._read(place, number, value, inside)
        if all(place.walk.is_absent for place in self.places):
            named = ", ".join(place.path for place in self.places)
            raise ParseError(f"nothing at {named} in the JSON document", "look at the keys of the document")

    def take_records(self, records: Sequence[dict[str, Any]]) -> bool:
        """Whether all records had an address or network of IPv4 at the only place, and nothing else there, and are taken."""
        place = self.places[0]
        is_plain = len(self.places) == 1 and place.walk.only_key and not (place.end or place.length or self.form.where)
        if not is_plain or len(records) < FEWEST:
            return False
        return self._take_quads([record.get(place.walk.only_key) for record in records])

    def read_record(self, number: int, record: dict[str, Any], line: bytes) -> None:
        """One line. A record that has nothing at any place is rejected as a whole."""
        settled = False
        for place in self.places:
            for value, inside in place.walk.values(record):
                settled = self._read(place, number, value, inside) or settled
        if not settled:
            self._harvest.reject(number, decoded(line), f"no address at {', '.join(place.path for place in self.places)}")

    def _read(self, place: JsonPlace, number: int, value: Any, inside: Enclosing | None) -> bool:
        """Whether the value was taken, rejected, or left out by a condition; otherwise it is passed over."""
        if self.form.where and not self._meets_conditions(number, value, inside):
            return True
        excepted = excepted_in(value)
        if excepted is not None:
            self._harvest.exclude(excepted)
            return True
        spans, fault = _spans_at(place, value, inside)
        for span in spans:
            self._harvest.add(span)
        self.taken += len(spans)
        if not fault:
            return True
        if holds_an_address(value) or not (self._found_by_looking or (len(self.places) > 1 and value in (None, ""))):
            self._reject(number, value, fault)
            return True
        return False

    def _take_quads(self, values: Sequence[Any]) -> bool:
        """Whether all values were addresses or networks of IPv4 and nothing else, and are taken."""
        block = bare_quads(values)
        if block is not None:
            self._harvest.add_block(Family.IPV4, *block)
            self.taken += len(values)
        return block is not None

    def _meets_conditions(self, number: int, value: Any, inside: Enclosing | None) -> bool:
        """A value of which that cannot be said is rejected."""
        try:
            if not all_hold(self.form.where, lambda field: value_around(inside, field), self.form.now):
                return False
            self._harvest.end_at(ends_at(self.form.where, lambda field: value_around(inside, field)))
        except ParseError as error:
            self._reject(number, value, error.message)
            return False
        return True

    def _reject(self, number: int, value: Any, reason: str) -> None:
        self._harvest.reject(number, value if isinstance(value, str) else type(value).__name__, reason)


def _spans_at(place: JsonPlace, value: Any, inside: Enclosing | None) -> tuple[Sequence[Span], str]:
    """The addresses, or why there is none."""
    if not place.end and not place.length:
        spans = spans_in(value)
        return spans, "" if spans else f"no address at {place.path}"
    if place.end:
        one = range_of(value, value_around(inside, place.end))
        return ([one], "") if one else ([], f"no range at {place.path} and {place.end}")
    one = network_at(value, value_around(inside, place.length))
    return ([one], "") if one else ([], f"no network at {place.path} and {place.length}")
