"""The desired state of the firewall. Pure: contents and policy in, a FirewallState out.

Ownership: an address belongs to the first source in order that lists it; sources that block come before those that only
watch. Sources in shadow share maps of their own, whatever others list, and so do those of each scope. The firewall looks
single addresses up before networks, so a single address needs no hole in the network around it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from banlistd.core.addresses.arrays import without
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, subtract, union_of
from banlistd.core.ruleset.state import (
    HOOKS_BY_DIRECTION,
    MARK_DTYPE,
    SHADOWS,
    FirewallState,
    Hook,
    Kind,
    MapEntries,
    MapId,
    maps_of,
)
from banlistd.model import Direction, Family, Mark, Marker, ServiceEndpoint, SourceId, SourceSlot


def plan(
    sources: Sequence[SourceSlot],
    contents: Mapping[SourceId, AddressSet],
    allowed: Mapping[Family, Ranges],
    never_banned: Mapping[Family, Ranges],
    markers: Sequence[Marker],
    answers: Sequence[ServiceEndpoint] = (),
) -> FirewallState:
    """The desired state of the firewall.

    `sources`: the enabled ones in order. `contents`: the addresses of each; a source without content has none.
    `allowed`: what the administrator lets pass. `never_banned`: what must never be banned (allowed, reserved, protected).
    `answers`: what passes from addresses that are banned.
    """
    map_entries: dict[MapId, MapEntries] = {}
    for direction in (Direction.IN, Direction.OUT):
        for family in FAMILIES:
            map_entries |= map_entries_for(direction, family, sources, contents, never_banned[family])
    maps = {map_id: map_entries[map_id] for map_id in maps_of(sources)}
    return FirewallState(tuple(sources), maps, dict(allowed), tuple(markers), tuple(answers))


def map_entries_for(
    direction: Direction,
    family: Family,
    sources: Sequence[SourceSlot],
    contents: Mapping[SourceId, AddressSet],
    never_banned: Ranges,
) -> Mapping[MapId, MapEntries]:
    """The elements of one direction's maps of one family, IN or OUT. An address is owned whatever other addresses are."""
    ban, watch = (HOOKS_BY_DIRECTION[direction][blocks][0] for blocks in (True, False))
    concerned = [owner for owner in sources if owner.direction in (direction, Direction.BOTH)]
    plain = [owner for owner in concerned if not owner.shadow and not owner.scope_number]
    queue = sorted(plain, key=lambda owner: not owner.action.blocks)
    hosts, nets = _divide(family, queue, contents, never_banned)
    blocking = {int(owner.mark) for owner in queue if owner.action.blocks}
    (shadow,) = SHADOWS[direction]
    apart = {shadow: [owner for owner in concerned if owner.shadow]}
    for number in sorted({owner.scope_number for owner in concerned} - {0}):
        apart[Hook.of_scope(number, direction)] = [owner for owner in concerned if owner.scope_number == number]
    divided = {hook: _divide(family, owners, contents, never_banned) for hook, owners in apart.items()}
    return {
        MapId(hook, kind, family): map_entries
        for hook, found in divided.items()
        for kind, map_entries in zip(Kind, found, strict=True)
    } | {
        MapId(hook, kind, family): _of_lane(map_entries, queue, blocking, blocks=blocks)
        for hook, blocks in ((ban, True), (watch, False))
        for kind, map_entries in ((Kind.HOSTS, hosts), (Kind.NETS, nets))
    }


def _divide(
    family: Family, queue: Sequence[SourceSlot], contents: Mapping[SourceId, AddressSet], never_banned: Ranges
) -> tuple[MapEntries, MapEntries]:
    """Hosts and networks of one family, each address with its first holder."""
    taken = Ranges.none(family)
    hosts: list[tuple[Mark, Addresses]] = []
    nets: list[tuple[Mark, Ranges]] = []
    for owner in queue:
        content = contents.get(owner.source_id)
        if content is None:
            continue
        free = without(content.hosts(family), never_banned.first, never_banned.last)
        hosts.append((owner.mark, without(free, taken.first, taken.last)))
        mine = content.nets(family)
        if len(mine):
            nets.append((owner.mark, subtract(subtract(mine, never_banned), taken)))
            taken = union_of(family, np.concatenate([taken.first, mine.first]), np.concatenate([taken.last, mine.last]))
    return _merge_hosts(family, hosts), _merge_nets(family, nets)


def _merge_hosts(family: Family, parts: Sequence[tuple[Mark, Addresses]]) -> MapEntries:
    """Of equal addresses the earlier source's stays."""
    parts = [part for part in parts if len(part[1])]
    if not parts:
        return MapEntries.none(family)
    if len(parts) == 1:
        ((mark, first),) = parts
        return MapEntries(family, first, first, np.full(len(first), mark, dtype=MARK_DTYPE))
    every = np.concatenate([addresses for _, addresses in parts])
    places = np.repeat(np.arange(len(parts), dtype=np.uint16), [len(addresses) for _, addresses in parts])
    every, places = _in_order(every, places)
    keep = np.ones(len(every), dtype=np.bool_)
    keep[1:] = every[1:] != every[:-1]
    first = every[keep]
    return MapEntries(family, first, first, np.array([mark for mark, _ in parts], dtype=MARK_DTYPE)[places[keep]])


def _in_order(every: Addresses, places: np.typing.NDArray[np.uint16]) -> tuple[Addresses, np.typing.NDArray[np.uint16]]:
    """Sorted by address, then by place. As one number each where that fits (measured against a stable argsort: 1M of 60 lists
    7 ms, not 37; 3.3M of two 47 ms, not 25).
    """
    if every.dtype != np.uint32:
        order = np.argsort(every, kind="stable")
        return every[order], places[order]
    both = every.astype(np.uint64)
    both <<= np.uint64(16)
    both |= places
    both.sort()
    return (both >> np.uint64(16)).astype(np.uint32), both.astype(np.uint16)


def _merge_nets(family: Family, parts: Sequence[tuple[Mark, Ranges]]) -> MapEntries:
    parts = [part for part in parts if len(part[1])]
    if not parts:
        return MapEntries.none(family)
    first = np.concatenate([ranges.first for _, ranges in parts])
    last = np.concatenate([ranges.last for _, ranges in parts])
    marks = np.concatenate([np.full(len(ranges), mark, dtype=MARK_DTYPE) for mark, ranges in parts])
    order = np.argsort(first, kind="stable")
    return MapEntries(family, first[order], last[order], marks[order])


def _of_lane(map_entries: MapEntries, queue: Sequence[SourceSlot], blocking: set[int], *, blocks: bool) -> MapEntries:
    if len(blocking) == (len(queue) if blocks else 0):
        return map_entries
    chosen = np.zeros(2**16, dtype=np.bool_)
    chosen[[int(owner.mark) for owner in queue if owner.action.blocks is blocks]] = True
    return map_entries.where(chosen[map_entries.mark])
