"""Splits a Change into the transactions that nftables needs: one, unless addresses move between networks and hosts. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from banlistd.core.addresses.arrays import are_among
from banlistd.core.addresses.sets import Ranges
from banlistd.core.ruleset.diff import Change, MapChange
from banlistd.core.ruleset.state import Kind, MapEntries, MapId
from banlistd.model import PolicyHash

VOID = PolicyHash("0")
"""The policy hash of a marker that says of no content that it is in the firewall: no policy has it."""


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The transactions of a change in order; most have the `main` one alone. It writes the rules."""

    before: Change | None
    main: Change
    after: Change | None

    def __iter__(self) -> Iterator[Change]:
        return (step for step in (self.before, self.main, self.after) if step is not None)


def steps_of(change: Change) -> Steps:
    """The transactions in order. Each keeps at least the bans that exist both before and after the change.

    A single address that comes because a network goes is added in a transaction of its own before, and one that goes because a
    network comes is removed in one after. Rules ask for single addresses first, and a packet between its two lookups meets
    the commit (measured: one packet in 50 commits where the hypervisor took the processor away at that moment). Linux 6.18
    also publishes intervals a moment after the hash elements of the same commit (measured: usually one packet a commit, once
    284 in 25). The last transaction writes the markers. The first one makes them void: after a kill in between the elements are
    those of no markers, and a kernel before 6.16 does not count them, so that what is too much would stay.
    """
    coming = {} if change.reshape else _moved(change, _uncovered_additions)
    leaving = _moved(change, _covered_removals)
    if not coming and not leaving:
        return Steps(None, change, None)
    maps = [_with_all(_without_additions(item, coming), leaving) for item in change.maps]
    main = replace(change, maps=tuple(maps))
    void = tuple(replace(marker, policy_hash=VOID) for marker in change.markers)
    alone = replace(change, reshape=False, allowed=None, answers=None, markers=void, retired=())
    before = replace(alone, maps=tuple(_only_added(item, coming[item.map]) for item in change.maps if item.map in coming))
    after = replace(alone, maps=tuple(_only_removed(item, leaving[item.map]) for item in change.maps if item.map in leaving))
    if leaving:
        main = replace(main, markers=() if coming else void, retired=())
        after = replace(after, markers=change.markers, retired=change.retired)
    return Steps(before if coming else None, main, after if leaving else None)


def _moved(change: Change, moves: Callable[[MapChange, MapChange], MapEntries]) -> Mapping[MapId, MapEntries]:
    """For each map of hosts whose networks change as well: the hosts that move; without those maps where none does."""
    nets = {(item.map.hook, item.map.family): item for item in change.maps if item.map.kind is Kind.NETS}
    pairs = ((item, nets.get((item.map.hook, item.map.family))) for item in change.maps if item.map.kind is Kind.HOSTS)
    found = ((item.map, moves(item, other)) for item, other in pairs if other is not None and not item.replace)
    return {map_id: entries for map_id, entries in found if len(entries)}


def _covered_removals(item: MapChange, nets: MapChange) -> MapEntries:
    """The hosts that are removed while networks are added over them.

    An address that only changes its source is removed and added at once.
    """
    return item.remove.where(_ranges_of(nets.add).contains(item.remove.first) & ~are_among(item.add.first, item.remove.first))


def _uncovered_additions(item: MapChange, nets: MapChange) -> MapEntries:
    """The hosts that are added while networks over them are removed, and no other comes."""
    if not len(nets.remove):  # a first import adds a million addresses: look at none of them
        return MapEntries.none(item.map.family)
    uncovered = item.add.where(_ranges_of(nets.remove).contains(item.add.first))
    stay = _ranges_of(nets.add).contains(uncovered.first) | are_among(item.remove.first, uncovered.first)
    return uncovered.where(~stay)


def _ranges_of(entries: MapEntries) -> Ranges:
    return Ranges(entries.family, entries.first, entries.last)


def _without_additions(item: MapChange, coming: Mapping[MapId, MapEntries]) -> MapChange:
    if item.map not in coming:
        return item
    return replace(item, add=_minus(item.add, coming[item.map]))


def _with_all(item: MapChange, leaving: Mapping[MapId, MapEntries]) -> MapChange:
    if item.map not in leaving:
        return item
    late = leaving[item.map]
    return replace(item, remove=_minus(item.remove, late), whole=_together(item.whole, late))


def _only_added(item: MapChange, early: MapEntries) -> MapChange:
    whole = _together(_together(_minus(item.whole, item.add), item.remove), early)
    return replace(item, add=early, remove=MapEntries.none(item.map.family), whole=whole)


def _only_removed(item: MapChange, late: MapEntries) -> MapChange:
    return replace(item, add=MapEntries.none(item.map.family), remove=late)


def _minus(entries: MapEntries, gone: MapEntries) -> MapEntries:
    return entries.where(~are_among(gone.first, entries.first))


def _together(left: MapEntries, right: MapEntries) -> MapEntries:
    first = np.concatenate([left.first, right.first])
    order = np.argsort(first, kind="stable")
    first = first[order]
    return MapEntries(left.family, first, first, np.concatenate([left.mark, right.mark])[order])
