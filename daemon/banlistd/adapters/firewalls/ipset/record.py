"""The record of the applied state: a small set of comments, written by the same call that changes the other sets.

It has an element for each source: its number is the mark, its comment the marker. An element for each filled set: how many
elements it has, how many it may have, and a digest of its content. An element for the rules.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from banlistd.adapters.firewalls.ipset.entries import IPSET_ATTR_IP, element
from banlistd.adapters.firewalls.ipset.sets import ALLOWED, APPLIED, EVERY_MAP, SERVICES, set_of
from banlistd.adapters.firewalls.ipset.wire import (
    IPSET_ATTR_ADT,
    IPSET_ATTR_LINENO,
    IPSET_CMD_ADD,
    Commands,
    net_order_number,
    setname,
)
from banlistd.adapters.firewalls.marker_text import marker_of, marker_text
from banlistd.adapters.netlink.messages import attributes, decode_text, each_attribute, nested, text_attribute
from banlistd.core.addresses.sets import Addresses
from banlistd.model import Family, Mark, Marker

IPSET_ATTR_COMMENT = 26

# Elements are numbers, written as IPv4 addresses: marks below, then the sets, then the rules.
_SETS_FROM = 1 << 16
_RULES = 1 << 17
_NUMBERS: Mapping[str, int] = {
    name: _SETS_FROM + index for index, name in enumerate((*ALLOWED.values(), *map(set_of, EVERY_MAP), *SERVICES.values()))
}
_NAMES: Mapping[int, str] = {number: name for name, number in _NUMBERS.items()}

_DIGEST = 16
_FILLED = re.compile(rf"(\S+) (\d{{1,10}}) of (\d{{1,10}}) ([0-9a-f]{{{_DIGEST}}})", re.ASCII)
_RULES_LINE = re.compile(rf"rules ([0-9a-f]{{{_DIGEST}}}) ([0-9a-f]{{{_DIGEST}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filled:
    """One set: `count` elements, `size` at most, and the digest of its content."""

    count: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Digests of the `expected` rules, and of the rules as the host's iptables `reported` them after they were written."""

    expected: str
    reported: str


@dataclass(frozen=True, slots=True)
class Record:
    """The content of the record. Lines that cannot be read are left out, so their sets count as unknown."""

    markers: Mapping[Mark, Marker] = field(default_factory=dict)
    filled: Mapping[str, Filled] = field(default_factory=dict)
    rules: Rules | None = None

    def in_order(self) -> tuple[Marker, ...]:
        return tuple(self.markers[mark] for mark in sorted(self.markers))


def digest_of(*columns: Addresses) -> str:
    """16 hexadecimal digits for arrays of a known order; some 8 ms for a million addresses with their marks (measured)."""
    digest = hashlib.blake2b(digest_size=_DIGEST // 2)
    for column in columns:
        digest.update(np.ascontiguousarray(column).view(np.uint8).data)
    return digest.hexdigest()


def digest_of_text(lines: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=_DIGEST // 2).hexdigest()


def read(dump: bytes) -> Record:
    """`dump`: the elements of the record's set, as the kernel reports them."""
    markers: dict[Mark, Marker] = {}
    filled: dict[str, Filled] = {}
    rules = None
    for _, element_of_it in each_attribute(dump):
        one = attributes(element_of_it)
        address = next(iter(attributes(one.get(IPSET_ATTR_IP, b"")).values()), b"")
        number, line = int.from_bytes(address, "big"), decode_text(one.get(IPSET_ATTR_COMMENT, b""))
        if number < _SETS_FROM:
            marker = marker_of(number, line)
            markers |= {marker.mark: marker} if marker else {}
        elif number == _RULES:
            found = _RULES_LINE.fullmatch(line)
            rules = Rules(*found.groups()) if found else None
        elif found := _FILLED.fullmatch(line):
            name, count, size, digest = found.groups()
            filled |= {name: Filled(int(count), int(size), digest)} if _NAMES.get(number) == name else {}
    return Record(markers, filled, rules)


def write(commands: Commands, record: Record) -> None:
    """Write the whole record anew: it is one set of a few elements, and nothing old remains."""
    lines = {int(mark): marker_text(marker) for mark, marker in record.markers.items()}
    lines |= {_NUMBERS[name]: f"{name} {one.count} of {one.size} {one.digest}" for name, one in record.filled.items()}
    if record.rules is not None:
        lines[_RULES] = f"rules {record.rules.expected} {record.rules.reported}"
    commands.flush(APPLIED)
    for start in range(0, len(lines), _IN_A_MESSAGE):
        elements = b"".join(_line(number, lines[number]) for number in sorted(lines)[start : start + _IN_A_MESSAGE])
        body = setname(APPLIED) + net_order_number(IPSET_ATTR_LINENO, 0) + nested(IPSET_ATTR_ADT, elements)
        commands.add(IPSET_CMD_ADD, body)


# A line is at most 255 characters, an attribute 65,535 octets.
_IN_A_MESSAGE = 200


def _line(number: int, comment: str) -> bytes:
    body = element(Family.IPV4, number.to_bytes(4, "big"), None, None) + text_attribute(IPSET_ATTR_COMMENT, comment)
    return nested(7, body)
