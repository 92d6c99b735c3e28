"""Some addresses of a content, drawn at random: later they show how much of it is left, whatever came and went in between."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import distinct, in_order, without
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, pieces_of, subtract
from banlistd.core.feeds.extent import NeverBanned
from banlistd.model import Family

SAMPLED = 256

SAMPLING_ERROR = 0.1
"""Three standard deviations of a share that is seen in so many addresses."""


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """`entries`: of the content, without what is never banned. `churn`: the sum of the shares that usual polls have replaced
    since, and in the poll that brought the content.
    """

    addresses: AddressSet = field(repr=False)
    entries: int
    churn: float


def undrawn(entries: int, churn: float) -> Sample:
    """No address of a content that is too short for its samples to say anything."""
    return Sample(AddressSet.none(), entries, churn)


def draw(addresses: AddressSet, never_banned: NeverBanned, churn: float, seed: int) -> Sample:
    """Of a network its first address. `seed`: what a publisher cannot know, or it would keep these addresses alone."""
    parts = {family: _banned_of(addresses, family, never_banned[family]) for family in FAMILIES}
    entries = sum(len(hosts) + len(firsts) for hosts, firsts in parts.values())
    drawn = {}
    for family, (hosts, firsts) in parts.items():
        count = len(hosts) + len(firsts)
        if not count:
            drawn[family] = hosts
            continue
        wanted = SAMPLED * count // entries
        at = distinct((_numbers(seed, wanted) % np.uint64(count)).astype(np.int64))
        if len(firsts):
            some = np.concatenate([hosts[at[at < len(hosts)]], firsts[at[at >= len(hosts)] - len(hosts)]])
            drawn[family] = in_order(some)
        else:
            drawn[family] = hosts[at]
    v4, v6 = Family.IPV4, Family.IPV6
    return Sample(AddressSet(drawn[v4], Ranges.none(v4), drawn[v6], Ranges.none(v6)), entries, churn)


def _banned_of(addresses: AddressSet, family: Family, never: Ranges) -> tuple[Addresses, Addresses]:
    """Single addresses, and the first ones of networks, each once; without what is never banned."""
    hosts, nets = addresses.hosts(family), addresses.nets(family)
    if len(hosts):
        hosts = without(hosts, never.first, never.last)
    if not len(nets):
        return hosts, nets.first
    return hosts, np.concatenate([subtract(piece, never).first for piece in pieces_of(nets)])


def _numbers(seed: int, count: int) -> NDArray[np.uint64]:
    """As random as SHAKE. (numpy's own numbers take 70 ms to load at first, measured.)"""
    octets = hashlib.shake_128(seed.to_bytes(32, "big", signed=True)).digest(8 * count)
    return np.frombuffer(octets, dtype=np.uint64)


def displaced(sample: Sample, now: AddressSet, entries: int) -> float:
    """The share of an earlier content that is gone, or the share of the present one (of so many entries) that is new since,
    whichever is less; more than usual polls and chance explain.
    """
    known = sum(len(sample.addresses.hosts(family)) for family in FAMILIES)
    if not known or not entries:
        return 0.0
    kept = sum(int(now.holds(family, sample.addresses.hosts(family)).sum()) for family in FAMILIES) / known
    new = 1 - kept * sample.entries / entries
    return max(min(1 - kept, new) - sample.churn - SAMPLING_ERROR, 0.0)
