"""Which addresses which node has reported, and when: reports that follow each other closely are one sighting. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from banlistd.core.fleet.reports.addresses import ReportedAddress
from banlistd.core.fleet.reports.quorum import GAP
from banlistd.core.fleet.reports.report import ReportedBan

Spell = tuple[int, int]
"""The first and the last report of a sighting, in whole seconds since the epoch."""


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
    return tuple(sorted([*apart, (first, last)]))


@dataclass(frozen=True, slots=True)
class SightingChange:
    """`go`: sightings that are replaced. `is_new`: whether there is one more, and not only a longer one."""

    ban: ReportedBan
    go: tuple[Spell, ...]
    come: tuple[Spell, ...]

    @property
    def is_new(self) -> bool:
        return len(self.come) > len(self.go)


def changes_by(bans: Iterable[ReportedBan], known: Mapping[ReportedAddress, Sequence[Spell]]) -> list[SightingChange]:
    """What these bans of one node change in its sightings."""
    changes = []
    for ban in bans:
        before = frozenset(known.get(ban.address, ()))
        after = frozenset(with_report(before, ban.at))
        if before != after:
            changes.append(SightingChange(ban, tuple(sorted(before - after)), tuple(sorted(after - before))))
    return changes
