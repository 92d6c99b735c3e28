"""Some addresses of a content, drawn at random: later they show how much of it is left, whatever came and went in between."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import distinct, without
from banlistd.core.addresses.sets import FAMILIES, AddressSet, pieces_of, subtract
from banlistd.core.feeds.extent import NeverBanned

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


def draw(addresses: AddressSet, never_banned: NeverBanned, churn: float, seed: int) -> Sample:
    """Of a network its first address. `seed`: what a publisher cannot know, or it would keep these addresses alone."""
    columns, entries = [], 0
    parts = []
    for family in FAMILIES:
        never = never_banned[family]
        if not len(addresses.hosts(family)) and not len(addresses.nets(family)):
            parts.append((addresses.hosts(family), addresses.nets(family).first))
            continue
        hosts = without(addresses.hosts(family), never.first, never.last)
        firsts = np.concatenate([subtract(piece, never).first for piece in pieces_of(addresses.nets(family))])
        parts.append((hosts, firsts))
        entries += len(hosts) + len(firsts)
    for hosts, firsts in parts:
        count = len(hosts) + len(firsts)
        if not count:
            columns += [hosts, hosts]
            continue
        wanted = SAMPLED * count // entries
        at = distinct((_numbers(seed, wanted) % np.uint64(count)).astype(np.int64))
        some = np.concatenate([hosts[at[at < len(hosts)]], firsts[at[at >= len(hosts)] - len(hosts)]])
        columns += [some, some]
    return Sample(AddressSet.of(*columns), entries, churn)


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
