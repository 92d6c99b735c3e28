"""What stands, against what shall stand: the record, the shape and number of each set, a sample of its elements, the rules.

Never a listing of a set; but the kernel counts a set's elements when it is asked for their number (16 ms for a million).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import numpy as np

from banlistd.adapters.firewalls.ipset.changing import digest_of_map, digest_of_ranges
from banlistd.adapters.firewalls.ipset.entries import Entries, entries_of, questions, split
from banlistd.adapters.firewalls.ipset.iptables import SavedTables, meant, rule_lines
from banlistd.adapters.firewalls.ipset.record import Filled, Record, Rules, digest_of_text, read
from banlistd.adapters.firewalls.ipset.sets import ALLOWED, APPLIED, fits, is_fresh, is_ours, set_of, wanted_sets
from banlistd.adapters.firewalls.ipset.wire import IpsetSocket
from banlistd.core.ruleset.state import FirewallState, MapEntries, MapId, Verification
from banlistd.model import Family, Marker, SourceSlot

SAMPLE = 32
"""So many elements of each set are asked for: a set with one element in ten exchanged is found out 29 times in 30."""


@dataclass(frozen=True, slots=True)
class Look:
    """The names of our sets, and what the record says.

    `gathering`: sets whose content is not in force yet, or will never be, because who gathered it was killed.
    """

    names: frozenset[str]
    gathering: frozenset[str]
    record: Record


def look_at(wire: IpsetSocket) -> Look:
    ours = frozenset(filter(is_ours, wire.names()))
    gathering = frozenset(filter(is_fresh, ours))
    return Look(ours - gathering, gathering, read(wire.dump(APPLIED)))


def markers_of(look: Look) -> tuple[Marker, ...]:
    """Believed while every set stands that the record tells of."""
    return look.record.in_order() if look.record.filled.keys() <= look.names else ()


def rules_digests(sources: tuple[SourceSlot, ...], standing: Mapping[Family, SavedTables]) -> Rules:
    """What was meant, and how it is told."""
    return Rules(
        meant=digest_of_text(line for family in standing for line in meant(sources, family)),
        told=digest_of_text(line for family, one in sorted(standing.items()) for line in (family, *rule_lines(one))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Digests:
    """Of a holding, kept for as long as it is the one that is asked about."""

    state: FirewallState
    maps: Mapping[MapId, str]

    @classmethod
    def of(cls, state: FirewallState) -> "Digests":
        return cls(state, {map_id: digest_of_map(map_id, map_entries) for map_id, map_entries in state.map_entries.items()})


def faults_of(
    wire: IpsetSocket, look: Look, digests: Digests, standing: Mapping[Family, SavedTables] | None, chance: Random
) -> Verification:
    """`standing`: the rules; None where they need no look, because the record has none."""
    state = digests.state
    record = look.record
    shaped = _no_surplus(wire, look, state) and wanted_sets(state.sources) <= look.names
    shaped = shaped and standing is not None and record.rules == rules_digests(state.sources, standing)
    for family, ranges in state.allowed.items():
        name = ALLOWED[family]
        entries = split(family, ranges.first, ranges.last, None)
        shaped = shaped and _holds(wire, name, record.filled.get(name), digest_of_ranges(ranges), _some(entries, chance))
    wrong = [
        map_id
        for map_id, map_entries in state.map_entries.items()
        if not _holds(
            wire, set_of(map_id), record.filled.get(set_of(map_id)), digests.maps[map_id], _sample(map_id, map_entries, chance)
        )
    ]
    return Verification(not shaped, frozenset(wrong))


def _no_surplus(wire: IpsetSocket, look: Look, state: FirewallState) -> bool:
    """A set that a rule of somebody else looks into cannot go, and does no harm: it is empty."""
    headers = (wire.header(name) for name in look.names - wanted_sets(state.sources))
    return all(header is None or header.references for header in headers)


def _holds(wire: IpsetSocket, name: str, filled: Filled | None, digest: str, sample: Entries) -> bool:
    if filled is None or filled.digest != digest:
        return False
    header = wire.header(name)
    if header is None or not fits(name, header) or header.elements != filled.count:
        return False
    return all(wire.test(name, [*questions(sample)]))


def _sample(map_id: MapId, map_entries: MapEntries, chance: Random) -> Entries:
    chosen = np.array(sorted(chance.sample(range(len(map_entries)), min(SAMPLE, len(map_entries)))), dtype=np.int64)
    return _some(entries_of(map_id, map_entries.where(chosen)), chance)


def _some(entries: Entries, chance: Random) -> Entries:
    return entries.where(sorted(chance.sample(range(len(entries)), min(SAMPLE, len(entries)))))
