"""When single IPv4 addresses came to lists and left them, by the versions that are kept: who was first, and for how long. Pure.

An address that the oldest known version has came at a time that is not known: it counts for no list as first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import are_among, distinct, missing_from
from banlistd.core.addresses.sets import Addresses

MOST_STEPS = 200
"""Versions of one list that are compared, the newest: a year of a list a day and a half, a week of one an hour."""

_DAY = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Movements:
    """Of one list. `hosts`: what it has now. `addresses`, `times`, `came`: shape (n,): what came or left, and when (seconds
    since the epoch). `since`: from when on it is known.
    """

    hosts: Addresses
    addresses: Addresses
    times: NDArray[np.float64]
    came: NDArray[np.bool_]
    since: float


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """`since`: from when on the versions are known. `first`: addresses that it had before any other list, which has them too.
    `days_ahead`: the median of how much sooner. `left`: addresses whose whole time on the list is known. `days_listed`: the
    median of that. None: of no address.
    """

    since: float
    first: int
    days_ahead: float | None
    left: int
    days_listed: float | None


class MovementsReader:
    """Takes the versions of a list, newest first."""

    def __init__(self) -> None:
        self._newest: Addresses | None = None
        self._newer: tuple[float, Addresses] | None = None
        self._steps: list[tuple[Addresses, float, bool]] = []

    def add(self, came_at: float, hosts: Addresses) -> None:
        """The version before the one of the last call."""
        if self._newer is None:
            self._newest = hosts
        else:
            time, newer = self._newer
            self._steps += [(missing_from(hosts, newer), time, True), (missing_from(newer, hosts), time, False)]
        self._newer = came_at, hosts

    def movements(self) -> Movements | None:
        """All of it; None where there was no version."""
        if self._newest is None or self._newer is None:
            return None
        counts = [len(addresses) for addresses, _, _ in self._steps]
        none = self._newest[:0]
        return Movements(
            self._newest,
            np.concatenate([none, *(addresses for addresses, _, _ in self._steps)]),
            np.repeat(np.array([time for _, time, _ in self._steps], dtype=np.float64), counts),
            np.repeat(np.array([came for _, _, came in self._steps], dtype=np.bool_), counts),
            self._newer[0],
        )


def lifetimes_of(lists: Sequence[Movements]) -> Sequence[Lifetimes]:
    """Of each list, compared with the others."""
    arrivals = [_arrivals(one) for one in lists]
    firsts = _firsts([_earlier(one) for one in lists], arrivals)
    found = []
    for one, ahead in zip(lists, firsts, strict=True):
        stays = _stays(one)
        found.append(Lifetimes(one.since, len(ahead), _median_days(ahead), len(stays), _median_days(stays)))
    return found


def _in_order(one: Movements) -> tuple[Addresses, NDArray[np.float64], NDArray[np.bool_]]:
    """By address, then by time."""
    order = np.lexsort((one.times, one.addresses))
    return one.addresses[order], one.times[order], one.came[order]


def _earlier(one: Movements) -> Addresses:
    """The addresses that it had at a time before all that is known; sorted."""
    addresses, _, came = _in_order(one)
    begins = np.ones(len(addresses), dtype=np.bool_)
    begins[1:] = addresses[1:] != addresses[:-1]
    never_came = one.hosts[~are_among(addresses[begins & came], one.hosts)]
    return distinct(np.concatenate([never_came, addresses[begins & ~came]]))


def _arrivals(one: Movements) -> tuple[Addresses, NDArray[np.float64]]:
    """The addresses of which the first that is known is that they came, and when; sorted."""
    addresses, times, came = _in_order(one)
    begins = np.ones(len(addresses), dtype=np.bool_)
    begins[1:] = addresses[1:] != addresses[:-1]
    known = begins & came
    return addresses[known], times[known]


def _stays(one: Movements) -> NDArray[np.float64]:
    """How long addresses were on the list that came and left, in seconds."""
    addresses, times, came = _in_order(one)
    pair = came[:-1] & ~came[1:] & (addresses[1:] == addresses[:-1])
    return np.asarray(times[1:][pair] - times[:-1][pair])


def _firsts(
    earlier: Sequence[Addresses], arrivals: Sequence[tuple[Addresses, NDArray[np.float64]]]
) -> Sequence[NDArray[np.float64]]:
    """For each list how many seconds it was ahead of the second one, of each address that it had first."""
    every = np.concatenate([addresses for addresses, _ in arrivals]) if arrivals else np.empty(0, dtype=np.uint32)
    times = np.concatenate([times for _, times in arrivals]) if arrivals else np.empty(0)
    places = np.repeat(np.arange(len(arrivals)), [len(addresses) for addresses, _ in arrivals])
    order = np.lexsort((times, every))
    every, times, places = every[order], times[order], places[order]
    begins = np.ones(len(every), dtype=np.bool_)
    begins[1:] = every[1:] != every[:-1]
    first = np.flatnonzero(begins[:-1] & ~begins[1:]) if len(every) > 1 else np.empty(0, dtype=np.int64)
    ahead = times[first + 1] - times[first]
    sooner = ahead > 0  # lists that had it at the same moment are both not first
    for had in earlier:
        sooner &= ~are_among(had, every[first])
    return [ahead[sooner & (places[first] == place)] for place in range(len(arrivals))]


def _median_days(seconds: NDArray[np.float64]) -> float | None:
    return float(np.median(seconds)) / _DAY if len(seconds) else None
