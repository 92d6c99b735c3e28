"""Sets of addresses as sorted ranges in arrays. Pure values: every operation returns a new one.

An address is a number that sorts: `uint32` for IPv4, 16 bytes in network order (`S16`) for IPv6. numpy compares `S16`
as memory and ignores trailing NULs, which is the numeric order of equally long strings, so the same algebra serves both.
Ranges are inclusive at both ends, because one past the last address does not fit the type.
"""

import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses import canonical
from banlistd.core.addresses.arrays import are_among, are_in, distinct, in_order, without
from banlistd.core.addresses.neighbours import after, as_words, before
from banlistd.model import ContentHash, Family

Addresses = NDArray[Any]
"""Shape (n,), dtype `uint32` (IPv4) or `S16` (IPv6)."""

DTYPES: dict[Family, np.dtype[Any]] = {Family.IPV4: np.dtype(np.uint32), Family.IPV6: np.dtype("S16")}
WIDTHS: dict[Family, int] = {Family.IPV4: 32, Family.IPV6: 128}
FAMILIES = (Family.IPV4, Family.IPV6)


_NONE: dict[Family, Addresses] = {family: np.empty(0, dtype=dtype) for family, dtype in DTYPES.items()}


def no_addresses(family: Family) -> Addresses:
    """Another object each time: columns that are the same object are those of single addresses (`MapEntries`)."""
    return _NONE[family].view()


def to_number(address: Any) -> int:
    """One element of an `Addresses` array as an integer."""
    if isinstance(address, bytes):
        return int.from_bytes(address.ljust(16, b"\0"), "big")
    return int(address)


def from_numbers(family: Family, numbers: Sequence[int]) -> Addresses:
    if family is Family.IPV4:
        return np.array(numbers, dtype=np.uint32)
    return np.array([n.to_bytes(16, "big") for n in numbers], dtype="S16")


def to_text(family: Family, address: Any) -> str:
    if family is Family.IPV4:
        return socket.inet_ntop(socket.AF_INET, struct.pack("!I", int(address)))
    return socket.inet_ntop(socket.AF_INET6, bytes(address).ljust(16, b"\0"))


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Ranges of one family, `first[i]` to `last[i]` inclusive; sorted, disjoint, and no two of them touching.

    Only `union_of` makes this true of arbitrary ranges; the constructor believes its caller.
    """

    family: Family
    first: Addresses
    last: Addresses

    @classmethod
    def none(cls, family: Family) -> Self:
        return cls(family, no_addresses(family), no_addresses(family))

    def __len__(self) -> int:
        return len(self.first)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ranges):
            return NotImplemented
        return self.family is other.family and np.array_equal(self.first, other.first) and np.array_equal(self.last, other.last)

    __hash__ = None  # type: ignore[assignment]

    def count(self) -> int:
        """How many addresses are in the ranges."""
        return _total(self.last) - _total(self.first) + len(self)

    def widest(self) -> int:
        """The place of the widest range, the first of several; there is one at least."""
        if self.family is Family.IPV4:
            return int(np.argmax(self.last - self.first))
        (first_high, first_low), (last_high, last_low) = (as_words(ends).T for ends in (self.first, self.last))
        high, low = last_high - first_high - (last_low < first_low), last_low - first_low
        widest = np.flatnonzero(high == high.max())
        return int(widest[np.argmax(low[widest])])

    def contains(self, addresses: Addresses) -> NDArray[np.bool_]:
        """For each address whether it is in one of the ranges."""
        return are_in(addresses, self.first, self.last)


def _total(addresses: Addresses) -> int:
    """The sum of all, word by word: of four billion addresses the sum of 32-bit words fits into 64 bits."""
    if addresses.dtype == np.uint32:
        return int(addresses.sum(dtype=np.uint64))
    sums = np.ascontiguousarray(addresses).view(">u4").reshape(-1, 4).sum(axis=0, dtype=np.uint64).tolist()
    return sum(total << 32 * (3 - place) for place, total in enumerate(sums))


def union_of(family: Family, first: Addresses, last: Addresses) -> Ranges:
    """The union of any ranges, in any order, overlapping or not. Ranges that touch become one.

    Starts and ends are sorted apart: a new range begins where as many ranges have ended, with a gap, as have begun before.
    """
    if not len(first):
        return Ranges.none(family)
    starts = in_order(first)
    ends = starts if last is first else in_order(last)
    # No more can have ended before a start than have begun before it, so the last of that many tells of all.
    merged, count = np.empty((2, len(starts)), dtype=starts.dtype), 0
    for at in range(0, len(starts), _MERGED_AT_ONCE):
        later = slice(at + 1, at + 1 + _MERGED_AT_ONCE)
        begun, ended = starts[later], ends[at : at + len(starts[later])]
        begins = (begun > ended) & (before(begun) != ended)
        found = int(np.count_nonzero(begins))
        merged[0, count + 1 : count + 1 + found] = begun[begins]
        merged[1, count : count + found] = ended[begins]
        count += found
    merged[0, 0], merged[1, count] = starts[0], ends[-1]
    merged = merged[:, : count + 1]
    if len(starts) > 2 * count:
        merged = merged.copy()  # so that what is kept of it does not keep the rest
    return Ranges(family, merged[0], merged[1])


def intersection(left: Ranges, right: Ranges) -> Ranges:
    if not len(left) or not len(right):
        return Ranges.none(left.family)
    many, few = (left, right) if len(left) >= len(right) else (right, left)
    # Piece by piece: the indices of millions of ranges take ten times the memory of the ranges.
    parts = [_intersection(piece, few) for piece in pieces_of(many)]
    if len(parts) == 1:
        return parts[0]
    return Ranges(left.family, np.concatenate([part.first for part in parts]), np.concatenate([part.last for part in parts]))


def pieces_of(ranges: Ranges) -> Iterator[Ranges]:
    """The same ranges in pieces, whose temporaries stay small; one piece at least."""
    for at in range(0, max(len(ranges), 1), _PIECE):
        yield Ranges(ranges.family, ranges.first[at : at + _PIECE], ranges.last[at : at + _PIECE])


def _intersection(left: Ranges, right: Ranges) -> Ranges:
    lo = np.searchsorted(right.last, left.first, side="left")
    hi = np.searchsorted(right.first, left.last, side="right")
    counts = hi - lo
    mine = np.repeat(np.arange(len(left)), counts)
    offsets = np.arange(len(mine)) - np.repeat(np.cumsum(counts) - counts, counts)
    theirs = np.repeat(lo, counts) + offsets
    first_a, first_b = left.first[mine], right.first[theirs]
    last_a, last_b = left.last[mine], right.last[theirs]
    return Ranges(left.family, np.where(first_a >= first_b, first_a, first_b), np.where(last_a <= last_b, last_a, last_b))


def complement(ranges: Ranges) -> Ranges:
    """Every address of the family that is in none of the ranges."""
    family = ranges.family
    lowest = from_numbers(family, [0])
    highest = from_numbers(family, [2 ** WIDTHS[family] - 1])
    if not len(ranges):
        return Ranges(family, lowest, highest)
    first = np.concatenate([lowest, after(ranges.last)])
    last = np.concatenate([before(ranges.first), highest])
    keep = np.ones(len(first), dtype=np.bool_)
    keep[0] = bool(ranges.first[0] != lowest[0])
    keep[-1] = bool(ranges.last[-1] != highest[0])
    return Ranges(family, first[keep], last[keep])


def subtract(left: Ranges, right: Ranges) -> Ranges:
    return left if not len(left) or not len(right) else intersection(left, complement(right))


@dataclass(frozen=True, slots=True, eq=False)
class AddressSet:
    """The addresses of one list, in normal form.

    Per family, single addresses (`hosts`: sorted, distinct, none inside a network) and everything wider (`nets`).
    Singles that touch stay singles, so that one changed line of a list is one changed element of the firewall. A range of two
    addresses is two singles: an interval map takes two elements for it too, and more time for each.
    """

    hosts4: Addresses
    nets4: Ranges
    hosts6: Addresses
    nets6: Ranges

    @classmethod
    def none(cls) -> Self:
        v4, v6 = Family.IPV4, Family.IPV6
        return cls(no_addresses(v4), Ranges.none(v4), no_addresses(v6), Ranges.none(v6))

    @classmethod
    def of_ranges(cls, ranges: Mapping[Family, Ranges]) -> Self:
        """Ranges of both families as one set, as they are: a single address among them stays a range of one."""
        v4, v6 = Family.IPV4, Family.IPV6
        return cls(no_addresses(v4), ranges[v4], no_addresses(v6), ranges[v6])

    @classmethod
    def of_parts(cls, hosts4: Addresses, nets4: Ranges, hosts6: Addresses, nets6: Ranges) -> Self:
        """Arrays in normal form but for networks of two addresses."""
        return cls(*_pairs_as_hosts(hosts4, nets4), *_pairs_as_hosts(hosts6, nets6))

    @classmethod
    def of(
        cls,
        first4: Addresses | None = None,
        last4: Addresses | None = None,
        first6: Addresses | None = None,
        last6: Addresses | None = None,
    ) -> Self:
        """The normal form of any ranges, inclusive, in any order; no `last` means single addresses."""
        hosts4, nets4 = _normal_form(Family.IPV4, first4, last4)
        hosts6, nets6 = _normal_form(Family.IPV6, first6, last6)
        return cls(hosts4, nets4, hosts6, nets6)

    def hosts(self, family: Family) -> Addresses:
        return self.hosts4 if family is Family.IPV4 else self.hosts6

    def nets(self, family: Family) -> Ranges:
        return self.nets4 if family is Family.IPV4 else self.nets6

    def ranges(self, family: Family) -> Ranges:
        """Hosts and networks together, as merged ranges."""
        hosts, nets = self.hosts(family), self.nets(family)
        if not len(nets):
            return union_of(family, hosts, hosts)
        return union_of(family, np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last]))

    def __len__(self) -> int:
        """How many entries: single addresses plus ranges."""
        return len(self.hosts4) + len(self.nets4) + len(self.hosts6) + len(self.nets6)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AddressSet):
            return NotImplemented
        return self.encode() == other.encode()

    __hash__ = None  # type: ignore[assignment]

    def holds(self, family: Family, addresses: Addresses) -> NDArray[np.bool_]:
        """For each address whether it is in the set, alone or in a network."""
        return np.asarray(self.nets(family).contains(addresses) | are_among(self.hosts(family), addresses))

    def contains(self, family: Family, address: int) -> bool:
        return bool(self.holds(family, from_numbers(family, [address]))[0])

    def encode(self) -> bytes:
        """The canonical bytes (`canonical`), which are stored as the snapshot and whose SHA-256 is the content hash."""
        return canonical.encoded(self._columns())

    def content_hash(self) -> ContentHash:
        """The hash of the canonical bytes, which never exist all at once."""
        return canonical.hash_of_columns(self._columns())

    def _columns(self) -> canonical.Columns:
        return self.hosts4, self.nets4.first, self.nets4.last, self.hosts6, self.nets6.first, self.nets6.last

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """The inverse of `encode`; older versions had ranges of two addresses among the networks.

        Raises ValueError for bytes that `encode` did not make.
        """
        hosts4, first4, last4, hosts6, first6, last6 = canonical.columns_of(encoded)
        return cls.of_parts(hosts4, Ranges(Family.IPV4, first4, last4), hosts6, Ranges(Family.IPV6, first6, last6))


_PIECE = 1 << 16
"""Ranges that an intersection looks at together."""

_MERGED_AT_ONCE = 1 << 14
"""Addresses whose temporaries stay in the cache, and in memory that is there already (measured: a million in 3 ms, not 9)."""


def _normal_form(family: Family, first: Addresses | None, last: Addresses | None) -> tuple[Addresses, Ranges]:
    if first is None or not len(first):
        return no_addresses(family), Ranges.none(family)
    if last is None or last is first:
        return distinct(first), Ranges.none(family)
    single = np.asarray(first == last)
    wide = ~single
    nets = union_of(family, first[wide], last[wide])
    return _pairs_as_hosts(without(distinct(first[single]), nets.first, nets.last), nets)


def _pairs_as_hosts(hosts: Addresses, nets: Ranges) -> tuple[Addresses, Ranges]:
    """`hosts` has none that is inside a network, so that what comes to it is only put where it belongs."""
    pair = after(nets.first) == nets.last
    if not pair.any():
        return hosts, nets
    ends = np.column_stack([nets.first[pair], nets.last[pair]]).reshape(-1)
    hosts = in_order(np.concatenate([hosts, ends])) if len(hosts) else ends
    wide = ~pair
    return hosts, Ranges(nets.family, nets.first[wide], nets.last[wide])
