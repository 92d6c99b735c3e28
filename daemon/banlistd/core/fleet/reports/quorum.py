"""Which addresses enough sites agree on: listed while so many have reported them lately, and for a time after. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.config.service.reports import Reports

GAP = 600
"""Seconds. Reports of one address by one node that are no further apart are one sighting, which only grows longer; at each of
its moments there was a report within the last `GAP` seconds. No `window` may be shorter.
"""

_Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class QuorumRule:
    """At least `quorum` sites, within `window` seconds, for `lasting` seconds after the last moment when that was so; at most
    `most` addresses.
    """

    quorum: int
    window: int
    lasting: int
    most: int

    @property
    def kept(self) -> int:
        """For how many seconds after its last report a sighting matters."""
        return self.window + self.lasting


def quorum_rule(reports: Reports) -> QuorumRule:
    """As a source of the configuration has it."""
    return QuorumRule(reports.quorum, int(reports.window), int(reports.lasts), reports.most)


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """One row each, as arrays of one length: numbers for the address and the site, and the first and last report in whole
    seconds since the epoch.
    """

    address: _Numbers
    site: _Numbers
    first: _Numbers
    last: _Numbers

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int, int]]) -> "Sightings":
        columns = np.array(rows, dtype=np.int64).reshape(len(rows), 4).T
        return cls(*columns)


@dataclass(frozen=True, slots=True, eq=False)
class AgreedAddresses:
    """What is listed, the most important first: `address` as in `Sightings`, how many sites have reported it, when the last
    report was, and until when it is listed.
    """

    address: _Numbers
    sites: _Numbers
    last: _Numbers
    until: _Numbers


def agreed_addresses(sightings: Sightings, rule: QuorumRule, now: float) -> AgreedAddresses:
    """What is listed at a moment (seconds since the epoch).

    A site counts from its first report until `window` seconds after its last; where the number of sites falls below the
    quorum is the last moment of the agreement. By sorting and summing: a million sightings in under a second.
    """
    if not len(sightings.address):
        return AgreedAddresses(*(np.empty(0, dtype=np.int64) for _ in range(4)))
    at = np.lexsort((sightings.first, sightings.site, sightings.address))
    address, site = sightings.address[at], sightings.site[at]
    first, last = sightings.first[at], sightings.last[at]
    address, begin, end = _spells(address, site, first, last + rule.window)
    agreed, ends = _agreements(address, begin, end, rule.quorum)
    until = ends + rule.lasting
    is_listed = until > now
    agreed, until = agreed[is_listed], until[is_listed]
    sites, newest = _sites(sightings, agreed)
    best = np.lexsort((agreed, -newest, -sites))[: rule.most]
    return AgreedAddresses(agreed[best], sites[best], newest[best], until[best])


def _spells(address: _Numbers, site: _Numbers, begin: _Numbers, end: _Numbers) -> tuple[_Numbers, _Numbers, _Numbers]:
    """When each site counts for each address: its overlapping intervals, merged. Sorted by address, site and begin."""
    is_other = np.concatenate(([True], (address[1:] != address[:-1]) | (site[1:] != site[:-1])))
    group = np.cumsum(is_other)
    # The latest end so far, within the group: seconds are below 2^38, and groups below 2^25.
    base = int(begin.min())
    latest = np.maximum.accumulate((group << 38) + (end - base)) - (group << 38) + base
    begins = is_other | np.concatenate(([True], begin[1:] > latest[:-1]))
    ends = np.concatenate((begins[1:], [True]))
    return address[begins], begin[begins], latest[ends]


def _agreements(address: _Numbers, begin: _Numbers, end: _Numbers, quorum: int) -> tuple[_Numbers, _Numbers]:
    """Each address on which so many sites agreed at some moment, and the last such moment."""
    everyone = np.concatenate((address, address))
    moment = np.concatenate((begin, end))
    step = np.concatenate((np.ones(len(begin), dtype=np.int64), np.full(len(end), -1, dtype=np.int64)))
    # Who begins when another ends still meets it.
    order = np.lexsort((-step, moment, everyone))
    everyone, moment, step = everyone[order], moment[order], step[order]
    # All that begins ends, so the sum is 0 after each address.
    before = np.cumsum(step) - step
    leaves = (step < 0) & (before == quorum)
    found, when = everyone[leaves], moment[leaves]
    last = np.concatenate((found[1:] != found[:-1], [True])) if len(found) else np.empty(0, dtype=np.bool_)
    return found[last], when[last]


def _sites(sightings: Sightings, wanted: _Numbers) -> tuple[_Numbers, _Numbers]:
    """For each of these addresses, which are sorted, the number of sites that have reported it, and the newest report."""
    if not len(wanted):
        return wanted, wanted
    places = np.minimum(wanted.searchsorted(sightings.address), len(wanted) - 1)
    mine = wanted[places] == sightings.address
    place, site, last = places[mine], sightings.site[mine], sightings.last[mine]
    newest = np.full(len(wanted), np.iinfo(np.int64).min, dtype=np.int64)
    np.maximum.at(newest, place, last)
    order = np.lexsort((site, place))
    place, site = place[order], site[order]
    is_other = np.concatenate(([True], (place[1:] != place[:-1]) | (site[1:] != site[:-1])))
    return np.bincount(place[is_other], minlength=len(wanted)).astype(np.int64), newest
