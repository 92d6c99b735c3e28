"""What one content has and another has not, as entries that a person can read."""

from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.arrays import missing_from, without
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, subtract, to_text
from banlistd.core.addresses.text import range_text
from banlistd.model import Family

SHOWN = 10
"""Entries of a sample: enough to see what kind of addresses they are, few enough for a terminal."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Entries that come and go, counted, and the first of each as text."""

    added: int
    removed: int
    added_sample: tuple[str, ...]
    removed_sample: tuple[str, ...]


def compare(before: AddressSet, after: AddressSet) -> Difference:
    come, gone = added_history(after, before), added_history(before, after)
    return Difference(len(come), len(gone), sample(come), sample(gone))


def added_history(addresses: AddressSet, before: AddressSet) -> AddressSet:
    """What a content has and the one before had not."""
    news = []
    for family in FAMILIES:
        known, nets = before.nets(family), subtract(addresses.nets(family), before.nets(family))
        hosts = without(missing_from(before.hosts(family), addresses.hosts(family)), known.first, known.last)
        news.append((hosts, subtract(nets, before.ranges(family)) if len(nets) else nets))
    (hosts4, nets4), (hosts6, nets6) = news
    return AddressSet(hosts4, nets4, hosts6, nets6)


def overlapping(addresses: AddressSet, family: Family, first: Addresses, last: Addresses) -> np.typing.NDArray[np.bool_]:
    """For each range, of any order, whether a content has any of it."""
    hosts, nets = addresses.hosts(family), addresses.nets(family)
    single = hosts.searchsorted(last, side="right") > hosts.searchsorted(first, side="left")
    return np.asarray(single | (nets.first.searchsorted(last, side="right") > nets.last.searchsorted(first, side="left")))


def sample(addresses: AddressSet, limit: int = SHOWN) -> tuple[str, ...]:
    """The first entries, networks before single addresses: they weigh more."""
    texts: list[str] = []
    for family in FAMILIES:
        nets = addresses.nets(family)
        for first, last in zip(nets.first[:limit], nets.last[:limit], strict=True):
            texts.append(range_text(family, first, last))
    for family in FAMILIES:
        texts += [to_text(family, host) for host in addresses.hosts(family)[:limit]]
    return tuple(texts[:limit])
