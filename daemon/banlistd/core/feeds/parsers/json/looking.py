"""Where the addresses are in JSON that no format describes: what is at each path, gathered in one pass and bounded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from banlistd.core.addresses.sets import Addresses
from banlistd.core.feeds.parsers.json.columns import (
    FEWEST,
    bare_quads,
    column_of,
    few_words,
    parts_of_column,
    same_keys,
)
from banlistd.core.feeds.parsers.json.paths import ITEMS, MEMBERS
from banlistd.core.feeds.parsers.json.seen import KeyPair, Numbers, SeenAt
from banlistd.core.feeds.parsers.json.shapes import LONGEST_PATH, KeyShape, ObjectShape, Shapes, below
from banlistd.core.feeds.parsers.json.values import is_hostmask, is_netmask, spans_in
from banlistd.core.feeds.parsers.json.words import FLAGS, Meaning, is_word_of_no_ban, says_error
from banlistd.errors import ParseError
from banlistd.model import Family, Span

_MAX_PATHS = 500
_TWO = 2
_MAX_NUMBERS = 5000
_MAX_KEYS = 32
"""Addresses under different keys of one object."""

_NAME_THE_PATH = "write format: {type: json, path: ...}"
_NODES = (dict, list)

_MOST_DULL, _LONGEST_DULL = 4096, 50
"""Values that say nothing of a record, as the names of regions and services do, are kept to be known again."""


class _Column(Enum):
    """What the values of one key are. OTHERS: addresses, or what has to be looked at one by one."""

    NUMBERS = auto()
    DULL = auto()
    OTHERS = auto()


_SAYS_NOTHING = frozenset({bool, float, type(None)})
"""Types of values that are neither addresses nor the length of a network."""


KeyColumn = tuple[KeyShape, Sequence[Any]]
"""A key, and its values in all rows."""


@dataclass(slots=True)
class JsonLook:
    """What was found. `flags`: keys that take a record out, and the value that does. `doubt`: why it is not clear."""

    places: dict[str, SeenAt] = field(default_factory=dict)
    pairs: dict[tuple[str, str], KeyPair] = field(default_factory=dict)
    numbers: dict[tuple[str, str], Numbers] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    doubt: tuple[str, str] | None = None
    is_error: bool = False
    _shapes: Shapes = field(default_factory=Shapes)
    _dull: set[str] = field(default_factory=set)

    def at(self, document: Any, *, is_record: bool) -> None:
        """JsonLook at a document; `is_record`: it is one of several, so that an address in it need not be beneath an array.

        Without recursion, since depth is the sender's choice. Raises ParseError where it would never end.
        """
        pending: list[tuple[str, Any, bool]] = [("", document, is_record)]
        while pending:
            path, node, beneath = pending.pop()
            if isinstance(node, list):
                inside = below(path, ITEMS)
                if len(node) >= FEWEST and (self._see_quads(inside, node) or self._see_rows(inside, node)):
                    continue
                self._see_items(inside, node)
                children = [(inside, item, True) for item in reversed(node) if isinstance(item, _NODES)]
            else:
                children = self._children(path, node, beneath=beneath) if isinstance(node, dict) else []
            if children:
                pending += children

    def at_records(self, records: Sequence[dict[str, Any]]) -> None:
        """Look at records of a list, one in each line; raises ParseError as `at`."""
        if len(records) < FEWEST or not self._see_rows("", records):
            for record in records:
                self.at(record, is_record=True)

    def _see_quads(self, inside: str, items: Sequence[Any]) -> bool:
        """Whether all items were addresses of IPv4, as most arrays of a list are, and have been seen at once."""
        blocks = [bare_quads(part) for part in parts_of_column(items)]
        found = [block for block in blocks if block is not None]
        if len(found) < len(blocks):
            return False
        place = self._place(inside)
        for first, last in found:
            place.see_quads(first, last)
        pairs = zip(found[0][0][: _TWO + 1].tolist(), found[0][1][: _TWO + 1].tolist(), strict=True)
        place.see_together([(Family.IPV4, low, high) for low, high in pairs])
        return True

    def _see_rows(self, inside: str, items: Sequence[Any]) -> bool:
        """The same of objects with the same keys, one of which has an address of IPv4, the others words and numbers."""
        keys = same_keys(items)
        shape = self._shapes.of(inside, keys) if keys else None
        if shape is None or shape.are_addresses:
            return False
        addresses: list[KeyColumn] = []
        numbers: list[KeyColumn] = []
        blocks: list[tuple[Addresses, Addresses]] = []
        for key in shape.keys:
            column = column_of(items, key.key)
            match self._kind_of_column(key, column):
                case _Column.NUMBERS:
                    numbers.append((key, column))
                case _Column.OTHERS:
                    found = [bare_quads(part) for part in parts_of_column(column)]
                    blocks = [block for block in found if block is not None]
                    if addresses or len(blocks) < len(found):
                        return False
                    addresses.append((key, column))
        for name, meaning in shape.meant:
            for value in {(type(value), value): value for value in column_of(items, name)}.values():
                self._see_meanings([(name, meaning)], {name: value}, beneath=True)
        for address in addresses:
            self._see_address_column(address, blocks, numbers)
        return True

    def _see_address_column(
        self, address: KeyColumn, blocks: Sequence[tuple[Addresses, Addresses]], numbers: Sequence[KeyColumn]
    ) -> None:
        key, written = address
        place = self._place(key.place)
        for first, last in blocks:
            place.see_quads(first, last)
        for beside, values in numbers:
            self._see_number_column(key, written, beside, values)

    def _kind_of_column(self, key: KeyShape, column: Sequence[Any]) -> "_Column":
        kinds = set(map(type, column))
        if kinds == {int}:
            return _Column.NUMBERS
        words = few_words(column)
        if words is None:
            # Objects and arrays are among what has to be looked at one by one.
            return _Column.DULL if kinds <= _SAYS_NOTHING else _Column.OTHERS
        of_numbers = False
        for word in words:
            if spans_in(word):
                return _Column.OTHERS
            of_numbers |= self._may_be_number(key, word) and _is_number(word)
        return _Column.NUMBERS if of_numbers else _Column.DULL

    def _see_number_column(self, address: KeyShape, written: Sequence[str], key: KeyShape, values: Sequence[Any]) -> None:
        seen: Numbers | None = None
        for text, value in zip(written, values, strict=True):
            if not _is_number(value):
                continue
            seen = seen or self._numbers(address, key)
            if seen.is_settled:
                return
            seen.see(text, spans_in(text)[0][1], value)

    def _numbers(self, address: KeyShape, key: KeyShape) -> Numbers:
        if len(self.numbers) > _MAX_NUMBERS:
            raise ParseError("too many keys beside addresses have numbers", _NAME_THE_PATH)
        return self.numbers.setdefault((address.place, key.number), Numbers(is_length=key.is_length))

    def _see_items(self, inside: str, items: list[Any]) -> None:
        together: list[Span] = []
        for item in items:
            if isinstance(item, str):
                spans = spans_in(item)
                self._see(inside, spans)
                together += spans if len(together) <= _TWO else ()
        if together:
            self.places[inside].see_together(together)

    def _children(self, path: str, node: dict[str, Any], *, beneath: bool) -> list[tuple[str, Any, bool]]:
        shape = self._shapes.of(path, tuple(node))
        if shape.meant:
            self._see_meanings(shape.meant, node, beneath=beneath)
        # A single key may be an error: `{"192.0.2.1": "limit reached"}`.
        if shape.are_addresses and (len(node) > 1 or not any(isinstance(value, str) for value in node.values())):
            return self._see_keys(below(path, MEMBERS), node)
        if beneath:
            self._see_values(shape, node)
        inner = [
            (key.below, item, beneath) for key, item in zip(shape.keys, node.values(), strict=True) if isinstance(item, _NODES)
        ]
        return inner[::-1]

    def _see_keys(self, inside: str, node: dict[str, Any]) -> list[tuple[str, Any, bool]]:
        for key, value in node.items():
            self._see(inside, spans_in(key))
            if spans_in(value) and self.doubt is None:
                self.doubt = "addresses have other addresses for values", _NAME_THE_PATH
        return [(inside, item, True) for item in reversed(node.values()) if isinstance(item, _NODES)]

    def _see_meanings(self, meant: Sequence[tuple[str, Meaning]], node: dict[str, Any], *, beneath: bool) -> None:
        for key, meaning in meant:
            value = node[key]
            self.is_error = self.is_error or says_error(meaning, value, is_record=beneath)
            is_flag = meaning.flag and isinstance(value, bool | str | int)
            if is_flag and str(value).casefold() in FLAGS[meaning.flag] and len(self.flags) < _MAX_KEYS:
                self.flags[key] = meaning.flag
            if value and meaning.is_end and self.doubt is None:
                self.doubt = f"some records have {key[:60]}: a time at which they were taken out", _NAME_THE_PATH

    def _see_values(self, shape: ObjectShape, node: dict[str, Any]) -> None:
        here: list[tuple[KeyShape, str, Span]] = []
        beside: list[tuple[KeyShape, Any]] = []
        dull = self._dull
        for key, value in zip(shape.keys, node.values(), strict=True):
            if not isinstance(value, str):
                if isinstance(value, int):
                    beside.append((key, value))
                continue
            if value in dull and not key.is_kind:
                continue
            spans = spans_in(value)
            if spans:
                self._see(key.place, spans)
                here.append((key, value, spans[0]))
                if value[0] in _BEGINS_MASKS and key.may_be_mask and _is_mask(spans):
                    beside.append((key, value))
            elif self._may_be_number(key, value):
                beside.append((key, value))
        if here:
            self._see_together(here, beside)

    def _may_be_number(self, key: KeyShape, value: str) -> bool:
        """Of a value that is no address, whether it begins as numbers do; and what it says of the record."""
        if key.is_kind and self.doubt is None and is_word_of_no_ban(value):
            hint = f'write where: {{{key.key}: "!= {value}"}} beside the path, or other conditions'
            self.doubt = f"some records have {key.key}: {value}"[:150], hint[:200]
        if value and not "9" < value[0] < "\x80":
            return True
        if len(self._dull) < _MOST_DULL and len(value) < _LONGEST_DULL:
            self._dull.add(value)
        return False

    def _see_together(self, here: Sequence[tuple[KeyShape, str, Span]], beside: Sequence[tuple[KeyShape, Any]]) -> None:
        if len(here) > _MAX_KEYS:
            raise ParseError("too many keys of an object have addresses", _NAME_THE_PATH)
        for at, (one, _, span) in enumerate(here):
            for other, _, second in here[at + 1 :]:
                self.pairs.setdefault((one.place, other.place), KeyPair()).see(span, second)
        if beside:
            self._see_numbers(here, beside)

    def _see_numbers(self, here: Sequence[tuple[KeyShape, str, Span]], beside: Sequence[tuple[KeyShape, Any]]) -> None:
        addresses = {key.key for key, _, _ in here}
        for key, value in beside:
            is_mask = key.key in addresses
            if not (is_mask or _is_number(value)):
                continue
            for address, written, (_, first, _) in here:
                if address is key:
                    continue
                seen = self._numbers(address, key)
                seen.is_mask |= is_mask
                if not seen.is_settled:
                    seen.see(written, first, value)

    def _see(self, path: str, spans: Sequence[Span]) -> None:
        if spans:
            self._place(path).see(spans)

    def _place(self, path: str) -> SeenAt:
        place = self.places.get(path)
        if place is None:
            if len(self.places) >= _MAX_PATHS:
                raise ParseError("addresses are at more than 500 places", _NAME_THE_PATH)
            place = self.places[path] = SeenAt()
        if len(path) > LONGEST_PATH and self.doubt is None:
            self.doubt = f"the addresses lie too deep: {path[:60]}...", _NAME_THE_PATH
        return place


_BEGINS_MASKS = "02fF"


def _is_mask(spans: Sequence[Span]) -> bool:
    return len(spans) == 1 and (is_netmask(spans[0]) or is_hostmask(spans[0]))


def _is_number(value: object) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int) and not isinstance(value, bool)
    text = value.strip().removeprefix("/")
    return text.isascii() and text.isdecimal()
