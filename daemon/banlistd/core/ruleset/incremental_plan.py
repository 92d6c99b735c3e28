"""A plan made again only where something has changed: an update costs as much as its own size, not as the whole ruleset.

The owner of an address does not depend on other addresses (`plan`). So it is enough to plan the content of each source
within the changed region, and to replace the elements there; a test proves it equal to the whole plan.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import distinct, slices, symmetric_difference, within
from banlistd.core.addresses.neighbours import after, before
from banlistd.core.addresses.sets import (
    FAMILIES,
    WIDTHS,
    Addresses,
    AddressSet,
    Ranges,
    from_numbers,
    intersection,
    subtract,
    union_of,
)
from banlistd.core.ruleset.diff import Move, move_between
from banlistd.core.ruleset.plan import map_entries_for, plan
from banlistd.core.ruleset.state import FirewallState, Kind, MapEntries, MapId
from banlistd.model import Direction, Family, Marker, ServiceEndpoint, SourceId, SourceSlot


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """All that a plan is made of, as `plan.plan` takes it."""

    sources: tuple[SourceSlot, ...]
    contents: Mapping[SourceId, AddressSet]
    allowed: Mapping[Family, Ranges]
    never_banned: Mapping[Family, Ranges]
    answers: tuple[ServiceEndpoint, ...] = ()

    def plan_whole(self, markers: Sequence[Marker]) -> FirewallState:
        return plan(self.sources, self.contents, self.allowed, self.never_banned, markers, self.answers)


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Where two bases with the same sources differ, in one family: in single addresses alone (`points`), or in whole ranges."""

    points: Addresses
    ranges: Ranges

    def __len__(self) -> int:
        return len(self.points) + len(self.ranges)

    def everything(self) -> Ranges:
        """Both together; points alone stay points, even where they touch, because those are quicker to look up."""
        if not len(self.ranges):
            points = distinct(self.points)
            return Ranges(self.ranges.family, points, points)
        first, last = self.ranges.first, self.ranges.last
        return union_of(self.ranges.family, np.concatenate([self.points, first]), np.concatenate([self.points, last]))


Moves = Mapping[MapId, Move]

_SHARE = 4
"""A changed entry costs as much in a revision, in each source, as this many entries in a whole plan and a comparison of it with
the present state (measured with one source and with 60)."""


def plan_changes(
    current: FirewallState, was: Basis, basis: Basis, markers: Sequence[Marker]
) -> tuple[FirewallState, Moves | None]:
    """The plan of `basis`; `current` is that of `was`. Where only a part had to be planned, also the moves between the two."""
    if was.sources != basis.sources:
        return basis.plan_whole(markers), None
    regions = {family: region_between(family, was, basis) for family in FAMILIES}
    if _SHARE * sum(map(len, regions.values())) * len(basis.contents) > len(current):
        return basis.plan_whole(markers), None
    return revise(current, basis, regions, markers)


def region_between(family: Family, was: Basis, basis: Basis) -> Region:
    """Where the same sources may own something else."""
    points, ranges = [], [_differing(was.never_banned[family], basis.never_banned[family])]
    for source_id in {**was.contents, **basis.contents}:
        old, new = was.contents.get(source_id, _NOTHING), basis.contents.get(source_id, _NOTHING)
        if old is not new:
            points.append(symmetric_difference(old.hosts(family), new.hosts(family)))
            ranges.append(_differing(old.nets(family), new.nets(family)))
    first, last = (np.concatenate([getattr(part, end) for part in ranges]) for end in ("first", "last"))
    return Region(np.concatenate(points) if points else first[:0], union_of(family, first, last))


_NOTHING = AddressSet.none()


def _differing(left: Ranges, right: Ranges) -> Ranges:
    """The addresses that are in one of the two only."""
    if left is right:
        return Ranges.none(left.family)
    only_left, only_right = subtract(left, right), subtract(right, left)
    first = np.concatenate([only_left.first, only_right.first])
    return union_of(left.family, first, np.concatenate([only_left.last, only_right.last]))


def revise(
    current: FirewallState, basis: Basis, regions: Mapping[Family, Region], markers: Sequence[Marker]
) -> tuple[FirewallState, Moves]:
    """The plan of `basis`, and the moves to it from `current`, which is the plan of a basis that differs in `regions` alone."""
    map_entries, moves = dict(current.map_entries), dict[MapId, Move]()
    for family, region in regions.items():
        for direction in (Direction.IN, Direction.OUT) if len(region) else ():
            for map_id, (part, wanted) in _replanned(direction, family, current, basis, region).items():
                map_entries[map_id], moves[map_id] = _spliced(current.map_entries[map_id], part, wanted)
    return FirewallState(current.sources, map_entries, dict(basis.allowed), tuple(markers), basis.answers), moves


def _replanned(
    direction: Direction, family: Family, current: FirewallState, basis: Basis, region: Region
) -> Mapping[MapId, tuple[Ranges, MapEntries]]:
    """For each map that may differ the part of the address space in question, and the elements wanted there."""
    maps = {
        map_id: map_entries
        for map_id, map_entries in current.map_entries.items()
        if map_id.family is family and map_id.hook.outward is (direction is Direction.OUT)
    }
    if not maps:
        return {}
    parts = {Kind.HOSTS: region.everything()}
    if len(region.ranges):
        nets = [map_entries for map_id, map_entries in maps.items() if map_id.kind is Kind.NETS]
        parts[Kind.NETS] = _with_neighbours(region.ranges, nets)
    found: dict[MapId, tuple[Ranges, MapEntries]] = {}
    for kind, part in parts.items():
        contents = {source_id: _part_of(content, part) for source_id, content in basis.contents.items()}
        planned_there = map_entries_for(direction, family, basis.sources, contents, basis.never_banned[family])
        found |= {map_id: (part, planned_there[map_id]) for map_id in maps if map_id.kind is kind}
    return found


def _with_neighbours(ranges: Ranges, nets: Sequence[MapEntries]) -> Ranges:
    """Ranges and all elements that reach into them or touch them: they may have to be cut, or grow together. Elements of a
    source in shadow, or in a scope, overlap those of others: the result has no border within an element of any map.
    """
    lowest, highest = from_numbers(ranges.family, [0, 2 ** WIDTHS[ranges.family] - 1])
    first, last = before(ranges.first), after(ranges.last)
    first = np.where(ranges.first == lowest, ranges.first, first)
    last = np.where(ranges.last == highest, ranges.last, last)
    around = union_of(ranges.family, first, last)
    wide = _with_touched(ranges, around, nets)
    while (wider := _with_touched(wide, wide, nets)) != wide:
        wide = wider
    return wide


def _with_touched(ranges: Ranges, around: Ranges, nets: Sequence[MapEntries]) -> Ranges:
    """Ranges and all elements that have something in `around`."""
    touched = [_overlapping(map_entries, around) for map_entries in nets]
    return union_of(
        ranges.family,
        np.concatenate([ranges.first, *(map_entries.first[at] for map_entries, at in zip(nets, touched, strict=True))]),
        np.concatenate([ranges.last, *(map_entries.last[at] for map_entries, at in zip(nets, touched, strict=True))]),
    )


def _overlapping(map_entries: MapEntries, ranges: Ranges) -> NDArray[np.int64]:
    """The places of the elements that have something in one of the ranges."""
    starts, ends = slices(map_entries.first, map_entries.last, ranges.first, ranges.last)
    # One element may reach into several ranges.
    starts = np.maximum(starts, np.concatenate([[0], ends[:-1]]))
    counts = ends - starts
    return np.asarray(np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts))


def _part_of(content: AddressSet, part: Ranges) -> AddressSet:
    """The addresses of a content in a part of one family's space."""
    family = part.family
    hosts, nets = within(content.hosts(family), part.first, part.last), intersection(part, content.nets(family))
    if family is Family.IPV4:
        return AddressSet(hosts, nets, _NOTHING.hosts6, _NOTHING.nets6)
    return AddressSet(_NOTHING.hosts4, _NOTHING.nets4, hosts, nets)


def _spliced(map_entries: MapEntries, part: Ranges, wanted: MapEntries) -> tuple[MapEntries, Move]:
    """A map with one part replaced by `wanted`; no element crosses the border of that part."""
    places = _overlapping(map_entries, part)
    present = map_entries.where(places)
    move = move_between(present, wanted)
    if not len(move):
        return map_entries, move
    gone = places[present.first.searchsorted(move.remove.first)]
    come = map_entries.first.searchsorted(move.add.first)
    if map_entries.last is map_entries.first:
        first, mark = _exchanged((map_entries.first, map_entries.mark), gone, come, (move.add.first, move.add.mark))
        return MapEntries(map_entries.family, first, first, mark), move
    columns, added = ((one.first, one.last, one.mark) for one in (map_entries, move.add))
    return MapEntries(map_entries.family, *_exchanged(columns, gone, come, added)), move


def _exchanged(
    columns: Sequence[NDArray[Any]], gone: NDArray[np.int64], come: NDArray[np.int64], added: Sequence[NDArray[Any]]
) -> list[NDArray[Any]]:
    """Columns of one length without their elements at `gone`, and with `added` before those at `come`."""
    count = len(columns[0])
    exchanged = [np.empty(count - len(gone) + len(come), dtype=column.dtype) for column in columns]
    starts = range(0, count + 1, _BLOCK)
    of_gone, of_come = ([*places.searchsorted(starts).tolist(), len(places)] for places in (gone, come))
    at = 0
    for number, start in enumerate(starts):
        block = slice(start, start + _BLOCK)
        leaving = gone[of_gone[number] : of_gone[number + 1]] - start
        coming = slice(of_come[number], of_come[number + 1])
        stays = np.ones(min(_BLOCK, count - start), dtype=np.bool_)
        stays[leaving] = False
        places = come[coming] - start
        places += np.arange(len(places)) - leaving.searchsorted(places)
        old = np.ones(len(stays) - len(leaving) + len(places), dtype=np.bool_)
        old[places] = False
        for column, new, its_added in zip(columns, exchanged, added, strict=True):
            part = new[at : at + len(old)]
            part[old] = column[block][stays]
            part[places] = its_added[coming]
        at += len(old)
    return exchanged


_BLOCK = 1 << 16
"""Elements: what is thrown away on the way stays in the cache, where for three millions it would be 40 MB of fresh pages."""
