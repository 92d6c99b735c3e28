"""What a hub asks the other hubs to sign, and what they have signed: two files beside the metadata, which no node reads.

`pending.json`: `v`, `fleet`, `since` (by role: seconds since the epoch), and `metadata` (by role: TUF's, with the signatures so
far). `cosigned.json`: `v`, `fleet`, `signatures` (`role`, `version`, `keyid`, `sig`) and `refused` (`role`, `version`,
`reason`). Nothing in them is believed: a signature counts if it is one.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from securesystemslib.signer import Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Targets
from tuf.api.serialization import DeserializationError

from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError
from banlistd.trust.ceremony.making import HUB, Offline, hub_role
from banlistd.trust.repository.files import write_whole

PENDING, COSIGNED = "pending.json", "cosigned.json"
_LARGEST = 8 * 2**20
_LARGEST_ROLE = 1_000_000
"""Octets, as nodes have it."""

_HIGHEST_VERSION = 2**31 - 1
"""Of all terms of a fleet together (`lease`). JSON has numbers that are no versions, too: 1.5, NaN and 1e400."""

_MOST_SIGNATURES = 4096
_MOST_TRIES = 8
"""Signatures of one key for one role that are looked at in a text: a hub may sign the same version for several others."""


@dataclass(frozen=True, slots=True)
class Proposals:
    """By role. `since`: when each was asked for first, seconds since the epoch."""

    metadata: Mapping[str, Metadata[Targets]] = field(default_factory=dict)
    since: Mapping[str, float] = field(default_factory=dict)


def read_proposals(public: Path) -> Proposals:
    """Of our own folder; none where the file is damaged, which is written again. Raises FleetFileError."""
    try:
        with (public / PENDING).open("rb") as file:
            content = file.read(_LARGEST)
    except FileNotFoundError:
        return Proposals()
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(public / PENDING))}: {error.strerror}") from error
    try:
        document = json.loads(content)
        since = {str(role): float(at) for role, at in document["since"].items()}
        return Proposals({role: proposal_of(text) for role, text in document["metadata"].items()}, since)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, FleetError):
        return Proposals()


def write_proposals(public: Path, fleet: str, proposals: Mapping[str, Metadata[Targets]], since: Mapping[str, float]) -> None:
    """Nothing is written where there was nothing, and is nothing. Raises FleetFileError."""
    path = public / PENDING
    if not proposals and not path.exists():
        return
    document = {
        "v": 1,
        "fleet": fleet,
        "since": {role: since[role] for role in proposals},
        "metadata": {role: json.loads(metadata.to_bytes()) for role, metadata in proposals.items()},
    }
    content = json.dumps(document, separators=(",", ":")).encode()
    try:
        is_same = path.exists() and path.read_bytes() == content
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(path))}: {error.strerror}") from error
    if not is_same:
        write_whole(path, content)


def proposal_of(document: Any) -> Metadata[Targets]:
    """Raises FleetError for what is no metadata of lists."""
    try:
        content = json.dumps(document).encode()
        metadata = Metadata[Targets].from_bytes(content) if len(content) <= _LARGEST_ROLE else None
    except (DeserializationError, RepositoryError, ValueError, RecursionError) as error:
        raise FleetError("a proposal is no metadata of a list") from error
    if metadata is None or metadata.signed.type != Targets.type:
        raise FleetError("a proposal is no metadata of a list")
    version: Any = metadata.signed.version
    if type(version) is not int or not 0 < version <= _HIGHEST_VERSION:
        raise FleetError("a proposal has a version that no hub writes")
    return metadata


def proposal_text(text: str) -> Any:
    """The JSON of one proposal. Raises FleetError."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FleetError("a proposal is no JSON") from error


def add_signatures(proposals: Mapping[str, Metadata[Targets]], offline: Offline, cosigned: Iterable[str]) -> None:
    """Add what other hubs have signed. `cosigned`: texts of their files, foreign."""
    ids, delegations = hub_role(offline.targets).keyids, offline.targets.signed.delegations
    keys = delegations.keys if delegations else {}
    octets = {role: metadata.signed_bytes for role, metadata in proposals.items()}  # once: of a long role, it takes long
    for text in cosigned:
        tries = Counter[tuple[str, str]]()
        for role, version, keyid, sig in _signatures(text):
            metadata = proposals.get(role)
            if metadata is None or metadata.signed.version != version or keyid not in ids or keyid not in keys:
                continue
            tries[role, keyid] += 1
            if tries[role, keyid] > _MOST_TRIES:
                continue
            before = dict(metadata.signatures)
            metadata.signatures[keyid] = Signature(keyid, sig)
            found = offline.targets.signed.get_verification_result(HUB, octets[role], metadata.signatures)
            if keyid not in found.signed:
                metadata.signatures.clear()
                metadata.signatures.update(before)


def _signatures(text: str) -> list[tuple[str, int, str, str]]:
    """An entry that is none takes no other one away."""
    try:
        found = json.loads(text)["signatures"][:_MOST_SIGNATURES]
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
    rows: list[tuple[Any, Any, Any, Any]] = [
        (one.get("role"), one.get("version"), one.get("keyid"), one.get("sig")) for one in found if isinstance(one, dict)
    ]
    return [row for row in rows if (*map(type, row),) == (str, int, str, str)]


def write_cosigned(
    public: Path, fleet: str, signatures: Sequence[Mapping[str, Any]], refused: Sequence[Mapping[str, Any]]
) -> None:
    """Raises FleetFileError."""
    document = {"v": 1, "fleet": fleet, "signatures": list(signatures), "refused": list(refused)}
    write_whole(public / COSIGNED, json.dumps(document, separators=(",", ":")).encode())
