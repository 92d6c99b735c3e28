"""Which addresses which node has reported, and when: reports that follow each other closely are one sighting. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from banlistd.core.fleet.reports.addresses import ReportedAddress
from banlistd.core.fleet.reports.quorum import GAP
from banlistd.core.fleet.reports.report import ReportedBan

Spell = tuple[int, int]
"""The first and the last report of a sighting, in whole seconds since the epoch."""

MOST_SPELLS = 8
"""Sightings of one address by one node. Of more, the two oldest become one, with all the time between them."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One node's, for a person. `origin`: of its newest ban, as the node names it."""

    address: ReportedAddress
    node: str
    site: str
    first_at: int
    last_at: int
    origin: str


def with_report(spells: Iterable[Spell], at: int) -> tuple[Spell, ...]:
    """The sightings of an address by one node after another report of it, in order."""
    first = last = at
    apart = []
    # In order, so that a sighting that grows meets the next one.
    for begin, end in sorted(spells):
        if begin <= last + GAP and first <= end + GAP:
            first, last = min(first, begin), max(last, end)
        else:
            apart.append((begin, end))
    every = sorted([*apart, (first, last)])
    surplus = max(0, len(every) - MOST_SPELLS)
    oldest = every[: surplus + 1]
    return ((oldest[0][0], max(end for _, end in oldest)), *every[surplus + 1 :])


@dataclass(frozen=True, slots=True)
class SightingChange:
    """`go`: sightings that `come` replace. `is_new`: whether the report is another sighting, and makes none longer."""

    ban: ReportedBan
    go: tuple[Spell, ...]
    come: tuple[Spell, ...]
    is_new: bool


def changes_by(bans: Iterable[ReportedBan], known: Mapping[ReportedAddress, Sequence[Spell]]) -> list[SightingChange]:
    """What these bans of one node change in its sightings."""
    changes = []
    for ban in bans:
        before = frozenset(known.get(ban.address, ()))
        after = frozenset(with_report(before, ban.at))
        if before != after:
            is_new = not any(first - GAP <= ban.at <= last + GAP for first, last in before)
            changes.append(SightingChange(ban, tuple(sorted(before - after)), tuple(sorted(after - before)), is_new))
    return changes


def within_quota(changes: Sequence[SightingChange], left: int) -> tuple[Sequence[SightingChange], int]:
    """Those that count, and how many are one new sighting too many. `left`: how many new ones count."""
    over = [place for place, change in enumerate(changes) if change.is_new][left:]
    leaves = frozenset(over)
    return [change for place, change in enumerate(changes) if place not in leaves], len(over)


def fair_share(counts: Collection[int], most: int) -> int | None:
    """How many sightings each node may have, so that all have `most` together; None: there are not more. `counts`: by node.

    What those with few leave goes to the others, so that no node takes the place of another.
    """
    left = most
    for place, count in enumerate(sorted(counts)):
        share = left // (len(counts) - place)
        if count > share:
            return share
        left -= count
    return None
