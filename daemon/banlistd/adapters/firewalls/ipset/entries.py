"""Elements of sets as messages, written by numpy: 1,000,000 IPv4 hosts are 28 MB, and cost Python some 20 ms (measured).

A set of hosts holds single addresses, a set of nets networks: ranges are split. The owner's mark is an element's number of
packets, which a rule can ask for in any table (`--packets-eq`) and nothing counts up (`! --update-counters`).
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
# DATA, IP and the kind of address have a header each before the address.
_ADDRESS_AT = 3
# hash:net holds no network of everything, but its two halves.
SHORTEST = 1


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Elements of one set, in the order of addresses. `length` None: single addresses. `mark` None: they have no owner."""

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
    """What of a map goes into its set. hash:ip holds no zero address, which no packet on its way bears."""
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
    """From one state of a set to another. `changed`: they stay, and get another owner."""

    fresh: Entries
    changed: Entries
    gone: Entries


def delta_of(add: Entries, remove: Entries) -> Delta:
    """Neither side holds an address twice, so an element that is on both sides is found by its first address."""
    at = np.minimum(np.searchsorted(add.first, remove.first), max(0, len(add) - 1))
    stays = are_among(add.first, remove.first)
    if add.length is not None and remove.length is not None and len(add):
        stays &= add.length[at] == remove.length
    is_fresh = np.ones(len(add), dtype=np.bool_)
    is_fresh[at[stays]] = False
    return Delta(add.where(is_fresh), add.where(~is_fresh), remove.where(~stays))


def element_messages(kind: int, sequence: int, name: str, entries: Entries, *, strict: bool) -> list[bytes]:
    """Messages that add or delete elements. `strict`: refused where one is there already, or is not there.

    A message holds as many elements as one attribute can, 65,535 octets.
    """
    rows = _rows(entries)
    per_message = (_LONGEST_ATTRIBUTE - _WORD) // (rows.shape[1] * _WORD)
    head = setname(name) + net_order_number(IPSET_ATTR_LINENO, 0)
    flags = NLM_F_EXCL if strict else 0
    return [
        command(kind, flags, sequence, head + nested(IPSET_ATTR_ADT, rows[at : at + per_message].tobytes()))
        for at in range(0, len(rows), per_message)
    ]


def _rows(entries: Entries) -> NDArray[np.uint32]:
    """A row of words for each element."""
    template = np.frombuffer(nested(IPSET_ATTR_DATA, _empty(entries)), dtype=np.uint32)
    rows = np.empty((len(entries), len(template)), dtype=np.uint32)
    rows[...] = template
    width = WIDTHS[entries.family] // (8 * _WORD)
    rows[:, _ADDRESS_AT : _ADDRESS_AT + width] = _network_words(entries.first).reshape(-1, width)
    if entries.length is not None:
        # The length is the first octet of the word after the header of its attribute.
        rows.view(np.uint8)[:, (_ADDRESS_AT + width + 1) * _WORD] = entries.length
    if entries.mark is not None:
        rows[:, -1] = entries.mark.astype(">u4").view(np.uint32)
    return rows


def _empty(entries: Entries) -> bytes:
    mark = None if entries.mark is None else 0
    return element(entries.family, bytes(WIDTHS[entries.family] // 8), None if entries.length is None else 0, mark)


def element(family: Family, address: bytes, length: int | None, mark: int | None) -> bytes:
    """The attributes that stand for one element."""
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
    """Each element as it is asked for."""
    octets = WIDTHS[entries.family] // 8
    lengths: Iterable[int | None] = [None] * len(entries) if entries.length is None else entries.length.tolist()
    for first, length in zip(entries.first, lengths, strict=True):
        yield element(entries.family, to_number(first).to_bytes(octets, "big"), length, None)


def map_entries_of(map_id: MapId, dump: bytes) -> MapEntries:
    """Elements as the kernel tells them, in any order. Networks of one owner that touch are the range that they were."""
    family = map_id.family
    if not dump:
        return MapEntries.none(family)
    rows = _table_of(dump)
    first = _addresses_of(rows, family)
    # A number that cannot be a mark is somebody else's, and cut.
    marks = _column(rows, 8, IPSET_ATTR_PACKETS).view(">u8").reshape(-1).astype(MARK_DTYPE)
    if map_id.kind is Kind.NETS:
        return _merged(family, first, lasts_of(family, first, _column(rows, 1, IPSET_ATTR_CIDR).reshape(-1)), marks)
    order = np.argsort(first, kind="stable")
    return MapEntries(family, first[order], first[order], marks[order])


def _table_of(dump: bytes) -> ByteArray:
    """A row of octets for each element: within a set, all are laid out alike. Raises OSError where they are not."""
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
    """Of each element the octets of one attribute, by its path: where they are in the first, they are in all."""
    at, end = _WORD, rows.shape[1]
    for kind in path:
        found = {each & NLA_TYPE_MASK: (start, length) for start, length, each in _headers(rows[0], at, end)}
        if kind not in found:
            raise OSError(errno.EPROTO, "elements of an unknown kind")
        at, end = found[kind][0] + _WORD, sum(found[kind])
    return np.ascontiguousarray(rows[:, at : at + width])


def _headers(row: ByteArray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Place, length and kind of each attribute."""
    while at + _WORD <= end:
        length, kind = struct.unpack_from("=HH", row[at : at + _WORD].tobytes())
        yield at, length, kind
        at += max(_WORD, length + -length % _WORD)


def _merged(family: Family, first: Addresses, last: Addresses, marks: NDArray[np.uint16]) -> MapEntries:
    parts = [(mark, union_of(family, first[marks == mark], last[marks == mark])) for mark in np.flatnonzero(np.bincount(marks))]
    starts = np.concatenate([ranges.first for _, ranges in parts])
    order = np.argsort(starts, kind="stable")
    ends = np.concatenate([ranges.last for _, ranges in parts])
    owners = np.concatenate([np.full(len(ranges), mark, dtype=MARK_DTYPE) for mark, ranges in parts])
    return MapEntries(family, starts[order], ends[order], owners[order])
