"""EntryColumns of entries as byte planes: the first octets of all entries, then the second ones: alike octets are side by side.

IPv4 addresses are gaps to the one before (modulo 2^32); of a network the last address is its distance to the first one, of IPv6
the octets in which the two differ. Nothing here is checked: `normal_form_fault` is for the caller.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.versions.deltas import EntryColumn, ends_of_networks
from banlistd.model import Family

EntryColumns = tuple[EntryColumn, EntryColumn, EntryColumn, EntryColumn]
"""Addresses and networks of IPv4, then of IPv6 (`versions.deltas.EntryColumn`)."""

Ascending = NDArray[np.uint32]

_OCTETS = (4, 8, 16, 32)
"""Of an entry of each column."""


def size_of(counts: Sequence[int]) -> int:
    """Octets of the planes of four columns with so many entries."""
    return sum(count * octets for count, octets in zip(counts, _OCTETS, strict=True))


def planes_of(columns: EntryColumns) -> Iterator[bytes]:
    """The planes of four columns, in pieces."""
    hosts4, nets4, hosts6, nets6 = columns
    yield number_planes(hosts4)
    first, last = ends_of_networks(Family.IPV4, nets4)
    yield number_planes(first)
    yield _planes((last - first).astype(">u4"), 4)
    yield _planes(hosts6, 16)
    first, last = ends_of_networks(Family.IPV6, nets6)
    yield _planes(first, 16)
    yield _planes(_octets(first, 16) ^ _octets(last, 16), 16)


def columns_in(octets: bytes, at: int, counts: Sequence[int]) -> EntryColumns:
    """The inverse of `planes_of`: columns from `at` on, of any octets."""
    hosts4, nets4, hosts6, nets6 = counts
    addresses = numbers_in(octets, at, hosts4)
    at += 4 * hosts4
    first4, length4 = numbers_in(octets, at, nets4), _turned(octets, at + 4 * nets4, nets4, 4).view(">u4").astype(np.uint32)
    ranges = first4.astype(np.uint64) << np.uint64(32) | (first4 + length4.reshape(-1))
    at += 8 * nets4
    wide = np.ascontiguousarray(_turned(octets, at, hosts6, 16)).reshape(-1).view("S16")
    at += 16 * hosts6
    ends = np.empty((nets6, 2, 16), dtype=np.uint8)
    ends[:, 0] = _turned(octets, at, nets6, 16)
    ends[:, 1] = _turned(octets, at + 16 * nets6, nets6, 16) ^ ends[:, 0]
    return addresses, ranges, wide, ends.reshape(-1).view("S32")


def number_planes(ascending: Ascending) -> bytes:
    """The planes of the gaps of numbers, shape (n,), dtype `uint32`."""
    return _planes(np.diff(ascending, prepend=np.uint32(0)).astype(">u4"), 4)


def numbers_in(octets: bytes, at: int, count: int) -> Ascending:
    """The inverse of `number_planes`: `count` numbers, from `at` on."""
    gaps = _turned(octets, at, count, 4).view(">u4").reshape(-1)
    return np.cumsum(gaps, dtype=np.uint32)


def _octets(column: NDArray[Any], width: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(column).view(np.uint8).reshape(len(column), width)


def _planes(column: NDArray[Any], width: int) -> bytes:
    return _octets(column, width).T.tobytes()


def _turned(octets: bytes, at: int, count: int, width: int) -> NDArray[np.uint8]:
    planes = np.frombuffer(octets, dtype=np.uint8, count=count * width, offset=at)
    return np.ascontiguousarray(planes.reshape(width, count).T)
