"""Decides, from a Change and the present sets, which commands firewall.py sends. Pure: values in, values out.

A change of a few elements is made in place. A set whose content is unknown, that is too small, or that changes for the most
part, is filled under another name and swapped. In both cases one call makes the change and writes the record: even if the
process is killed, a set has its old or its new content, and the record says which. The services whose answers pass come first,
then additions, swaps (networks before single addresses), and deletions, so that no packet of a lasting ban passes.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.ipset.entries import Delta, Entries, delta_of, element_messages, entries_of, split
from banlistd.adapters.firewalls.ipset.record import Filled, Record, Rules, digest_of, write
from banlistd.adapters.firewalls.ipset.services import ServiceEntries, services_of
from banlistd.adapters.firewalls.ipset.sets import ALLOWED, PREFIX, SERVICES, fresh, set_of, shape_of, wanted_sets
from banlistd.adapters.firewalls.ipset.wire import IPSET_CMD_ADD, IPSET_CMD_DEL, Commands
from banlistd.core.addresses.sets import Ranges
from banlistd.core.ruleset.diff import Change, MapChange
from banlistd.core.ruleset.state import Kind, MapEntries, MapId, maps_of
from banlistd.model import Marker

# Up to so many elements change in place, however few stay: additions before deletions leave no gap between two sets.
_FEW = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`gathered`: the content of sets that are filled under another name and swapped. `deltas`: changes in place.

    `made`: sets to create. `surplus`: sets of ours that are no longer wanted. `filled`: what the record says of the sets
    afterwards. `elements`: how many map elements are written or removed.
    """

    made: AbstractSet[str]
    gathered: Mapping[str, Entries | ServiceEntries]
    deltas: Mapping[str, Delta]
    surplus: AbstractSet[str]
    filled: Mapping[str, Filled]
    elements: int


def plan_of(change: Change, record: Record, present: AbstractSet[str], *, apart: bool = False) -> Plan:
    """`present`: the names of our sets that exist. `apart`: change nothing in place."""
    wanted = wanted_sets(change.sources)
    filled = {name: one for name, one in record.filled.items() if name in wanted}
    gathered: dict[str, Entries | ServiceEntries] = {}
    deltas: dict[str, Delta] = {}
    elements = 0
    for item in change.maps:
        name = set_of(item.map)
        before = None if apart or change.replace or name not in present else filled.get(name)
        delta = _in_place(item, before) if before else None
        if before and delta is not None:
            deltas[name] = delta
            filled[name] = _after(before, delta, digest_of_map(item.map, item.whole))
            elements += len(item.add) + len(item.remove)
        else:
            gathered[name] = entries_of(item.map, item.whole)
            filled[name] = _new(name, len(gathered[name]), digest_of_map(item.map, item.whole))
            elements += len(item.whole)
    for family, ranges in (change.allowed or {}).items():
        name = ALLOWED[family]
        gathered[name] = split(family, ranges.first, ranges.last, None)
        filled[name] = _new(name, len(gathered[name]), digest_of_ranges(ranges))
    for family, name in SERVICES.items() if change.answers is not None else ():
        services = services_of(family, change.answers or ())
        gathered[name], filled[name] = services, _new(name, len(services), services.digest)
    return Plan(wanted - present, gathered, deltas, present - wanted, filled, elements)


def record_of(change: Change, before: Record, plan: Plan, rules: Rules | None) -> Record:
    """The record after the change. It has no marker unless the content of every wanted set is known."""
    markers = {} if change.replace else dict(before.markers)
    for mark in change.retired:
        markers.pop(mark, None)
    markers |= {marker.mark: marker for marker in change.markers}
    whole = all(set_of(map_id) in plan.filled for map_id in maps_of(change.sources))
    unknown: dict[object, Marker] = {}
    return Record(markers if whole else unknown, plan.filled, rules)  # type: ignore[arg-type]


def compose(plan: Plan, record: Record) -> Commands:
    """All commands of the one call."""
    commands = Commands()
    services = plan.gathered.keys() & SERVICES.values()
    for name in sorted(services):
        commands.swap(fresh(name), name)
    for name, delta in plan.deltas.items():
        _add(commands, IPSET_CMD_ADD, name, delta.fresh, strict=True)
        # An element that exists and is added without NLM_F_EXCL gets the new mark (measured).
        _add(commands, IPSET_CMD_ADD, name, delta.changed, strict=False)
    for name in sorted(plan.gathered.keys() - services, key=_networks_first):
        commands.swap(fresh(name), name)
    for name, delta in plan.deltas.items():
        _add(commands, IPSET_CMD_DEL, name, delta.gone, strict=True)
    write(commands, record)
    for name in plan.gathered:
        commands.destroy(fresh(name))
    return commands


def _networks_first(name: str) -> tuple[bool, str]:
    return str(Kind.HOSTS) in name.removeprefix(PREFIX), name


def _add(commands: Commands, kind: int, name: str, entries: Entries, *, strict: bool) -> None:
    if len(entries):
        commands.add_block(element_messages(kind, commands.next_sequence, name, entries, strict=strict))


def _in_place(item: MapChange, before: Filled) -> Delta | None:
    """The changes in place, or None if the set is to be filled and swapped."""
    if item.replace or len(item.add) + len(item.remove) > max(_FEW, len(item.whole)):
        return None
    delta = delta_of(entries_of(item.map, item.add), entries_of(item.map, item.remove))
    return delta if before.count + len(delta.fresh) <= before.size else None


def _after(before: Filled, delta: Delta, digest: str) -> Filled:
    return Filled(before.count + len(delta.fresh) - len(delta.gone), before.size, digest)


def _new(name: str, count: int, digest: str) -> Filled:
    return Filled(count, shape_of(name, count).size, digest)


def digest_of_map(map_id: MapId, map_entries: MapEntries) -> str:
    ends = () if map_id.kind is Kind.HOSTS else (map_entries.last,)
    return digest_of(map_entries.first, *ends, map_entries.mark)


def digest_of_ranges(ranges: Ranges) -> str:
    return digest_of(ranges.first, ranges.last)
