"""Elements of sets as messages, written by numpy: 1,000,000 IPv4 hosts are 28 MB, and cost Python some 20 ms (measured).

A set of hosts contains single addresses, a set of nets networks: ranges are split. The packet counter of an element has the
mark of its source: a rule of any table can match it (`--packets-eq`), and no rule of ours changes it (`! --update-counters`).
"""

import errno
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.adapters.firewalls.ipset.wire import (
    IPSET_ATTR_ADT,
    IPSET_ATTR_DATA,
    IPSET_ATTR_LINENO,
    NLA_F_NET_BYTEORDER,
    NLM_F_EXCL,
    command,
    net_order_number,
    setname,
)
from banlistd.adapters.netlink.messages import NLA_TYPE_MASK, attribute, nested
from banlistd.core.addresses.arrays import are_among
from banlistd.core.addresses.prefixes import lasts_of, networks_of
from banlistd.core.addresses.sets import WIDTHS, Addresses, to_number, union_of
from banlistd.core.ruleset.state import MARK_DTYPE, Kind, MapEntries, MapId
from banlistd.model import Family

IPSET_ATTR_IP = 1
IPSET_ATTR_CIDR = 3
IPSET_ATTR_PACKETS = 25
_IPADDR: Mapping[Family, int] = {Family.IPV4: 1, Family.IPV6: 2}

ByteArray = NDArray[np.uint8]

_LONGEST_ATTRIBUTE = 0xFFFF
_WORD = 4
# In words of 32 bits: DATA, IP and the kind of address have a header each before the address.
_ADDRESS_AT = 3
# hash:net has no network of length 0, but accepts its two halves.
SHORTEST = 1


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Elements of a set, ordered by address. `length`: bits of the prefix, None for single addresses. `mark` None: unmarked."""

    family: Family
    first: Addresses
    length: NDArray[np.uint8] | None
    mark: NDArray[np.uint16] | None

    def __len__(self) -> int:
        return len(self.first)

    def where(self, chosen: NDArray[np.bool_] | Sequence[int]) -> "Entries":
        length = self.length if self.length is None else self.length[chosen]
        return Entries(self.family, self.first[chosen], length, self.mark if self.mark is None else self.mark[chosen])


def entries_of(map_id: MapId, map_entries: MapEntries) -> Entries:
    """The elements of a map's set. hash:ip cannot contain the zero address, which no forwarded packet has."""
    if map_id.kind is Kind.HOSTS:
        storable = (
            map_entries
            if not len(map_entries) or to_number(map_entries.first[0])
            else map_entries.where(np.arange(1, len(map_entries)))
        )
        return Entries(map_entries.family, storable.first, None, storable.mark)
    return split(map_entries.family, map_entries.first, map_entries.last, map_entries.mark)


def split(family: Family, first: Addresses, last: Addresses, mark: NDArray[np.uint16] | None) -> Entries:
    networks = networks_of(family, first, last, SHORTEST)
    return Entries(family, networks.first, networks.length, mark if mark is None else mark[networks.part_of])


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """From one state of a set to another. `changed`: elements that stay and get another mark."""

    fresh: Entries
    changed: Entries
    gone: Entries


def delta_of(add: Entries, remove: Entries) -> Delta:
    """No side has an address twice, so an element of both sides is found by its first address."""
    index = np.minimum(np.searchsorted(add.first, remove.first), max(0, len(add) - 1))
    stays = are_among(add.first, remove.first)
    if add.length is not None and remove.length is not None and len(add):
        stays &= add.length[index] == remove.length
    is_fresh = np.ones(len(add), dtype=np.bool_)
    is_fresh[index[stays]] = False
    return Delta(add.where(is_fresh), add.where(~is_fresh), remove.where(~stays))


def element_messages(kind: int, sequence: int, name: str, entries: Entries, *, strict: bool) -> list[bytes]:
    """Messages that add or delete elements. `strict`: the kernel refuses to add an existing or delete an absent element.

    A message contains as many elements as fit into one attribute, 65,535 octets.
    """
    rows = _rows(entries)
    per_message = (_LONGEST_ATTRIBUTE - _WORD) // (rows.shape[1] * _WORD)
    head = setname(name) + net_order_number(IPSET_ATTR_LINENO, 0)
    flags = NLM_F_EXCL if strict else 0
    return [
        command(kind, flags, sequence, head + nested(IPSET_ATTR_ADT, rows[start : start + per_message].tobytes()))
        for start in range(0, len(rows), per_message)
    ]


def _rows(entries: Entries) -> NDArray[np.uint32]:
    """A row of 32-bit words for each element."""
    template = np.frombuffer(nested(IPSET_ATTR_DATA, _empty(entries)), dtype=np.uint32)
    rows = np.empty((len(entries), len(template)), dtype=np.uint32)
    rows[...] = template
    width = WIDTHS[entries.family] // (8 * _WORD)
    rows[:, _ADDRESS_AT : _ADDRESS_AT + width] = _network_words(entries.first).reshape(-1, width)
    if entries.length is not None:
        # The prefix length is the first octet after the header of its attribute.
        rows.view(np.uint8)[:, (_ADDRESS_AT + width + 1) * _WORD] = entries.length
    if entries.mark is not None:
        rows[:, -1] = entries.mark.astype(">u4").view(np.uint32)
    return rows


def _empty(entries: Entries) -> bytes:
    mark = None if entries.mark is None else 0
    return element(entries.family, bytes(WIDTHS[entries.family] // 8), None if entries.length is None else 0, mark)


def element(family: Family, address: bytes, length: int | None, mark: int | None) -> bytes:
    """The attributes of one element. `length`: bits of the prefix."""
    body = nested(IPSET_ATTR_IP, attribute(_IPADDR[family] | NLA_F_NET_BYTEORDER, address))
    if length is not None:
        body += attribute(IPSET_ATTR_CIDR, bytes((length,)))
    if mark is not None:
        body += attribute(IPSET_ATTR_PACKETS | NLA_F_NET_BYTEORDER, struct.pack("!Q", mark))
    return body


def _network_words(addresses: Addresses) -> NDArray[np.uint32]:
    in_order: NDArray[Any] = addresses.astype(">u4") if addresses.dtype == np.uint32 else np.ascontiguousarray(addresses)
    return in_order.view(np.uint32)


def questions(entries: Entries) -> Iterator[bytes]:
    """The attributes that ask for each element."""
    octets = WIDTHS[entries.family] // 8
    lengths: Iterable[int | None] = [None] * len(entries) if entries.length is None else entries.length.tolist()
    for first, length in zip(entries.first, lengths, strict=True):
        yield element(entries.family, to_number(first).to_bytes(octets, "big"), length, None)


def map_entries_of(map_id: MapId, dump: bytes) -> MapEntries:
    """`dump`: elements as the kernel reports them, in any order. Adjacent networks with one mark become one range again."""
    family = map_id.family
    if not dump:
        return MapEntries.none(family)
    rows = _table_of(dump)
    first = _addresses_of(rows, family)
    # Another program wrote a number that cannot be a mark; it is cut.
    marks = _column(rows, 8, IPSET_ATTR_PACKETS).view(">u8").reshape(-1).astype(MARK_DTYPE)
    if map_id.kind is Kind.NETS:
        return _merged(family, first, lasts_of(family, first, _column(rows, 1, IPSET_ATTR_CIDR).reshape(-1)), marks)
    order = np.argsort(first, kind="stable")
    return MapEntries(family, first[order], first[order], marks[order])


def _table_of(dump: bytes) -> ByteArray:
    """A row of octets for each element: in one set all have the same layout. Raises OSError if they have not."""
    length = int.from_bytes(dump[:2], sys.byteorder)
    octets = np.frombuffer(dump, dtype=np.uint8)
    if not length or len(octets) % length:
        raise OSError(errno.EPROTO, "elements of unequal length")
    rows = octets.reshape(-1, length)
    if not (rows[:, :_WORD] == rows[0, :_WORD]).all():
        raise OSError(errno.EPROTO, "elements of unequal length")
    return rows


def _addresses_of(rows: ByteArray, family: Family) -> Addresses:
    column = _column(rows, WIDTHS[family] // 8, IPSET_ATTR_IP, _IPADDR[family])
    return column.view(">u4").reshape(-1).astype(np.uint32) if family is Family.IPV4 else column.view("S16").reshape(-1)


def _column(rows: ByteArray, width: int, *path: int) -> ByteArray:
    """The octets of one attribute of each element, by its path. Their offset in the first element is that in all.

    `width`: octets.
    """
    offset, end = _WORD, rows.shape[1]
    for kind in path:
        found = {each & NLA_TYPE_MASK: (start, length) for start, length, each in _headers(rows[0], offset, end)}
        if kind not in found:
            raise OSError(errno.EPROTO, "elements of an unknown kind")
        offset, end = found[kind][0] + _WORD, sum(found[kind])
    return np.ascontiguousarray(rows[:, offset : offset + width])


def _headers(row: ByteArray, offset: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Offset, length and kind of each attribute between `offset` and `end`, all in octets."""
    while offset + _WORD <= end:
        length, kind = struct.unpack_from("=HH", row[offset : offset + _WORD].tobytes())
        yield offset, length, kind
        offset += max(_WORD, length + -length % _WORD)


def _merged(family: Family, first: Addresses, last: Addresses, marks: NDArray[np.uint16]) -> MapEntries:
    parts = [(mark, union_of(family, first[marks == mark], last[marks == mark])) for mark in np.flatnonzero(np.bincount(marks))]
    starts = np.concatenate([ranges.first for _, ranges in parts])
    order = np.argsort(starts, kind="stable")
    ends = np.concatenate([ranges.last for _, ranges in parts])
    owners = np.concatenate([np.full(len(ranges), mark, dtype=MARK_DTYPE) for mark, ranges in parts])
    return MapEntries(family, starts[order], ends[order], owners[order])
