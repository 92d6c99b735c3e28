"""The state of the firewall, as a value: maps, their elements with an owner each, what is allowed, markers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import distinct
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, no_addresses, union_of
from banlistd.model import Direction, Family, Mark, Marker, ServiceEndpoint, SourceSlot
from banlistd.scopes.names import MOST_NUMBERS
from banlistd.scopes.scope import Scope

MARK_DTYPE = np.dtype(np.uint16)


class Hook(StrEnum):
    """Which packets a map is asked about: by source address or by destination, to be banned, only watched, or counted
    first; or by one of them, to be banned if they are in a scope.
    """

    IN = "in"
    OUT = "out"
    WATCH_IN = "watch_in"
    WATCH_OUT = "watch_out"
    SHADOW_IN = "shadow_in"
    SHADOW_OUT = "shadow_out"
    # A constant number of scopes: what exists in a kernel can be listed without knowing the configuration.
    _ignore_ = "_number _end"
    for _number in range(1, MOST_NUMBERS + 1):
        for _end in ("in", "out"):
            vars()[f"SCOPE{_number}_{_end.upper()}"] = f"scope{_number}_{_end}"

    @property
    def outward(self) -> bool:
        """Whether packets are looked up by destination."""
        return self.endswith("out")

    @property
    def end(self) -> Direction:
        """Which of the two directions it is of."""
        return Direction.OUT if self.outward else Direction.IN

    @property
    def scope_number(self) -> int:
        """Of the scope whose packets it is about; 0: it is about all packets."""
        return int(self.removeprefix("scope").partition("_")[0]) if self.startswith("scope") else 0

    @classmethod
    def of_scope(cls, number: int, direction: Direction) -> "Hook":
        """`direction`: IN or OUT."""
        return cls(f"scope{number}_{direction}")


class Kind(StrEnum):
    HOSTS = "hosts"
    NETS = "nets"


@dataclass(frozen=True, slots=True, order=True)
class MapId:
    """One map of the firewall: `hosts4`, `nets6`, `out_hosts4`, `watch_in_nets4`."""

    hook: Hook
    kind: Kind
    family: Family

    @property
    def name(self) -> str:
        prefix = "" if self.hook is Hook.IN else f"{self.hook}_"
        return f"{prefix}{self.kind}{4 if self.family is Family.IPV4 else 6}"


HOOKS_BY_DIRECTION: Mapping[Direction, Mapping[bool, Sequence[Hook]]] = {
    Direction.IN: {True: (Hook.IN,), False: (Hook.WATCH_IN,)},
    Direction.OUT: {True: (Hook.OUT,), False: (Hook.WATCH_OUT,)},
    Direction.BOTH: {True: (Hook.IN, Hook.OUT), False: (Hook.WATCH_IN, Hook.WATCH_OUT)},
}


SHADOWS: Mapping[Direction, Sequence[Hook]] = {
    Direction.IN: (Hook.SHADOW_IN,),
    Direction.OUT: (Hook.SHADOW_OUT,),
    Direction.BOTH: (Hook.SHADOW_IN, Hook.SHADOW_OUT),
}
"""The hooks of sources that count packets before a blocking source takes them."""


def scopes_of_hooks(sources: Sequence[SourceSlot]) -> Mapping[Hook, Scope]:
    """For which packets the maps of each hook are, where that is not all packets; in the order in which packets are asked."""
    return {hook: owner.scope for owner in sources if owner.scope and owner.scope_number for hook in hooks_of(owner)}


def hooks_of(owner: SourceSlot) -> Sequence[Hook]:
    if owner.scope_number:
        both = (Direction.IN, Direction.OUT)
        return tuple(Hook.of_scope(owner.scope_number, way) for way in both if owner.direction in (way, Direction.BOTH))
    if owner.shadow:
        return SHADOWS[owner.direction]
    return HOOKS_BY_DIRECTION[owner.direction][owner.action.blocks]


def hooks_used(sources: Iterable[SourceSlot]) -> tuple[Hook, ...]:
    """The hooks that need maps: the first always, so that an empty firewall has its shape; others when asked for."""
    used = {Hook.IN} | {hook for owner in sources for hook in hooks_of(owner)}
    return tuple(hook for hook in Hook if hook in used)


def maps_of(sources: Iterable[SourceSlot]) -> tuple[MapId, ...]:
    return tuple(MapId(hook, kind, family) for hook in hooks_used(sources) for family in FAMILIES for kind in Kind)


@dataclass(frozen=True, slots=True, eq=False)
class MapEntries:
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

    def where(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "MapEntries":
        """Some elements, by a mask or by their places."""
        first = self.first[chosen]
        return MapEntries(self.family, first, first if self.last is self.first else self.last[chosen], self.mark[chosen])

    def owner_of(self, address: Addresses) -> Mark | None:
        """The mark of the element that contains an address (an array of one), or None."""
        at = int(np.searchsorted(self.first, address, side="right")[0]) - 1
        return Mark(int(self.mark[at])) if at >= 0 and bool(address[0] <= self.last[at]) else None


@dataclass(frozen=True, slots=True, eq=False)
class FirewallState:
    """The present or desired state of the firewall. `map_entries` has a key for each of `maps_of(sources)`.

    `answers`: what passes from addresses that are banned, sorted.
    """

    sources: tuple[SourceSlot, ...]
    map_entries: Mapping[MapId, MapEntries]
    allowed: Mapping[Family, Ranges]
    markers: tuple[Marker, ...]
    answers: tuple[ServiceEndpoint, ...] = ()

    def __len__(self) -> int:
        return sum(len(map_entries) for map_entries in self.map_entries.values())


@dataclass(frozen=True, slots=True)
class Verification:
    """What a look at the kernel found wrong. Nothing wrong: the kernel has the expected state."""

    structure: bool = False
    maps: frozenset[MapId] = frozenset()

    @property
    def sound(self) -> bool:
        return not self.structure and not self.maps


SOUND = Verification()
"""Nothing is wrong."""


def contents_of(maps: Mapping[MapId, MapEntries]) -> Mapping[Mark, AddressSet]:
    """The addresses of each source, as a content: planned again under the same policy, it leads to the same maps.

    That is why a single address that is left of a network stays one of the networks here, where it is in no normal form.
    """
    marks = sorted({int(mark) for map_entries in maps.values() for mark in np.flatnonzero(np.bincount(map_entries.mark))})
    contents = {}
    for mark in marks:
        mine = {map_id: map_entries.where(map_entries.mark == mark) for map_id, map_entries in maps.items()}
        (hosts4, nets4), (hosts6, nets6) = (_parts_of(family, mine) for family in FAMILIES)
        contents[Mark(mark)] = AddressSet(hosts4, nets4, hosts6, nets6)
    return contents


def _parts_of(family: Family, maps: Mapping[MapId, MapEntries]) -> tuple[Addresses, Ranges]:
    """Each once, in whichever hooks it is."""
    hosts, nets = (
        [map_entries for map_id, map_entries in maps.items() if map_id.family is family and map_id.kind is kind]
        for kind in Kind
    )
    none = no_addresses(family)
    first, last = (np.concatenate([none, *(getattr(map_entries, end) for map_entries in nets)]) for end in ("first", "last"))
    return distinct(np.concatenate([none, *(map_entries.first for map_entries in hosts)])), union_of(family, first, last)
