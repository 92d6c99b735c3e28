"""The record that we write into a jail to know its content later: markers, fingerprints of maps, the jail's counters. Pure.

A jail cannot store a marker together with its bans. But it counts: how many it bans now, and how many it has banned since
fail2ban started. A ban raises the second number, and an unban lowers the first. As long as both are equal to those in the
record, and no action was repaired, the jail has the content that the record describes.
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
    """The counters of a jail. `epochs`: how often each action lost its bans and was repaired."""

    current: int
    total: int
    epochs: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Record:
    """Fingerprints of the sources, of the allowed networks, and of each map by name; all SHA-256 in hexadecimal."""

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
    """The record of its text; None if it cannot be read: then the content of the jail is unknown."""
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
    """The parts of the expected state that differ from the record."""
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
