"""What is known of one place in JSON, of two keys of the same objects, and of a number beside an address."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.sets import Addresses
from banlistd.core.feeds.parsers.json.columns import count_masks
from banlistd.core.feeds.parsers.json.values import is_netmask, network_at
from banlistd.model import Family, Span

_TWO = 2
_LEAST_SIZE = 4
_WIDEST = {Family.IPV4: 1 << 24, Family.IPV6: 1 << 112}


@dataclass(slots=True)
class SeenAt:
    """Of one path: strings that are addresses, how many addresses those are, those that are one bare address, those written as
    netmasks are; `together`: arrays and strings of several, `twos`: those of two bare addresses in order.
    """

    strings: int = 0
    addresses: int = 0
    bare: int = 0
    masks: int = 0
    together: int = 0
    twos: int = 0

    def see(self, spans: Sequence[Span]) -> None:
        self.strings += 1
        self.addresses += len(spans)
        if len(spans) == 1 and spans[0][1] == spans[0][2]:
            self.bare += 1
            self.masks += is_netmask(spans[0])
        elif len(spans) > 1:
            self.see_together(spans)

    def see_quads(self, first: Addresses, last: Addresses) -> None:
        """Strings that are an IPv4 address or network each."""
        self.strings += len(first)
        self.addresses += len(first)
        self.bare += int(np.count_nonzero(first == last))
        self.masks += count_masks(first, last)

    def see_together(self, spans: Sequence[Span]) -> None:
        self.together += 1
        if len(spans) == _TWO:
            (family, first, end), (other, last, behind) = spans
            self.twos += family is other and first == end < last == behind


@dataclass(slots=True)
class KeyPair:
    """Of two keys of the same objects: how often both are addresses, and what holds for all of these: one lies within the
    other, they are in order, and they are the ends of one network.
    """

    together: int = 0
    first_within: bool = True
    last_within: bool = True
    ordered: bool = True
    networks: bool = True

    def see(self, one: Span, other: Span) -> None:
        self.together += 1
        self.first_within &= _lies_within(one, other)
        self.last_within &= _lies_within(other, one)
        self.ordered &= one[0] is other[0] and one[1] <= other[1]
        self.networks &= self.ordered and _is_network(one[1], other[2])


@dataclass(slots=True)
class Numbers:
    """Of a key beside addresses: how often it makes a network of one without a bit set too much, as a prefix length or netmask,
    and how often it does not; how often one of more than one address; how often it may count the addresses of one.

    `is_mask`: it was written as netmasks are. `is_length`: it is called so.
    """

    lengths: int = 0
    others: int = 0
    networks: int = 0
    sizes: int = 0
    is_mask: bool = False
    is_length: bool = False

    @property
    def is_settled(self) -> bool:
        """Whether it is some number of which no more needs to be known."""
        return self.others > 0 and self.sizes < self.lengths + self.others and not (self.is_mask or self.is_length)

    def see(self, written: str, first: int, value: object) -> None:
        network = network_at(written, value)
        fits = network is not None and network[1] == first
        self.lengths += fits
        self.others += not fits
        self.networks += network is not None and network[1] == first < network[2] < first + _WIDEST[network[0]]
        self.sizes += isinstance(value, int) and value >= _LEAST_SIZE and not value & (value - 1) and not first % value


def _lies_within(one: Span, other: Span) -> bool:
    return one[0] is other[0] and other[1] <= one[1] and one[2] <= other[2]


def _is_network(first: int, last: int) -> bool:
    size = last - first + 1
    return size > 0 and not size & (size - 1) and not first % size
