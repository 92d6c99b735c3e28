"""What we leave in a jail to know later what it holds: markers, fingerprints of the maps, and the jail's counters. Pure.

A jail has no place for a marker that is written together with its bans. But it counts: how many it bans now, and how many it
has banned since fail2ban started. Whoever bans, raises the second number, and whoever only unbans, lowers the first: while both
stand as they are in the record, and no action had to be repaired, the jail holds what the record says.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from banlistd.core.addresses.sets import AddressSet, Ranges
from banlistd.core.ruleset.state import FirewallState, MapEntries, Verification
from banlistd.model import ContentHash, Family, Mark, Marker, PolicyHash, SourceId, SourceSlot

RECORD_VERSION = 1


@dataclass(frozen=True, slots=True)
class State:
    """What a jail says of itself. `epochs`: how often each action lost what it had banned, and had to be repaired."""

    current: int
    total: int
    epochs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """Fingerprints: of the roster, of what is allowed, and of each map, by its name."""

    state: State
    sources: str
    allowed: str
    maps: Mapping[str, str]
    markers: tuple[Marker, ...]


def write(record: Record) -> str:
    document = asdict(record)
    # The key that version 1 wrote.
    document["roster"] = document.pop("sources")
    return json.dumps({"version": RECORD_VERSION, **document}, separators=(",", ":"))


def read(text: object) -> Record | None:
    """The record of its text; None for what is none: then nothing is known of the jail."""
    try:
        document = json.loads(text) if isinstance(text, str) else {}
        if document["version"] != RECORD_VERSION:
            return None
        state = document["state"]
        return Record(
            State(int(state["current"]), int(state["total"]), {str(name): int(n) for name, n in state["epochs"].items()}),
            str(document["roster"]),
            str(document["allowed"]),
            {str(name): str(fingerprint) for name, fingerprint in document["maps"].items()},
            tuple(
                Marker(
                    Mark(int(item["mark"])),
                    SourceId(str(item["source_id"])),
                    ContentHash(str(item["content_hash"])),
                    PolicyHash(str(item["policy_hash"])),
                )
                for item in document["markers"]
            ),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def record_of(expected: FirewallState, state: State) -> Record:
    return Record(
        state,
        sources_print(expected.sources),
        allowed_print(expected.allowed),
        {map_id.name: map_print(map_entries) for map_id, map_entries in expected.map_entries.items()},
        expected.markers,
    )


def verify(record: Record, expected: FirewallState) -> Verification:
    """What of a holding is not as the record has it."""
    shaped = (record.sources, record.allowed) == (sources_print(expected.sources), allowed_print(expected.allowed))
    wrong = (
        map_id for map_id, map_entries in expected.map_entries.items() if record.maps.get(map_id.name) != map_print(map_entries)
    )
    return Verification(not shaped, frozenset(wrong))


def sources_print(sources: tuple[SourceSlot, ...]) -> str:
    return hashlib.sha256(json.dumps([[*map(str, asdict(owner).values())] for owner in sources]).encode()).hexdigest()


def allowed_print(allowed: Mapping[Family, Ranges]) -> str:
    return hashlib.sha256(AddressSet.of_ranges(allowed).encode()).hexdigest()


def map_print(map_entries: MapEntries) -> str:
    digest = hashlib.sha256(map_entries.first.tobytes())
    for column in (map_entries.last, map_entries.mark):
        digest.update(column.tobytes())
    return digest.hexdigest()
