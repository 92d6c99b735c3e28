"""What the firewall shall hold. Pure: contents and policy in, a Holding out.

Ownership: an address belongs to the first source in order that holds it; sources that block come before those that only
watch. The firewall looks single addresses up before networks, so a single address needs no hole in the network around it.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from banlistd.core.addresses import FAMILIES, Addresses, AddressSet, Ranges, subtract, union_of
from banlistd.core.holding import LANES, MARK_DTYPE, Holding, Kind, MapId, Owned, maps_of
from banlistd.model import Direction, Family, Mark, Marker, Owner, SourceId


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
        ban, watch = (LANES[direction][blocks][0] for blocks in (True, False))
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
