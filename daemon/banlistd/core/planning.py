"""What the firewall shall hold, and the Change that brings it there. Pure: snapshots in, values out.

Ownership: an address belongs to the first source in order that holds it; sources that block come before those that only
watch. The firewall looks single addresses up before networks, so a single address needs no hole in the network around it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses import (
    FAMILIES,
    Addresses,
    AddressSet,
    Ranges,
    no_addresses,
    subtract,
    to_text,
    union_of,
)
from banlistd.model import Direction, Family, Mark, Marker, Owner, SourceId

MARK_DTYPE = np.dtype(np.uint16)


class Lane(StrEnum):
    """Which packets a map is asked about: by source address or by destination, to be banned or only watched."""

    IN = "in"
    OUT = "out"
    WATCH_IN = "watch_in"
    WATCH_OUT = "watch_out"


class Kind(StrEnum):
    HOSTS = "hosts"
    NETS = "nets"


@dataclass(frozen=True, slots=True, order=True)
class MapId:
    """One map of the firewall: `hosts4`, `nets6`, `out_hosts4`, `watch_in_nets4`."""

    lane: Lane
    kind: Kind
    family: Family

    @property
    def name(self) -> str:
        prefix = "" if self.lane is Lane.IN else f"{self.lane}_"
        return f"{prefix}{self.kind}{4 if self.family is Family.IPV4 else 6}"


_LANES: Mapping[Direction, Mapping[bool, Sequence[Lane]]] = {
    Direction.IN: {True: (Lane.IN,), False: (Lane.WATCH_IN,)},
    Direction.OUT: {True: (Lane.OUT,), False: (Lane.WATCH_OUT,)},
    Direction.BOTH: {True: (Lane.IN, Lane.OUT), False: (Lane.WATCH_IN, Lane.WATCH_OUT)},
}


def lanes_of(owner: Owner) -> Sequence[Lane]:
    return _LANES[owner.direction][owner.action.blocks]


def lanes_used(roster: Iterable[Owner]) -> tuple[Lane, ...]:
    """The lanes that need maps: the first always, so that an empty firewall has its shape; others when asked for."""
    used = {Lane.IN} | {lane for owner in roster for lane in lanes_of(owner)}
    return tuple(lane for lane in Lane if lane in used)


def maps_of(roster: Iterable[Owner]) -> tuple[MapId, ...]:
    return tuple(MapId(lane, kind, family) for lane in lanes_used(roster) for family in FAMILIES for kind in Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Owned:
    """Elements of one map: inclusive ranges, disjoint, sorted by `first`, each with its owner's mark.

    In a hosts map `last` equals `first`. Shapes (n,); `mark` is `uint16`.
    """

    family: Family
    first: Addresses
    last: Addresses
    mark: NDArray[np.uint16]

    @classmethod
    def none(cls, family: Family) -> Self:
        return cls(family, no_addresses(family), no_addresses(family), np.empty(0, dtype=MARK_DTYPE))

    def __len__(self) -> int:
        return len(self.first)

    def where(self, keep: NDArray[np.bool_]) -> "Owned":
        first = self.first[keep]
        return Owned(self.family, first, first if self.last is self.first else self.last[keep], self.mark[keep])

    def owner_of(self, address: Addresses) -> Mark | None:
        """The mark of the element that holds an address (an array of one), or None."""
        at = int(np.searchsorted(self.first, address, side="right")[0]) - 1
        return Mark(int(self.mark[at])) if at >= 0 and bool(address[0] <= self.last[at]) else None


@dataclass(frozen=True, slots=True, eq=False)
class Holding:
    """All that the firewall holds, or shall hold. `owned` has a key for each of `maps_of(roster)`."""

    roster: tuple[Owner, ...]
    owned: Mapping[MapId, Owned]
    allowed: Mapping[Family, Ranges]
    markers: tuple[Marker, ...]

    def __len__(self) -> int:
        return sum(len(owned) for owned in self.owned.values())


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at the kernel found wrong. Nothing wrong: it holds what we think."""

    structure: bool = False
    maps: frozenset[MapId] = frozenset()

    @property
    def sound(self) -> bool:
        return not self.structure and not self.maps


@dataclass(frozen=True, slots=True, eq=False)
class MapChange:
    """One map: `remove` goes, `add` comes, and then it holds `whole`.

    `replace`: what it held is not known, so empty it first; then `add` is `whole`.
    """

    map: MapId
    whole: Owned
    add: Owned
    remove: Owned
    replace: bool


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One transaction, as a value. `reshape`: tables, chains and rules are to be written for `roster`.

    `allowed`: the networks that pass before any ban, or None where they stay as they are. `markers` are written,
    markers of the marks in `retired` are removed. `replace`: nothing is known of what stands; start from nothing.
    """

    roster: tuple[Owner, ...]
    reshape: bool
    replace: bool
    maps: tuple[MapChange, ...]
    allowed: Mapping[Family, Ranges] | None
    markers: tuple[Marker, ...]
    retired: tuple[Mark, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.reshape or self.maps or self.allowed is not None or self.markers or self.retired)

    @property
    def added(self) -> int:
        return sum(len(change.add) for change in self.maps)

    @property
    def removed(self) -> int:
        return sum(len(change.remove) for change in self.maps)

    def counts(self) -> Mapping[SourceId, tuple[int, int]]:
        """Elements added and removed, by source."""
        size = 1 + max((int(owner.mark) for owner in self.roster), default=0)
        added, removed = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        for change in self.maps:
            added += np.bincount(change.add.mark, minlength=size)[:size]
            removed += np.bincount(change.remove.mark[change.remove.mark < size], minlength=size)[:size]
        return {owner.source_id: (int(added[owner.mark]), int(removed[owner.mark])) for owner in self.roster}

    def describe(self, most: int = 10) -> list[str]:
        """The change for a person: a line for each kind of thing that would happen."""
        lines = ["write tables, chains and rules"] if self.reshape else []
        lines += [f"forget the source with mark {mark}" for mark in self.retired]
        for change in self.maps:
            verb = "replace all of" if change.replace else "change"
            lines.append(f"{verb} {change.map.name}: +{len(change.add)} -{len(change.remove)}, then {len(change.whole)}")
            lines += _sample("+", change.add, most) + _sample("-", change.remove, most)
        if self.allowed is not None:
            lines.append(f"let pass {sum(len(ranges) for ranges in self.allowed.values())} allowed ranges")
        lines += [f"mark {marker.source_id} as {marker.content_hash[:12]}" for marker in self.markers]
        return lines


def _sample(sign: str, owned: Owned, most: int) -> list[str]:
    lines = []
    for first, last in zip(owned.first[:most], owned.last[:most], strict=True):
        text = to_text(owned.family, first)
        lines.append(f"  {sign} {text}" if first == last else f"  {sign} {text} - {to_text(owned.family, last)}")
    return lines if len(owned) <= most else [*lines, f"  {sign} ... and {len(owned) - most} more"]


def plan(
    roster: Sequence[Owner],
    contents: Mapping[SourceId, AddressSet],
    allowed: Mapping[Family, Ranges],
    barred: Mapping[Family, Ranges],
    markers: Sequence[Marker],
) -> Holding:
    """What the firewall shall hold.

    `roster`: the enabled sources in order. `contents`: what each holds; a source without content holds nothing.
    `allowed`: what the administrator lets pass. `barred`: what must never be banned (allowed, reserved, protected).
    """
    owned: dict[MapId, Owned] = {}
    for direction in (Direction.IN, Direction.OUT):
        ban, watch = (_LANES[direction][blocks][0] for blocks in (True, False))
        queue = sorted(
            (owner for owner in roster if owner.direction in (direction, Direction.BOTH)),
            key=lambda owner: not owner.action.blocks,
        )
        for family in FAMILIES:
            hosts, nets = _divide(family, queue, contents, barred[family])
            blocking = {int(owner.mark) for owner in queue if owner.action.blocks}
            for lane, wanted in ((ban, True), (watch, False)):
                owned[MapId(lane, Kind.HOSTS, family)] = _of_lane(hosts, queue, blocking, blocks=wanted)
                owned[MapId(lane, Kind.NETS, family)] = _of_lane(nets, queue, blocking, blocks=wanted)
    needed = maps_of(roster)
    return Holding(tuple(roster), {map_id: owned[map_id] for map_id in needed}, dict(allowed), tuple(markers))


def _divide(
    family: Family, queue: Sequence[Owner], contents: Mapping[SourceId, AddressSet], barred: Ranges
) -> tuple[Owned, Owned]:
    """Hosts and networks of one family, each address with its first holder."""
    taken = Ranges.none(family)
    hosts: list[tuple[Mark, Addresses]] = []
    nets: list[tuple[Mark, Ranges]] = []
    for owner in queue:
        content = contents.get(owner.source_id)
        if content is None:
            continue
        singles = content.hosts(family)
        hosts.append((owner.mark, singles[~(barred.contains(singles) | taken.contains(singles))]))
        mine = content.nets(family)
        if len(mine):
            nets.append((owner.mark, subtract(subtract(mine, barred), taken)))
            taken = union_of(family, np.concatenate([taken.first, mine.first]), np.concatenate([taken.last, mine.last]))
    return _merge_hosts(family, hosts), _merge_nets(family, nets)


def _merge_hosts(family: Family, parts: Sequence[tuple[Mark, Addresses]]) -> Owned:
    parts = [part for part in parts if len(part[1])]
    if not parts:
        return Owned.none(family)
    marks = np.concatenate([np.full(len(addresses), mark, dtype=MARK_DTYPE) for mark, addresses in parts])
    if len(parts) == 1:
        return Owned(family, parts[0][1], parts[0][1], marks)
    every = np.concatenate([addresses for _, addresses in parts])
    # Stable: of equal addresses the earlier source's comes first. It also merges sorted runs in linear time.
    order = np.argsort(every, kind="stable")
    every = every[order]
    keep = np.ones(len(every), dtype=np.bool_)
    keep[1:] = every[1:] != every[:-1]
    first = every[keep]
    return Owned(family, first, first, marks[order[keep]])


def _merge_nets(family: Family, parts: Sequence[tuple[Mark, Ranges]]) -> Owned:
    parts = [part for part in parts if len(part[1])]
    if not parts:
        return Owned.none(family)
    first = np.concatenate([ranges.first for _, ranges in parts])
    last = np.concatenate([ranges.last for _, ranges in parts])
    marks = np.concatenate([np.full(len(ranges), mark, dtype=MARK_DTYPE) for mark, ranges in parts])
    order = np.argsort(first, kind="stable")
    return Owned(family, first[order], last[order], marks[order])


def _of_lane(owned: Owned, queue: Sequence[Owner], blocking: set[int], *, blocks: bool) -> Owned:
    if len(blocking) == (len(queue) if blocks else 0):
        return owned
    chosen = np.zeros(2**16, dtype=np.bool_)
    chosen[[int(owner.mark) for owner in queue if owner.action.blocks is blocks]] = True
    return owned.where(chosen[owned.mark])


def difference(present: Holding | None, desired: Holding, verdict: Verdict = Verdict()) -> Change:
    """The Change from what stands to what shall stand. `present` None: unknown, so all is written anew."""
    if present is None:
        return Change(
            desired.roster, reshape=True, replace=True, maps=_all_anew(desired), allowed=desired.allowed,
            markers=desired.markers, retired=(),
        )  # fmt: skip
    maps = []
    for map_id, wanted in desired.owned.items():
        held = present.owned.get(map_id)
        if held is None or map_id in verdict.maps:
            maps.append(MapChange(map_id, wanted, wanted, Owned.none(map_id.family), replace=True))
            continue
        add, remove = _element_difference(held, wanted)
        if len(add) or len(remove):
            maps.append(MapChange(map_id, wanted, add, remove, replace=False))
    same_allowed = all(present.allowed[family] == desired.allowed[family] for family in FAMILIES)
    known = set(present.markers)
    kept_marks = {marker.mark for marker in desired.markers}
    return Change(
        desired.roster,
        reshape=verdict.structure or present.roster != desired.roster,
        replace=False,
        maps=tuple(maps),
        allowed=None if same_allowed and not verdict.structure else desired.allowed,
        markers=tuple(marker for marker in desired.markers if marker not in known),
        retired=tuple(marker.mark for marker in present.markers if marker.mark not in kept_marks),
    )


def contents_of(maps: Mapping[MapId, Owned]) -> Mapping[Mark, AddressSet]:
    """What each owner holds, as a content: planned again under the same policy, it leads to the same maps."""
    marks = sorted({int(mark) for owned in maps.values() for mark in np.flatnonzero(np.bincount(owned.mark))})
    contents = {}
    for mark in marks:
        columns: list[Addresses] = []
        for family in FAMILIES:
            mine = [owned.where(owned.mark == mark) for map_id, owned in maps.items() if map_id.family is family]
            columns += [np.concatenate([no_addresses(family), *(part.first for part in mine)])]
            columns += [np.concatenate([no_addresses(family), *(part.last for part in mine)])]
        contents[Mark(mark)] = AddressSet.of(*columns)
    return contents


def _all_anew(desired: Holding) -> tuple[MapChange, ...]:
    return tuple(
        MapChange(map_id, wanted, wanted, Owned.none(map_id.family), replace=True)
        for map_id, wanted in desired.owned.items()
    )


def _element_difference(held: Owned, wanted: Owned) -> tuple[Owned, Owned]:
    """What `wanted` has more (to add) and what `held` has more (to remove)."""
    if np.array_equal(held.first, wanted.first) and np.array_equal(held.last, wanted.last):
        other = held.mark != wanted.mark
        return wanted.where(other), held.where(other)
    if not len(wanted) or not len(held):
        return wanted, held
    at = np.minimum(np.searchsorted(wanted.first, held.first), len(wanted) - 1)
    stays = (wanted.first[at] == held.first) & (wanted.last[at] == held.last) & (wanted.mark[at] == held.mark)
    is_new = np.ones(len(wanted), dtype=np.bool_)
    is_new[at[stays]] = False
    return wanted.where(is_new), held.where(~stays)
