"""How much lists have in common: entries that no other list has any address of, and entries that touch another list. Pure.

Each list is a bit of a 64-bit number. For networks, the ends of all lists in order cut the addresses into stretches, and each
stretch has the bits of the lists whose networks contain it. Single addresses are counted in pieces, each address once with
the bits of its lists. So the cost grows with the number of entries, not with the number of pairs of lists.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.neighbours import after
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, no_addresses
from banlistd.model import Family

Masks = NDArray[np.uint64]
"""Shape (n,): the lists that have something, a bit each; bit `OTHERS` for all that are not compared one by one."""

MOST = 63
"""Lists that are compared with each other: as many as a number of 64 bits has room for beside `OTHERS`."""

OTHERS = 63

_BITS = 64
_PIECE = 1 << 17
"""Single addresses that are counted together: their temporaries take some 10 MB, and no step takes long."""

_ROWS = 1 << 13
"""Masks that are multiplied together: sums of so many ones are exact in `float32`."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """Of n lists. `entries`, `unique`: shape (n,), `int64`. `shared`: shape (n, n), `int64`: of the entries of the list of the
    row, how many have an address that the list of the column has too; the diagonal has all entries.

    An entry is unique if no other list has any of its addresses. `addresses`, `unique_addresses`: the same of single IPv4
    addresses, shape (n,), `int64`.
    """

    entries: NDArray[np.int64]
    unique: NDArray[np.int64]
    shared: NDArray[np.int64]
    addresses: NDArray[np.int64]
    unique_addresses: NDArray[np.int64]


def overlap_of(lists: Sequence[AddressSet], others: AddressSet) -> Overlap:
    """Compare at most `MOST` lists with each other; `others` has what further lists have, all together."""
    if len(lists) > MOST:
        raise ValueError(f"too many lists: at most {MOST} can be compared")
    tally = _Tally()
    for family in FAMILIES:
        _count(family, lists, others, tally)
    n = len(lists)
    v4 = [content.nets4.count() + len(content.hosts4) for content in lists]
    return Overlap(
        np.array([len(content) for content in lists], dtype=np.int64),
        tally.unique[:n],
        tally.shared[:n, :n],
        np.array(v4, dtype=np.int64),
        tally.unique_addresses[:n],
    )


class _Tally:
    def __init__(self) -> None:
        self.unique = np.zeros(_BITS, dtype=np.int64)
        self.shared = np.zeros((_BITS, _BITS), dtype=np.int64)
        self.unique_addresses = np.zeros(_BITS, dtype=np.int64)

    def add(self, mine: Masks, found: Masks) -> None:
        """Entries: the lists that have each as an entry, and all lists that have any of its addresses."""
        alone = _is_one(found)
        self.unique += _of_each_bit(found[alone])
        np.fill_diagonal(self.shared, self.shared.diagonal() + _of_each_bit(found[alone]))
        mine, found = mine[~alone], found[~alone]
        for at in range(0, len(mine), _ROWS):
            left, right = (_bits_of(masks[at : at + _ROWS]).astype(np.float32) for masks in (mine, found))
            self.shared += (left.T @ right).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """Where the lists whose networks contain an address change: from `first[i]` on they are `masks[i]`; before, none."""

    first: Addresses
    masks: Masks

    def at(self, addresses: Addresses) -> Masks:
        if not len(self.first):
            return np.zeros(len(addresses), dtype=np.uint64)
        places = self.first.searchsorted(addresses, side="right")
        return np.where(places > 0, self.masks[np.maximum(places - 1, 0)], np.uint64(0))

    def within(self, nets: Ranges) -> Masks:
        """All lists that have a part of each range, of which there is a stretch at least."""
        begin = self.first.searchsorted(nets.first, side="right") - 1
        return _any_of(self.masks, begin, self.first.searchsorted(nets.last, side="right"))


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Single addresses of all lists, each once and in order, with the lists that have it as one."""

    hosts: Addresses
    masks: Masks


def _count(family: Family, lists: Sequence[AddressSet], others: AddressSet, tally: _Tally) -> None:
    every = [*enumerate(lists), (OTHERS, others)]
    nets = [(bit, content.nets(family)) for bit, content in every if len(content.nets(family))]
    stretches = _stretches(family, nets)
    found = [stretches.within(ranges) for _, ranges in nets]
    if family is Family.IPV4:
        tally.unique_addresses += _widths_of_one(stretches)
    for piece in _pieces(family, [(bit, content.hosts(family)) for bit, content in every]):
        around = stretches.at(piece.hosts)
        tally.add(piece.masks, piece.masks | around)
        for place, (_, ranges) in enumerate(nets):
            found[place] |= _hosts_within(piece, ranges)
        if family is Family.IPV4:
            # A network's own single address is none: the normal form has no host inside a network.
            taken = (around != 0) & _is_one(around)
            tally.unique_addresses -= _of_each_bit(around[taken])
            tally.unique_addresses += _of_each_bit(piece.masks[(around == 0) & _is_one(piece.masks)])
    for (bit, _), masks in zip(nets, found, strict=True):
        tally.add(np.full(len(masks), 1 << bit, dtype=np.uint64), masks)


def _stretches(family: Family, nets: Sequence[tuple[int, Ranges]]) -> _Stretches:
    """A list has a network where an odd number of its ends lie before: its networks are disjoint."""
    none = no_addresses(family)
    points, bits = [none], [np.empty(0, dtype=np.uint64)]
    for bit, ranges in nets:
        ends = after(ranges.last)
        ends = ends[ends > ranges.last]  # behind the last address of all is nothing
        points += [ranges.first, ends]
        bits.append(np.full(len(ranges) + len(ends), 1 << bit, dtype=np.uint64))
    every = np.concatenate(points)
    order = np.argsort(every, kind="stable")
    every = every[order]
    masks = np.bitwise_xor.accumulate(np.concatenate(bits)[order]) if len(every) else np.empty(0, dtype=np.uint64)
    last = np.ones(len(every), dtype=np.bool_)
    last[:-1] = every[1:] != every[:-1]
    return _Stretches(every[last], masks[last])


def _widths_of_one(stretches: _Stretches) -> NDArray[np.int64]:
    """How many IPv4 addresses are in networks of one list only, by list."""
    ends = np.append(stretches.first[1:].astype(np.int64), 1 << 32)
    widths = ends - stretches.first.astype(np.int64)
    sums = np.zeros(_BITS, dtype=np.int64)
    alone = _is_one(stretches.masks)
    np.add.at(sums, _place_of(stretches.masks[alone]), widths[alone])
    return sums


def _pieces(family: Family, hosts: Sequence[tuple[int, Addresses]]) -> Iterator[_Piece]:
    """The single addresses of lists, cut at the same addresses in all lists."""
    hosts = [(bit, addresses) for bit, addresses in hosts if len(addresses)]
    cuts = _cuts(family, [addresses for _, addresses in hosts])
    places = [(bit, addresses, [0, *addresses.searchsorted(cuts), len(addresses)]) for bit, addresses in hosts]
    for number in range(len(cuts) + 1):
        parts = [(bit, addresses[at[number] : at[number + 1]]) for bit, addresses, at in places]
        every = np.concatenate([no_addresses(family), *(part for _, part in parts)])
        if not len(every):
            continue
        bits = np.repeat(np.array([1 << bit for bit, _ in parts], dtype=np.uint64), [len(part) for _, part in parts])
        order = np.argsort(every, kind="stable")
        every = every[order]
        begins = np.ones(len(every), dtype=np.bool_)
        begins[1:] = every[1:] != every[:-1]
        yield _Piece(every[begins], np.bitwise_or.reduceat(bits[order], np.flatnonzero(begins)))


def _cuts(family: Family, hosts: Sequence[Addresses]) -> Addresses:
    """Addresses at which to cut, so that a piece has some `_PIECE` addresses: from every 256th of each list."""
    step = 256
    samples = np.sort(np.concatenate([no_addresses(family), *(addresses[step - 1 :: step] for addresses in hosts)]))
    return samples[_PIECE // step - 1 :: _PIECE // step]


def _hosts_within(piece: _Piece, nets: Ranges) -> Masks:
    """The lists that have a single address of the piece in each range."""
    begin = piece.hosts.searchsorted(nets.first, side="left")
    end = piece.hosts.searchsorted(nets.last, side="right")
    masks = np.zeros(len(nets), dtype=np.uint64)
    some = begin < end
    if some.any():
        masks[some] = _any_of(piece.masks, begin[some], end[some])
    return masks


def _any_of(masks: Masks, begin: NDArray[np.int64], end: NDArray[np.int64]) -> Masks:
    """All bits of `masks[begin[i]:end[i]]`, for spans of one mask at least, in order."""
    if not len(begin):
        return np.empty(0, dtype=np.uint64)
    ends = np.column_stack([begin, end]).reshape(-1)
    # One more, because the end of a span may be the end of all.
    return np.bitwise_or.reduceat(np.append(masks, np.uint64(0)), ends)[::2]


def _is_one(masks: Masks) -> NDArray[np.bool_]:
    """Whether one bit is set, and no other."""
    return np.asarray((masks != 0) & (masks & (masks - np.uint64(1)) == 0))


def _place_of(masks: Masks) -> NDArray[np.int64]:
    """The number of the one bit that is set. A power of two is exact in `float64`."""
    return np.log2(masks.astype(np.float64)).astype(np.int64)


def _of_each_bit(masks: Masks) -> NDArray[np.int64]:
    """How many masks are each bit, of masks of one bit."""
    return np.bincount(_place_of(masks), minlength=_BITS)


def _bits_of(masks: Masks) -> NDArray[np.uint8]:
    """Shape (n, 64): the bits, from the lowest."""
    return np.unpackbits(masks.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
