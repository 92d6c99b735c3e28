"""IPv4 addresses at the end of IPv6 ones, below bits that may have any value: Teredo and ISATAP. Arrays in, arrays out.

An IPv4 network fixes the last bits alone, so it is no range there: a wide network contains one piece of it for each of up to
2**64 servers, flags and ports (Teredo), or subnets (ISATAP). So the pieces are looked for in what is listed, entry by entry, as
far as an entry is a /92 or longer. A wider one stays whole.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import within
from banlistd.core.addresses.comparison import overlapping
from banlistd.core.addresses.sets import Addresses, AddressSet, Ranges, from_numbers, intersection, no_addresses, union_of
from banlistd.model import Family

TEREDO = 0x2001_0000
"""2001::/32 (RFC 4380 4): server, flags and port follow, then the address of the client with every bit inverted."""

ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""The first half of an interface identifier (RFC 5214 6.1); the second is the address of the host."""

_MAX_WIDTH = 16
"""Networks of /96 in one entry: a /92."""

_MAX_PIECES = 1 << 16
"""Pieces in the networks of one list. Of a list with more, the networks in question are taken out whole."""

_V4_LAST = 2**32 - 1

_TEREDO = Ranges(Family.IPV6, from_numbers(Family.IPV6, [TEREDO << 96]), from_numbers(Family.IPV6, [(TEREDO + 1 << 96) - 1]))

_Words = NDArray[np.uint32]


def teredo_of(listed: AddressSet, clients: Ranges) -> Ranges:
    """The Teredo addresses in `listed` whose clients are in `clients` (IPv4). Only entries in 2001::/32 cost anything."""
    if not len(clients) or not has_teredo(listed):
        return Ranges.none(Family.IPV6)
    single = within(listed.hosts6, _TEREDO.first, _TEREDO.last)
    nets = intersection(_TEREDO, listed.nets6)
    inverted = Ranges(Family.IPV4, ~clients.last[::-1], ~clients.first[::-1])
    return _together([_within_hosts(_words_of(single), inverted), _within_nets(nets.first, nets.last, inverted)])


def has_teredo(listed: AddressSet) -> bool:
    """Whether any entry is in 2001::/32, wholly or in part. Takes microseconds."""
    return bool(overlapping(listed, Family.IPV6, _TEREDO.first, _TEREDO.last)[0])


def isatap_of(listed: AddressSet, hosts: Ranges) -> Ranges:
    """The ISATAP addresses in `listed`, in any subnet, whose hosts are in `hosts` (IPv4). Reads every IPv6 entry once."""
    if not len(hosts):
        return Ranges.none(Family.IPV6)
    single = _words_of(listed.hosts6)
    found = [_within_hosts(single[(single[:, 2] & 0xFDFF_FFFF) == ISATAP[0]], hosts)]
    first, last = _words_of(listed.nets6.first)[:, 2], _words_of(listed.nets6.last)[:, 2]
    for identifier in ISATAP if len(listed.nets6) else ():
        among = (first <= identifier) & (identifier <= last)
        found.append(_within_nets(listed.nets6.first[among], listed.nets6.last[among], hosts, identifier))
    return _together(found)


def _within_hosts(single: _Words, wanted: Ranges) -> tuple[Addresses, Addresses]:
    addresses = _addresses_of(single[wanted.contains(single[:, 3].astype(np.uint32))])
    return addresses, addresses


def _within_nets(
    first: Addresses, last: Addresses, wanted: Ranges, identifier: int | None = None
) -> tuple[Addresses, Addresses]:
    """`identifier`: the only value of the third word that counts."""
    low, high = _words_of(first), _words_of(last)
    begin, end = _middle(low), _middle(high)
    narrow = (low[:, 0] == high[:, 0]) & (begin <= end) & (end - begin < _MAX_WIDTH)
    first, last, low, high, begin = (column[narrow] for column in (first, last, low, high, begin))
    counts = (end[narrow] - begin + 1).astype(np.int64)
    if counts.sum() > _MAX_PIECES:
        return first, last
    row, step = _counted(counts)
    pieces = low[row]
    middle = begin[row] + step.astype(np.uint64)
    pieces[:, 1], pieces[:, 2] = middle >> np.uint64(32), middle & np.uint64(_V4_LAST)
    lowest = np.where(step == 0, low[row, 3], 0).astype(np.uint32)
    highest = np.where(step == counts[row] - 1, high[row, 3], _V4_LAST).astype(np.uint32)
    if identifier is not None:
        chosen = pieces[:, 2] == identifier
        pieces, lowest, highest = pieces[chosen], lowest[chosen], highest[chosen]
    starts = wanted.last.searchsorted(lowest, side="left")
    counts = wanted.first.searchsorted(highest, side="right") - starts
    if counts.sum() > _MAX_PIECES:
        return first, last
    row, step = _counted(counts)
    theirs = starts[row] + step
    return (
        _addresses_of(pieces[row], np.maximum(lowest[row], wanted.first[theirs])),
        _addresses_of(pieces[row], np.minimum(highest[row], wanted.last[theirs])),
    )


def _counted(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each index as often as its count says, and beside it 0, 1, 2 and so on."""
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)


def _middle(words: _Words) -> NDArray[np.uint64]:
    return (words[:, 1].astype(np.uint64) << np.uint64(32)) | words[:, 2]


def _words_of(addresses: Addresses) -> _Words:
    """Shape (n, 4), big-endian; no copy."""
    return np.ascontiguousarray(addresses).view(">u4").reshape(-1, 4)


def _addresses_of(words: _Words, low: NDArray[np.uint32] | None = None) -> Addresses:
    """The inverse; `low` replaces the last word."""
    made = np.array(words, dtype=">u4").reshape(-1, 4)
    if low is not None:
        made[:, 3] = low
    return made.view("S16").reshape(-1)


def _together(parts: Sequence[tuple[Addresses, Addresses]]) -> Ranges:
    first, last = (np.concatenate([no_addresses(Family.IPV6), *(part[end] for part in parts)]) for end in (0, 1))
    return union_of(Family.IPV6, first, last)
