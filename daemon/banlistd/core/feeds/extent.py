"""How much a list would ban: its entries and its share of the address space, without what is never banned anyway."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Self

from banlistd.core.addresses.arrays import count_in
from banlistd.core.addresses.everything_else import everything_else
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import (
    FAMILIES,
    AddressSet,
    Ranges,
    from_numbers,
    intersection,
    pieces_of,
    subtract,
    to_number,
    union_of,
)
from banlistd.model import Family

NeverBanned = Mapping[Family, Ranges]
"""What no list can ban: reserved and allowed addresses."""

FEW = 20
"""Entries; a list that had fewer may become what it likes: two of three lines gone are a normal day."""

ALLOCATED6 = (
    *("2001::/16", "2002::/16", "2003::/18", "2400::/12", "2410::/12", "2600::/12", "2610::/23", "2620::/23", "2630::/12"),
    *("2800::/12", "2a00::/12", "2a10::/12", "2c00::/12"),
)
"""The blocks of 2000::/3 that IANA has given to the regional registries, and those for tunnels (IANA's registry "IPv6 Global
Unicast Address Assignments"; the /23s of 2001::/16 as one). Most of 2000::/3 is not allocated, so a share of it says little."""


@dataclass(frozen=True, slots=True)
class Size:
    """`entries`: ranges. `addresses4`: IPv4 addresses. `networks6`: /48s of allocated IPv6 space, the usual size of a site."""

    entries: int
    addresses4: int
    networks6: int


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """`shares`: of all IPv4, and of allocated IPv6 space. `widest`: first and last address of the widest stretch, merged, so
    that two halves are as wide as the whole.
    """

    size: Size
    shares: Mapping[Family, float]
    widest: Mapping[Family, tuple[int, int]]

    @classmethod
    def of(cls, addresses: AddressSet, never_banned: NeverBanned) -> Self:
        entries, counts, widest = 0, {}, {}
        for family in FAMILIES:
            never, hosts, nets = never_banned[family], addresses.hosts(family), addresses.nets(family)
            counts[family], widest[family] = 0, (0, 0)
            if len(hosts):
                counted = len(hosts) - count_in(hosts, never.first, never.last)
                entries += counted
                # All of IPv4 counts, of IPv6 what is allocated.
                free = _free(never)
                counts[family] = counted if family is Family.IPV4 else count_in(hosts, free.first, free.last)
            for piece in pieces_of(nets) if len(nets) else ():
                left = subtract(piece, never)
                entries += len(left)
                counts[family] += intersection(left, _free(never)).count()
                widest[family] = max(widest[family], _widest(left), key=lambda ends: ends[1] - ends[0])
        shares = {family: counts[family] / _space_counts()[family] for family in FAMILIES}
        return cls(Size(entries, counts[Family.IPV4], counts[Family.IPV6] >> 80), shares, widest)


@dataclass(frozen=True, slots=True)
class AcceptedSizes:
    """The smallest and the largest of some accepted contents of a source.

    `fewest`: entries, without contents of a handful of them; None if there were no others. `replaced`: the sum of the shares of
    the list that were replaced at once.
    """

    fewest: int | None
    most: int
    least4: int
    most4: int
    least6: int
    most6: int
    replaced: float = 0.0

    @classmethod
    def of(cls, size: Size, replaced: float = 0.0) -> Self:
        fewest = size.entries if size.entries >= FEW else None
        four, six = size.addresses4, size.networks6
        return cls(fewest, size.entries, four, four, six, six, replaced)

    def joined(self, other: "AcceptedSizes | None") -> "AcceptedSizes":
        """Both together."""
        if other is None:
            return self
        return AcceptedSizes(
            min((fewest for fewest in (self.fewest, other.fewest) if fewest is not None), default=None),
            max(self.most, other.most),
            min(self.least4, other.least4),
            max(self.most4, other.most4),
            min(self.least6, other.least6),
            max(self.most6, other.most6),
            self.replaced + other.replaced,
        )


def let_through(banned: Extent, never_banned: NeverBanned) -> Size:
    """What a source that bans all but some leaves, without what is never banned. `entries` says nothing."""
    whole = Extent.of(everything_else(AddressSet.none()), never_banned).size
    return Size(0, whole.addresses4 - banned.size.addresses4, whole.networks6 - banned.size.networks6)


def share_in_words(addresses: AddressSet) -> str:
    """How much of the address space a content covers, without reserved addresses."""
    shares = Extent.of(addresses, reserved_ranges()).shares
    return f"{percent(shares[Family.IPV4])} of the IPv4 space, {percent(shares[Family.IPV6])} of the allocated IPv6 space"


def percent(part: float) -> str:
    return f"{part * 100:.3g} %" if part < 1 else f"{part * 100:.0f} %"


@cache
def _space() -> Mapping[Family, Ranges]:
    networks = [ipaddress.ip_network(text) for text in ALLOCATED6]
    bounds = {
        Family.IPV4: ([0], [2**32 - 1]),
        Family.IPV6: (
            [int(network.network_address) for network in networks],
            [int(network.broadcast_address) for network in networks],
        ),
    }
    return {
        family: union_of(family, from_numbers(family, first), from_numbers(family, last))
        for family, (first, last) in bounds.items()
    }


@cache
def _space_counts() -> Mapping[Family, int]:
    return {family: _space()[family].count() for family in FAMILIES}


_FREE: dict[Family, tuple[Ranges, Ranges]] = {}
"""What was never to be banned last, and the rest: all lists of a policy are measured with the very same object."""


def _free(never: Ranges) -> Ranges:
    """The address space without what is never banned."""
    known = _FREE.get(never.family)
    if known is None or known[0] is not never:
        known = _FREE[never.family] = never, subtract(_space()[never.family], never)
    return known[1]


def _widest(nets: Ranges) -> tuple[int, int]:
    if not len(nets):
        return 0, 0
    at = nets.widest()
    return to_number(nets.first[at]), to_number(nets.last[at])
