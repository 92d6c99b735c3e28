"""Compares the present state with the desired one: record, shape and size of each set, a sample of its elements, the rules.

No set is listed; but the kernel counts a set's elements when it is asked for their number (16 ms for a million).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from banlistd.adapters.firewalls.ipset.changing import digest_of_map, digest_of_ranges
from banlistd.adapters.firewalls.ipset.entries import Entries, entries_of, questions, split
from banlistd.adapters.firewalls.ipset.iptables import SavedTables, expected_lines, rule_lines
from banlistd.adapters.firewalls.ipset.record import Filled, Record, Rules, digest_of_text, read
from banlistd.adapters.firewalls.ipset.services import services_of
from banlistd.adapters.firewalls.ipset.sets import ALLOWED, APPLIED, SERVICES, fits, is_fresh, is_ours, set_of, wanted_sets
from banlistd.adapters.firewalls.ipset.wire import IpsetSocket
from banlistd.core.ruleset.state import FirewallState, MapEntries, MapId, Verification
from banlistd.model import Family, Marker, SourceSlot

SAMPLE = 32
"""Elements of each set that are asked for: this finds a set with one element in ten exchanged 29 times in 30."""


@dataclass(frozen=True, slots=True)
class Look:
    """The names of our sets, and what the record says.

    `gathering`: sets that are being filled, or that a killed process left behind; no rule uses them.
    """

    names: frozenset[str]
    gathering: frozenset[str]
    record: Record


def look_at(wire: IpsetSocket) -> Look:
    ours = frozenset(filter(is_ours, wire.names()))
    gathering = frozenset(filter(is_fresh, ours))
    return Look(ours - gathering, gathering, read(wire.dump(APPLIED)))


def markers_of(look: Look) -> tuple[Marker, ...]:
    """The markers of the record, none if a set of the record is missing."""
    return look.record.in_order() if look.record.filled.keys() <= look.names else ()


def rules_digests(sources: tuple[SourceSlot, ...], ruleset: Mapping[Family, SavedTables]) -> Rules:
    """Digests of the rules that these sources need, and of `ruleset`, the rules that iptables reports."""
    return Rules(
        expected=digest_of_text(line for family in ruleset for line in expected_lines(sources, family)),
        reported=digest_of_text(line for family, one in sorted(ruleset.items()) for line in (family, *rule_lines(one))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Digests:
    """The digests of a state's maps, kept for as long as `verify` gets the same state."""

    state: FirewallState
    maps: Mapping[MapId, str]

    @classmethod
    def of(cls, state: FirewallState) -> "Digests":
        return cls(state, {map_id: digest_of_map(map_id, map_entries) for map_id, map_entries in state.map_entries.items()})


def faults_of(
    wire: IpsetSocket, look: Look, digests: Digests, ruleset: Mapping[Family, SavedTables] | None, chance: Random
) -> Verification:
    """`ruleset`: the rules that iptables reports; None if they were not read, because the record has none."""
    state = digests.state
    record = look.record
    shaped = _no_surplus(wire, look, state) and wanted_sets(state.sources) <= look.names
    shaped = shaped and ruleset is not None and record.rules == rules_digests(state.sources, ruleset)
    for family, name in SERVICES.items():
        services = services_of(family, state.answers)
        some = chance.sample(services.elements, min(SAMPLE, len(services)))
        shaped = shaped and _set_fits(wire, name, record.filled.get(name), services.digest, some)
    for family, ranges in state.allowed.items():
        name = ALLOWED[family]
        entries = split(family, ranges.first, ranges.last, None)
        sample = [*questions(_some(entries, chance))]
        shaped = shaped and _set_fits(wire, name, record.filled.get(name), digest_of_ranges(ranges), sample)
    wrong = [
        map_id
        for map_id, map_entries in state.map_entries.items()
        if not _set_fits(
            wire,
            set_of(map_id),
            record.filled.get(set_of(map_id)),
            digests.maps[map_id],
            [*questions(_sample(map_id, map_entries, chance))],
        )
    ]
    return Verification(not shaped, frozenset(wrong))


def _no_surplus(wire: IpsetSocket, look: Look, state: FirewallState) -> bool:
    """A surplus set that a foreign rule refers to cannot be destroyed, and does no harm: it is empty."""
    headers = (wire.header(name) for name in look.names - wanted_sets(state.sources))
    return all(header is None or header.references for header in headers)


def _set_fits(wire: IpsetSocket, name: str, filled: Filled | None, digest: str, sample: Sequence[bytes]) -> bool:
    if filled is None or filled.digest != digest:
        return False
    header = wire.header(name)
    if header is None or not fits(name, header) or header.elements != filled.count:
        return False
    return all(wire.test(name, sample))


def _sample(map_id: MapId, map_entries: MapEntries, chance: Random) -> Entries:
    chosen = np.array(sorted(chance.sample(range(len(map_entries)), min(SAMPLE, len(map_entries)))), dtype=np.int64)
    return _some(entries_of(map_id, map_entries.where(chosen)), chance)


def _some(entries: Entries, chance: Random) -> Entries:
    return entries.where(sorted(chance.sample(range(len(entries)), min(SAMPLE, len(entries)))))
