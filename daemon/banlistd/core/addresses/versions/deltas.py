"""What two versions of a list do not have in common. Pure.

A delta is symmetric: it leads from the older version to the newer one, and back. It has the entries themselves, so that it
leads back to exactly the same canonical bytes and their content hash.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import symmetric_difference
from banlistd.core.addresses.sets import Addresses, AddressSet, Ranges, from_numbers, no_addresses
from banlistd.model import Family

EntryColumn = NDArray[Any]
"""Entries that sort, shape (n,): IPv4 addresses `uint32`, IPv4 ranges `uint64` (first, then last), of IPv6 `S16` and `S32`."""

_KINDS = tuple(map(np.dtype, ("u4", "u8", "S16", "S32")))
_MAGIC = b"BLV1"
_HEADER = struct.Struct("!4sB4I")
_PIECE = 1 << 16
"""Entries that are compared together: temporaries stay small, and in the cache."""

_QUICK = 1
"""The level of zlib: 6 takes twice as long and saves 1 % of what is left (measured: 1 % of a list of 1,000,000)."""


@dataclass(frozen=True, slots=True, eq=False)
class VersionDelta:
    """`columns`: the entries that one of two versions has and the other one has not: single addresses and ranges of IPv4, then
    of IPv6, each sorted. `whole`: the entries are those of the older version, which has little in common with the newer one.
    """

    columns: tuple[EntryColumn, EntryColumn, EntryColumn, EntryColumn] = field(repr=False)
    whole: bool = False

    def __len__(self) -> int:
        """How many entries it has."""
        return sum(map(len, self.columns))

    @property
    def octets(self) -> int:
        """Its size before compression."""
        return sum(column.nbytes for column in self.columns)

    def other(self, addresses: AddressSet) -> AddressSet:
        """The older version of the newer one; of a delta that is not `whole` also the newer version of the older one."""
        known = entry_columns(AddressSet.none() if self.whole else addresses)
        return set_of_columns(tuple(in_one_only(one, mine) for one, mine in zip(known, self.columns, strict=True)))

    def entries_with(self, family: Family, number: int) -> frozenset[tuple[int, int]]:
        """The entries that contain an address: first and last address as numbers."""
        hosts, nets = self.columns[:2] if family is Family.IPV4 else self.columns[2:]
        first, last = ends_of_networks(family, nets)
        needle = from_numbers(family, [number])
        at = int(hosts.searchsorted(needle[0]))
        found = {(number, number)} if at < len(hosts) and hosts[at] == needle[0] else set()
        inside = np.flatnonzero((first <= needle[0]) & (last >= needle[0]))
        return frozenset(found | {(_number(first[place]), _number(last[place])) for place in inside})

    def written(self) -> bytes:
        """As it is stored: compressed."""
        head = _HEADER.pack(_MAGIC, self.whole, *map(len, self.columns))
        squeeze = zlib.compressobj(_QUICK)
        return b"".join([head, *(squeeze.compress(plane) for plane in self._planes()), squeeze.flush()])

    def _planes(self) -> Iterator[bytes]:
        """The octets of the entries, all first ones first, so that those that hardly differ are side by side."""
        for column in self.columns:
            narrow = column.dtype.kind == "u"
            steps = np.diff(column, prepend=column.dtype.type(0)) if narrow else column
            octets = np.ascontiguousarray(steps.astype(column.dtype.newbyteorder(">")) if narrow else steps)
            yield octets.view(np.uint8).reshape(len(column), -1 if len(column) else column.itemsize).T.tobytes()

    @classmethod
    def read(cls, octets: bytes) -> "VersionDelta":
        """The inverse of `written`. Raises ValueError for bytes that it did not make."""
        if len(octets) < _HEADER.size:
            raise ValueError("no encoded delta")
        magic, whole, *counts = _HEADER.unpack_from(octets)
        if magic != _MAGIC:
            raise ValueError("no encoded delta")
        length = sum(count * kind.itemsize for count, kind in zip(counts, _KINDS, strict=True))
        expand = zlib.decompressobj()
        try:
            plain = expand.decompress(octets[_HEADER.size :], length + 1)
        except zlib.error as error:
            raise ValueError("a damaged delta") from error
        if len(plain) != length or not expand.eof:
            raise ValueError("an encoded delta of the wrong length")
        columns, at = [], 0
        for count, kind in zip(counts, _KINDS, strict=True):
            columns.append(_column(plain, at, count, kind))
            at += count * kind.itemsize
        hosts4, nets4, hosts6, nets6 = columns
        return cls((hosts4, nets4, hosts6, nets6), bool(whole))


def delta_between(before: AddressSet, after: AddressSet) -> VersionDelta:
    """What leads from the newer version (`after`) back to the older one."""
    old, new = entry_columns(before), entry_columns(after)
    columns = tuple(in_one_only(left, right) for left, right in zip(old, new, strict=True))
    whole = sum(map(len, columns)) > len(before)
    return VersionDelta(old, whole=True) if whole else VersionDelta(columns)  # type: ignore[arg-type]  # four of four


def in_one_only(left: EntryColumn, right: EntryColumn) -> EntryColumn:
    """The entries of one of the two only, piece by piece."""
    if not len(left) or not len(right):
        return left if len(left) else right
    long, short = (left, right) if len(left) >= len(right) else (right, left)
    parts, done = [], 0
    for at in range(0, len(long), _PIECE):
        piece = long[at : at + _PIECE]
        is_last = at + _PIECE >= len(long)
        until = len(short) if is_last else int(short.searchsorted(piece[-1], side="right"))
        other = short[done:until]
        if len(other) != len(piece) or not np.array_equal(other, piece):
            parts.append(symmetric_difference(piece, other))
        done = until
    return np.concatenate(parts) if parts else long[:0]


def entry_columns(addresses: AddressSet) -> tuple[EntryColumn, EntryColumn, EntryColumn, EntryColumn]:
    nets4, nets6 = addresses.nets4, addresses.nets6
    pairs4 = nets4.first.astype(np.uint64) << np.uint64(32) | nets4.last
    pairs6 = np.empty((len(nets6), 2), dtype="S16")
    pairs6[:, 0], pairs6[:, 1] = nets6.first, nets6.last
    return addresses.hosts4, pairs4, addresses.hosts6, pairs6.view("S32").reshape(-1)


def set_of_columns(columns: tuple[EntryColumn, ...]) -> AddressSet:
    hosts4, nets4, hosts6, nets6 = columns
    four, six = ends_of_networks(Family.IPV4, nets4), ends_of_networks(Family.IPV6, nets6)
    return AddressSet(hosts4, Ranges(Family.IPV4, *four), hosts6, Ranges(Family.IPV6, *six))


def ends_of_networks(family: Family, nets: EntryColumn) -> tuple[Addresses, Addresses]:
    if not len(nets):
        return no_addresses(family), no_addresses(family)
    if family is Family.IPV4:
        return (nets >> np.uint64(32)).astype(np.uint32), nets.astype(np.uint32)
    ends = np.ascontiguousarray(nets).view("S16").reshape(-1, 2)
    return np.ascontiguousarray(ends[:, 0]), np.ascontiguousarray(ends[:, 1])


def _column(plain: bytes, at: int, count: int, kind: np.dtype[Any]) -> EntryColumn:
    if not count:
        return np.empty(0, dtype=kind)
    planes = np.frombuffer(plain, dtype=np.uint8, count=count * kind.itemsize, offset=at).reshape(kind.itemsize, count)
    octets = np.ascontiguousarray(planes.T).reshape(-1)
    if kind.kind == "S":
        return octets.view(kind)
    return np.cumsum(octets.view(kind.newbyteorder(">")).astype(kind), dtype=kind)


def _number(address: Any) -> int:
    return int.from_bytes(address.ljust(16, b"\0"), "big") if isinstance(address, bytes) else int(address)
