"""How long transactions of the firewall took: a count for each span of time, and their sum."""

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)
"""Seconds: from a change of a few elements to a million without listeners (`speed.md`), and beyond."""


@dataclass(frozen=True, slots=True)
class Durations:
    """`counts`: how many took at most so many seconds as each of BOUNDS, and not as few as the one before; last: the rest."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def note(self, seconds: float) -> "Durations":
        at = bisect_left(BOUNDS, seconds)
        counts = (*self.counts[:at], self.counts[at] + 1, *self.counts[at + 1 :])
        return Durations(counts, self.seconds + seconds)
