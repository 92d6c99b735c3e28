"""Where the addresses are in JSON that no format describes: what is at each path, gathered in one pass and bounded."""

import re
from dataclasses import dataclass, field
from typing import Any

from banlistd.core.feeds.parsers.json.paths import ITEMS, MEMBERS
from banlistd.core.feeds.parsers.json.values import is_hostmask, is_netmask, network_at, spans_in
from banlistd.core.feeds.parsers.json.words import (
    FLAGS,
    NO_MEANING,
    KeyRole,
    is_no_ban,
    key_role,
    meaning_of,
    says_error,
    says_no_ban,
)
from banlistd.core.feeds.parsers.spans import span_of
from banlistd.errors import ParseError
from banlistd.model import Family, Span

_LONGEST_PATH = 150
"""Characters; where addresses are deeper, the path must be named."""

_MAX_PATHS = 500
_TWO = 2
_LEAST_SIZE = 4
_WIDEST = {Family.IPV4: 1 << 24, Family.IPV6: 1 << 112}
_MAX_NUMBERS = 5000
_MAX_KEYS = 32
"""Addresses under different keys of one object."""

_NUMBERED = re.compile(r"(?:AS|as)?[\d:TZ .-]*\d[\d:TZ .-]*", re.ASCII)
"""Keys that are data: numbers, dates."""

_NAME_THE_PATH = "write format: {type: json, path: ...}"
_UNSAYABLE = re.compile(r"[\[\]{}]")


@dataclass(slots=True)
class SeenAt:
    """Of one path: strings that are addresses, how many addresses those are, those that are one bare address, those written as
    netmasks are; `together`: arrays and strings of several, `twos`: those of two bare addresses in order.
    """

    strings: int = 0
    addresses: int = 0
    bare: int = 0
    masks: int = 0
    together: int = 0
    twos: int = 0

    def see(self, spans: list[Span]) -> None:
        self.strings += 1
        self.addresses += len(spans)
        if len(spans) == 1 and spans[0][1] == spans[0][2]:
            self.bare += 1
            self.masks += is_netmask(spans[0])
        elif len(spans) > 1:
            self.see_together(spans)

    def see_together(self, spans: list[Span]) -> None:
        self.together += 1
        if len(spans) == _TWO:
            (family, first, end), (other, last, behind) = spans
            self.twos += family is other and first == end < last == behind


@dataclass(slots=True)
class KeyPair:
    """Of two keys of the same objects: how often both are addresses, and what holds for all of these: one lies within the
    other, they are in order, and they are the ends of one network.
    """

    together: int = 0
    first_within: bool = True
    last_within: bool = True
    ordered: bool = True
    networks: bool = True

    def see(self, one: Span, other: Span) -> None:
        self.together += 1
        self.first_within &= _lies_within(one, other)
        self.last_within &= _lies_within(other, one)
        self.ordered &= one[0] is other[0] and one[1] <= other[1]
        self.networks &= self.ordered and _is_network(one[1], other[2])


@dataclass(slots=True)
class Numbers:
    """Of a key beside addresses: how often it makes a network of one without a bit set too much, as a prefix length or netmask,
    and how often it does not; how often one of more than one address; how often it may count the addresses of one.

    `is_mask`: it was written as netmasks are. `is_length`: it is called so.
    """

    lengths: int = 0
    others: int = 0
    networks: int = 0
    sizes: int = 0
    is_mask: bool = False
    is_length: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether it is some number of which no more needs to be known."""
        return self.others > 0 and self.sizes < self.lengths + self.others and not (self.is_mask or self.is_length)

    def see(self, written: str, first: int, value: object) -> None:
        network = network_at(written, value)
        fits = network is not None and network[1] == first
        self.lengths += fits
        self.others += not fits
        self.networks += network is not None and network[1] == first < network[2] < first + _WIDEST[network[0]]
        self.sizes += isinstance(value, int) and value >= _LEAST_SIZE and not value & (value - 1) and not first % value


@dataclass(slots=True)
class JsonLook:
    """What was found. `flags`: keys that take a record out, and the value that does. `doubt`: why it is not clear."""

    places: dict[str, SeenAt] = field(default_factory=dict)
    pairs: dict[tuple[str, str], KeyPair] = field(default_factory=dict)
    numbers: dict[tuple[str, str], Numbers] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    doubt: tuple[str, str] | None = None
    is_error: bool = False

    def at(self, document: Any, *, is_record: bool) -> None:
        """JsonLook at a document; `is_record`: it is one of several, so that an address in it need not be beneath an array.

        Without recursion, since depth is the sender's choice. Raises ParseError where it would never end.
        """
        pending: list[tuple[str, Any, bool]] = [("", document, is_record)]
        while pending:
            path, node, beneath = pending.pop()
            if isinstance(node, list):
                inside = _below(path, ITEMS)
                self._see_items(inside, node)
                children = [(inside, item, True) for item in reversed(node) if isinstance(item, dict | list)]
            else:
                children = self._children(path, node, beneath=beneath) if isinstance(node, dict) else []
            pending += children

    def _see_items(self, inside: str, items: list[Any]) -> None:
        together: list[Span] = []
        for item in items:
            if isinstance(item, str):
                spans = spans_in(item)
                self._see(inside, spans)
                together += spans if len(together) <= _TWO else []
        if together:
            self.places[inside].see_together(together)

    def _children(self, path: str, node: dict[str, Any], *, beneath: bool) -> list[tuple[str, Any, bool]]:
        self._see_meanings(node, beneath=beneath)
        if _has_addresses_for_keys(node):
            inside = _below(path, MEMBERS)
            for key, value in node.items():
                self._see(inside, spans_in(key))
                if spans_in(value) and self.doubt is None:
                    self.doubt = "addresses have other addresses for values", _NAME_THE_PATH
            return [(inside, item, True) for item in reversed(node.values()) if isinstance(item, dict | list)]
        if beneath:
            self._see_values(path, node)
        dot = path + "." if path else ""
        numbered = all(map(_NUMBERED.fullmatch, node))
        return [
            (_below(path, MEMBERS) if numbered else _below(path, dot[len(path) :] + _sayable(key)), item, beneath)
            for key, item in reversed(node.items())
            if isinstance(item, dict | list)
        ]

    def _see_meanings(self, node: dict[str, Any], *, beneath: bool) -> None:
        for key, value in node.items():
            meaning = meaning_of(key)
            if meaning is NO_MEANING:
                continue
            self.is_error = self.is_error or says_error(meaning, value, is_record=beneath)
            is_flag = meaning.flag and isinstance(value, bool | str | int)
            if is_flag and str(value).casefold() in FLAGS[meaning.flag] and len(self.flags) < _MAX_KEYS:
                self.flags[key] = meaning.flag
            if value and meaning.is_end and self.doubt is None:
                self.doubt = f"some records have {key[:60]}: a time at which they were taken out", _NAME_THE_PATH

    def _see_values(self, path: str, node: dict[str, Any]) -> None:
        dot = path + "." if path else ""
        here: list[tuple[str, str, str, Span]] = []
        for key, value in node.items():
            if not isinstance(value, str):
                continue
            spans = spans_in(value)
            if spans:
                whole = dot + _sayable(key)
                self._see(whole, spans)
                here.append((whole, key, value, spans[0]))
            elif says_no_ban(key, value) and self.doubt is None:
                hint = f'write where: {{{key}: "!= {value}"}} beside the path, or other conditions'
                self.doubt = f"some records have {key}: {value}"[:150], hint[:200]
        if not here:
            return
        if len(here) > _MAX_KEYS:
            raise ParseError("too many keys of an object have addresses", _NAME_THE_PATH)
        for at, (one, _, _, span) in enumerate(here):
            for other, _, _, second in here[at + 1 :]:
                self.pairs.setdefault((one, other), KeyPair()).see(span, second)
        self._see_numbers(dot, node, here)

    def _see_numbers(self, dot: str, node: dict[str, Any], here: list[tuple[str, str, str, Span]]) -> None:
        for key, value in node.items():
            is_mask = isinstance(value, str) and value[:1] in _BEGINS_MASKS and not is_no_ban(key) and _is_mask(value)
            if not (is_mask or _is_number(value)):
                continue
            for whole, name, written, (_, first, _) in here:
                if name == key:
                    continue
                if len(self.numbers) > _MAX_NUMBERS:
                    raise ParseError("too many keys beside addresses have numbers", _NAME_THE_PATH)
                seen = self.numbers.setdefault((whole, dot + key), Numbers(is_length=key_role(key)[0] is KeyRole.LENGTH))
                seen.is_mask |= is_mask
                if not seen.is_settled:
                    seen.see(written, first, value)

    def _see(self, path: str, spans: list[Span]) -> None:
        if not spans:
            return
        if path not in self.places:
            if len(self.places) >= _MAX_PATHS:
                raise ParseError("addresses are at more than 500 places", _NAME_THE_PATH)
            self.places[path] = SeenAt()
        self.places[path].see(spans)
        if len(path) > _LONGEST_PATH and self.doubt is None:
            self.doubt = f"the addresses lie too deep: {path[:60]}...", _NAME_THE_PATH


def _sayable(key: str) -> str:
    """A key as it can be written in a path; no value is found again at one that is not."""
    return key[:_LONGEST_PATH].translate(_CLEAN) if len(key) > _LONGEST_PATH or _UNSAYABLE.search(key) else key


def _below(path: str, step: str) -> str:
    """A path that is too long already stays as it is, or a hostile document could make us hold its depth times its width."""
    return path + step if len(path) <= _LONGEST_PATH else path


_CLEAN = str.maketrans("[]{}", "????")


def _has_addresses_for_keys(node: dict[str, Any]) -> bool:
    """A single key may be an error: `{"192.0.2.1": "limit reached"}`."""
    if not node or not all(span_of(key) is not None for key in node):
        return False
    return len(node) > 1 or not any(isinstance(value, str) for value in node.values())


_BEGINS_MASKS = ("0", "2", "f", "F")


def _is_mask(value: str) -> bool:
    spans = spans_in(value)
    return len(spans) == 1 and (is_netmask(spans[0]) or is_hostmask(spans[0]))


def _is_number(value: object) -> bool:
    if not isinstance(value, str):
        return isinstance(value, int) and not isinstance(value, bool)
    text = value.strip().removeprefix("/")
    return text.isascii() and text.isdecimal()


def _lies_within(one: Span, other: Span) -> bool:
    return one[0] is other[0] and other[1] <= one[1] and one[2] <= other[2]


def _is_network(first: int, last: int) -> bool:
    size = last - first + 1
    return size > 0 and not size & (size - 1) and not first % size
