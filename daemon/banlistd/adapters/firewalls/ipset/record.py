"""What the kernel says that it holds: a small set of comments, written by the very call that changes the other sets.

An element for each source: its number is the mark, its comment the marker. An element for each set that is filled: how many
elements it has, how many it may have, and a digest of what was put into it. An element for the rules.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from banlistd.adapters.firewalls.ipset.entries import IPSET_ATTR_IP, element
from banlistd.adapters.firewalls.ipset.sets import ALLOWED, APPLIED, EVERY_MAP, set_of
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
_NUMBERS: Mapping[str, int] = {name: _SETS_FROM + at for at, name in enumerate((*ALLOWED.values(), *map(set_of, EVERY_MAP)))}
_NAMES: Mapping[int, str] = {number: name for name, number in _NUMBERS.items()}

_DIGEST = 16
_FILLED = re.compile(rf"(\S+) (\d{{1,10}}) of (\d{{1,10}}) ([0-9a-f]{{{_DIGEST}}})", re.ASCII)
_RULES_LINE = re.compile(rf"rules ([0-9a-f]{{{_DIGEST}}}) ([0-9a-f]{{{_DIGEST}}})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filled:
    """One set: so many elements, `size` at most, made of what has this digest."""

    count: int
    size: int
    digest: str


@dataclass(frozen=True, slots=True)
class Rules:
    """Digests of the rules that were `meant`, and of how the host's iptables `told` them when they had been written."""

    meant: str
    told: str


@dataclass(frozen=True, slots=True)
class Record:
    """All that is written down. What does not read is left out, and so believed of nobody."""

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
    """`dump`: the elements of the set, as the kernel tells them."""
    markers: dict[Mark, Marker] = {}
    filled: dict[str, Filled] = {}
    rules = None
    for _, element_of_it in each_attribute(dump):
        one = attributes(element_of_it)
        address = next(iter(attributes(one.get(IPSET_ATTR_IP, b"")).values()), b"")
        at, line = int.from_bytes(address, "big"), decode_text(one.get(IPSET_ATTR_COMMENT, b""))
        if at < _SETS_FROM:
            marker = marker_of(at, line)
            markers |= {marker.mark: marker} if marker else {}
        elif at == _RULES:
            found = _RULES_LINE.fullmatch(line)
            rules = Rules(*found.groups()) if found else None
        elif found := _FILLED.fullmatch(line):
            name, count, size, digest = found.groups()
            filled |= {name: Filled(int(count), int(size), digest)} if _NAMES.get(at) == name else {}
    return Record(markers, filled, rules)


def write(commands: Commands, record: Record) -> None:
    """Write all of it anew. One set of a few elements: that is as cheap as anything else, and leaves nothing behind."""
    lines = {int(mark): marker_text(marker) for mark, marker in record.markers.items()}
    lines |= {_NUMBERS[name]: f"{name} {one.count} of {one.size} {one.digest}" for name, one in record.filled.items()}
    if record.rules is not None:
        lines[_RULES] = f"rules {record.rules.meant} {record.rules.told}"
    commands.flush(APPLIED)
    for at in range(0, len(lines), _IN_A_MESSAGE):
        elements = b"".join(_line(number, lines[number]) for number in sorted(lines)[at : at + _IN_A_MESSAGE])
        body = setname(APPLIED) + net_order_number(IPSET_ATTR_LINENO, 0) + nested(IPSET_ATTR_ADT, elements)
        commands.add(IPSET_CMD_ADD, body)


# A line is at most 255 characters, an attribute 65,535 octets.
_IN_A_MESSAGE = 200


def _line(at: int, comment: str) -> bytes:
    body = element(Family.IPV4, at.to_bytes(4, "big"), None, None) + text_attribute(IPSET_ATTR_COMMENT, comment)
    return nested(7, body)
