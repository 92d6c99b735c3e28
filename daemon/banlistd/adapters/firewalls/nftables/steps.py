"""Splits a Change into the transactions that nftables needs: one, except in one case. Pure."""

from dataclasses import replace

import numpy as np

from banlistd.core.addresses.arrays import are_among
from banlistd.core.addresses.sets import Ranges
from banlistd.core.ruleset.diff import Change, MapChange
from banlistd.core.ruleset.state import Kind, MapEntries, MapId


def steps_of(change: Change) -> tuple[Change, ...]:
    """The transactions in order. Each keeps at least the bans that exist both before and after the change.

    A single address that leaves its hosts map because a network now covers it is removed in a transaction of its own,
    after the network is in place: Linux 6.18 publishes intervals a moment after the hash elements of the same commit, and a
    flood found the gap (measured: usually one packet a commit, once 284 in 25). The last transaction writes the markers.
    """
    leaving = {item.map: leaves for item in change.maps if (leaves := _covered_removals(item, change)) is not None}
    if not leaving:
        return (change,)
    first = replace(change, maps=tuple(_without(item, leaving) for item in change.maps), markers=(), retired=())
    last = replace(
        change,
        reshape=False,
        allowed=None,
        answers=None,
        maps=tuple(_only(item, leaving[item.map]) for item in change.maps if item.map in leaving),
    )
    return first, last


def _covered_removals(item: MapChange, change: Change) -> MapEntries | None:
    """The hosts that are removed while networks of the same hook are added over them; None if there are none."""
    if item.map.kind is not Kind.HOSTS or item.replace or not len(item.remove):
        return None
    nets_id = MapId(item.map.hook, Kind.NETS, item.map.family)
    nets = next((other.add for other in change.maps if other.map == nets_id), None)
    if nets is None or not len(nets):
        return None
    covered = Ranges(nets.family, nets.first, nets.last).contains(item.remove.first)
    # An address that only changes its source is removed and added at once.
    covered &= ~are_among(item.add.first, item.remove.first)
    return item.remove.where(covered) if covered.any() else None


def _without(item: MapChange, leaving: dict[MapId, MapEntries]) -> MapChange:
    if item.map not in leaving:
        return item
    late = leaving[item.map]
    stays = ~are_among(late.first, item.remove.first)
    return replace(item, remove=item.remove.where(stays), whole=_together(item.whole, late))


def _only(item: MapChange, leaves: MapEntries) -> MapChange:
    return replace(item, add=MapEntries.none(item.map.family), remove=leaves)


def _together(left: MapEntries, right: MapEntries) -> MapEntries:
    first = np.concatenate([left.first, right.first])
    order = np.argsort(first, kind="stable")
    first = first[order]
    return MapEntries(left.family, first, first, np.concatenate([left.mark, right.mark])[order])
