"""Several address sets as one: what is in some number of them, without what is in others. Pure.

An entry of the result is as narrow as the lists show: a single address stays one, and a network is one where as many lists have
it as a network.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import distinct, in_order, without
from banlistd.core.addresses.comparison import added_history
from banlistd.core.addresses.neighbours import after, before
from banlistd.core.addresses.sets import WIDTHS, Addresses, AddressSet, Ranges, from_numbers, no_addresses, union_of
from banlistd.model import Family


def in_at_least(number: int, sets: Sequence[AddressSet]) -> AddressSet:
    """The addresses that are in `number` of the sets or more: 1 is their union, as many as there are is their intersection."""
    return _normal(*(_in_at_least(number, family, sets) for family in (Family.IPV4, Family.IPV6)))


def all_but(addresses: AddressSet, others: Sequence[AddressSet]) -> AddressSet:
    """The addresses of a set that are in none of the others."""
    left = added_history(addresses, in_at_least(1, others)) if others else addresses
    return _normal(*((left.hosts(family), left.nets(family)) for family in (Family.IPV4, Family.IPV6)))


def _normal(four: tuple[Addresses, Ranges], six: tuple[Addresses, Ranges]) -> AddressSet:
    columns = [np.concatenate([hosts, ends]) for hosts, nets in (four, six) for ends in (nets.first, nets.last)]
    return AddressSet.of(*columns)


def _in_at_least(number: int, family: Family, sets: Sequence[AddressSet]) -> tuple[Addresses, Ranges]:
    starts = in_order(_joined(family, [one.nets(family).first for one in sets]))
    ends = in_order(_joined(family, [one.nets(family).last for one in sets]))
    nets = _covered(number, family, starts, ends)
    listed = in_order(_joined(family, [one.hosts(family) for one in sets]))
    hosts = without(distinct(listed), nets.first, nets.last)
    if number == 1:
        return hosts, nets
    times = listed.searchsorted(hosts, side="right") - listed.searchsorted(hosts, side="left")
    return hosts[times + _depth(hosts, starts, ends) >= number], nets


def _joined(family: Family, parts: Sequence[Addresses]) -> Addresses:
    return np.concatenate([no_addresses(family), *parts])


def _covered(number: int, family: Family, starts: Addresses, ends: Addresses) -> Ranges:
    """What `number` ranges or more cover. `starts`, `ends`: of all of them, inclusive, each sorted by itself."""
    if not len(starts):
        return Ranges.none(family)
    if number == 1:
        return union_of(family, starts, ends)  # which sorts starts and ends apart
    # How many ranges cover an address changes only where one begins, and behind the last address of one.
    highest = from_numbers(family, [2 ** WIDTHS[family] - 1])
    begins = distinct(np.concatenate([starts, after(ends[ends != highest])]))
    stops = np.concatenate([before(begins[1:]), highest])
    deep = _depth(begins, starts, ends) >= number
    return union_of(family, begins[deep], stops[deep])


def _depth(addresses: Addresses, starts: Addresses, ends: Addresses) -> NDArray[np.int64]:
    """How many ranges cover each address: those that have begun, without those that have ended before it."""
    return starts.searchsorted(addresses, side="right") - ends.searchsorted(addresses, side="left")
