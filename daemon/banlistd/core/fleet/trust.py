"""What a node knows of its fleet, and what a pull from the mirrors gives. Values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from banlistd.core.addresses.sets import AddressSet
from banlistd.model import ContentHash


class MirrorFault(StrEnum):
    """Why a mirror was of no use. REFUSED: what it gave is not proven, or older than what was seen. EXPIRED: it was signed too
    long ago. ABSENT: it does not answer, or has no such file.
    """

    REFUSED = "refused"
    EXPIRED = "expired"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class MirrorRefusal:
    """`reason`: foreign text, bounded. `list`: the only one that the mirror did not give; empty: it gave none."""

    mirror: str
    fault: MirrorFault
    reason: str
    list: str = ""


@dataclass(frozen=True, slots=True)
class FleetState:
    """When a fleet was last verified and by what. Times are seconds since the epoch; versions are TUF's, 0: none yet.

    `floor`: the latest moment at which anything was verified; metadata that was expired then is not valid again because the
    clock is set back. `root_hash`: SHA-256 of the newest root. `expires_at`: of the timestamp, which a hub signs every hour.
    """

    floor: float = 0.0
    root_version: int = 0
    root_hash: str = ""
    timestamp_version: int = 0
    expires_at: float = 0.0
    mirror: str = ""


@dataclass(frozen=True, slots=True)
class KnownTrust:
    """`rows`: metadata that was verified, by the names that python-tuf gives it."""

    rows: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    state: FleetState = FleetState()


@dataclass(frozen=True, slots=True, eq=False)
class WantedList:
    """A list that is asked for. `known`: the content that need not be fetched again; `base`: the one that a delta may lead
    from, with its hash; None: there is none. `max_bytes`: of the file, and of the list. `compares`: the mirror with the newest
    timestamp is asked first, because one that is slow may not know yet what was withdrawn.
    """

    name: str
    known: str
    base: AddressSet | None = field(repr=False)
    base_hash: str
    max_bytes: int
    compares: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SignedList:
    """A list as the hub has signed it. `seq`: the hub counts its contents. `addresses`: None where it is the known content.
    `octets`: of its file. `withdrawn`: 16 digits each of earlier contents that must not be taken any more.
    """

    content_hash: ContentHash
    entries: int
    seq: int
    addresses: AddressSet | None = field(default=None, repr=False)
    octets: int = 0
    is_delta: bool = False
    withdrawn: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Pulled:
    """What came of one pull. `rows`: metadata that was verified and is new. `lists`: None for one that the fleet does not have;
    one that is not in it was not available from any mirror. `refused`: in the order of the mirrors.
    """

    rows: Mapping[str, bytes] = field(repr=False)
    state: FleetState
    lists: Mapping[str, SignedList | None]
    refused: tuple[MirrorRefusal, ...]
    octets: int = 0
    requests: int = 0
