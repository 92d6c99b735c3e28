"""What lists had and met over a time, in equal slots, so that the answer is small however much is known. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from banlistd.model import SourceId

SLOTS = 60
"""A point for every 10 pixels of a plot; a half day each of the 30 days that a report has by default."""

BEFORE = -1
"""The slot of everything that was before the first one."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Equal slots from `since` on, `SLOTS` of them; `width` in seconds."""

    since: float
    width: float

    @classmethod
    def between(cls, since: float, now: float) -> "Slots":
        """The last one ends now, or, where the clock was set back, a moment after the first one began."""
        return cls(since, max(now - since, 1.0) / SLOTS)


class ListSizes(NamedTuple):
    """How many entries a list had at the end of each slot in which its content changed, by slot."""

    source_id: SourceId
    by_slot: Mapping[int, int]


class HitSpan(NamedTuple):
    """How many hits of a list were first sampled in one slot and last in another."""

    source_id: SourceId
    first: int
    last: int
    hits: int


def sizes_of(rows: Iterable[ListSizes]) -> Mapping[SourceId, Sequence[int | None]]:
    """The entries of each list at the end of every slot; None before anything is known of it. `rows`: one of each list."""
    return {row.source_id: _carried(row.by_slot) for row in rows}


def _carried(sizes: Mapping[int, int]) -> Sequence[int | None]:
    carried: list[int | None] = []
    newest = sizes.get(BEFORE)
    for slot in range(SLOTS):
        newest = sizes.get(slot, newest)
        carried.append(newest)
    return carried


def hits_of(rows: Iterable[HitSpan]) -> Mapping[SourceId, Sequence[int]]:
    """The hits of each list that were under way in every slot: from their first sample to their last."""
    steps: dict[SourceId, list[int]] = {}
    for row in rows:
        changes = steps.setdefault(row.source_id, [0] * (SLOTS + 1))
        changes[min(max(row.first, 0), SLOTS - 1)] += row.hits
        changes[min(max(row.last, 0), SLOTS - 1) + 1] -= row.hits
    return {source_id: list(accumulate(changes))[:SLOTS] for source_id, changes in steps.items()}


@dataclass(frozen=True, slots=True)
class TimeLines:
    """`entries`, `hits`: of all lists together. `sizes`, `met`: of each list of which something is known."""

    entries: Sequence[int]
    hits: Sequence[int]
    sizes: Mapping[SourceId, Sequence[int | None]]
    met: Mapping[SourceId, Sequence[int]]


def time_lines(
    sizes: Sequence[ListSizes], hits: Sequence[HitSpan], in_force: Collection[SourceId], combined: Collection[SourceId]
) -> TimeLines:
    """Of the lists in force. `combined`: those made of others, which have the entries of their parts and hits of their own."""
    of_lists = sizes_of(row for row in sizes if row.source_id in in_force and row.source_id not in combined)
    met = hits_of(row for row in hits if row.source_id in in_force)
    return TimeLines(summed(of_lists.values()), summed(met.values()), of_lists, met)


def summed(series: Iterable[Sequence[int | None]]) -> Sequence[int]:
    """All of them together; what is not known counts as nothing."""
    total = [0] * SLOTS
    for one in series:
        total = [sum_ + (value or 0) for sum_, value in zip(total, one, strict=True)]
    return total
