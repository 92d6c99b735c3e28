"""Entries of lists that end at times of their own, one row each, as they were written. Pure values.

Its bytes: `BLE1`, two big-endian uint32 counts (IPv4, IPv6), then first, last and end of the first, and of the second, each
address in network order and each end as a big-endian uint32.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet

NEVER = 2**32 - 1
"""An end that does not come: the last second that 32 bits have, in 2106."""

EndTimes = NDArray[np.uint32]
"""Seconds since the epoch, shape (n,)."""

_MAGIC = b"BLE1"
_HEADER = 12


@dataclass(frozen=True, slots=True, eq=False)
class TimedEntries:
    """`first4`, `last4`, `first6`, `last6`: inclusive, in any order. `until4`, `until6`: when each entry ends."""

    first4: Addresses
    last4: Addresses
    until4: EndTimes
    first6: Addresses
    last6: Addresses
    until6: EndTimes

    @classmethod
    def none(cls) -> Self:
        return cls.of(AddressSet.none(), NEVER)

    @classmethod
    def of(cls, addresses: AddressSet, until: int) -> Self:
        """The entries of a set, which all end together."""
        columns: list[Any] = []
        for family in FAMILIES:
            hosts, nets = addresses.hosts(family), addresses.nets(family)
            first, last = np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last])
            columns += [first, last, np.full(len(first), until, dtype=np.uint32)]
        return cls(*columns)

    @classmethod
    def joined(cls, parts: "Sequence[TimedEntries]") -> Self:
        columns = [[part.first4 for part in parts], [part.last4 for part in parts], [part.until4 for part in parts]]
        columns += [[part.first6 for part in parts], [part.last6 for part in parts], [part.until6 for part in parts]]
        empty = cls.none()
        return cls(*(np.concatenate([*column, none]) for column, none in zip(columns, empty.columns, strict=True)))

    @property
    def columns(self) -> tuple[Any, Any, Any, Any, Any, Any]:
        return self.first4, self.last4, self.until4, self.first6, self.last6, self.until6

    def __len__(self) -> int:
        return len(self.first4) + len(self.first6)

    def after(self, now: float) -> Self:
        """Those that have not ended."""
        four, six = self.until4 > now, self.until6 > now
        keep = (four, four, four, six, six, six)
        return type(self)(*(column[mask] for column, mask in zip(self.columns, keep, strict=True)))

    def until(self, latest: int) -> Self:
        """The same, none of them longer than that."""
        ends4, ends6 = np.minimum(self.until4, np.uint32(latest)), np.minimum(self.until6, np.uint32(latest))
        return type(self)(self.first4, self.last4, ends4, self.first6, self.last6, ends6)

    def addresses(self) -> AddressSet:
        """All of them, whatever their ends."""
        return AddressSet.of(self.first4, self.last4, self.first6, self.last6)

    def next_end(self) -> int:
        """When the first of them ends; `NEVER` where none does."""
        return min(int(ends.min(initial=NEVER)) for ends in (self.until4, self.until6))

    def fault(self) -> str:
        """What is wrong with entries that others have written; empty: nothing."""
        sizes = {len(self.first4), len(self.last4), len(self.until4)}, {len(self.first6), len(self.last6), len(self.until6)}
        if any(len(size) > 1 for size in sizes):
            return "columns of different lengths"
        ordered = (self.first4 <= self.last4).all() and (self.first6 <= self.last6).all()
        return "" if ordered else "an entry that ends before it begins"

    def encode(self) -> bytes:
        parts = [_MAGIC, struct.pack("!2I", len(self.first4), len(self.first6))]
        parts += [column.astype(">u4").tobytes() for column in (self.first4, self.last4, self.until4)]
        parts += [np.ascontiguousarray(column).tobytes() for column in (self.first6, self.last6)]
        return b"".join([*parts, self.until6.astype(">u4").tobytes()])

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The inverse of `encode`. Raises ValueError for bytes that it did not make."""
        if octets[:4] != _MAGIC or len(octets) < _HEADER:
            raise ValueError("no encoded entries")
        four, six = struct.unpack_from("!2I", octets, 4)
        if len(octets) != _HEADER + 12 * four + 36 * six:
            raise ValueError("encoded entries of the wrong length")
        columns, at = [], _HEADER
        for count, dtype, width in ((four, ">u4", 4),) * 3 + ((six, "S16", 16),) * 2 + ((six, ">u4", 4),):
            column = np.frombuffer(octets, dtype=dtype, count=count, offset=at)
            columns.append(column if dtype == "S16" else column.astype(np.uint32))
            at += count * width
        return cls(*columns)


def whole_second(moment: float) -> int:
    """A moment (seconds since the epoch) as an end: not earlier."""
    return min(max(math.ceil(moment), 0), NEVER)


def spread(points: Sequence[int], untils: Sequence[int], count: int) -> EndTimes:
    """The end of each of `count` entries, where from the entry `points[i]` on each ends at `untils[i]`, and before `NEVER`."""
    bounds = np.array([0, *points, count], dtype=np.int64)
    return np.repeat(np.array([NEVER, *untils], dtype=np.uint32), np.diff(bounds))
