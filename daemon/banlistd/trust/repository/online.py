"""What a hub signs: the next metadata of lists, hub, snapshot and timestamp. Nothing here reads a clock or a file."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from banlistd.core.fleet.publish_job import signed_fields
from banlistd.core.fleet.roll_out.stops import NO_STOP, SignedStop
from banlistd.errors import FleetError
from banlistd.trust.ceremony.making import HUB, ONLINE, Offline
from banlistd.trust.repository.lease import Lease

_LIFE = timedelta(days=7)
"""Of what a hub signs, the timestamp excepted."""

_TIMESTAMP_LIFE = timedelta(days=1)
_RENEWED = timedelta(days=3, hours=12)
"""What is left of a life when it is signed again: a hub may be down for three days."""

FULL = "full.blz"
"""The whole file of a list, which every node looks at first."""

ROLE_NAMES = frozenset({"root", "targets", "snapshot", "timestamp", HUB})
"""Names that no list may have."""

_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)
_Role = TypeVar("_Role", Targets, Snapshot)


@dataclass(frozen=True, slots=True)
class ListFiles:
    """A new content of a list. `content`: its hash, 64 hex digits. `files`: size and SHA-256 by name, as the job has them, and
    so is `stop`.
    """

    content: str
    entries: int
    files: Mapping[str, tuple[int, str]]
    stop: SignedStop = NO_STOP


@dataclass(slots=True)
class Present:
    """What the repository has now. `highest`: of each role, the highest version of a file that is there, in use or not."""

    offline: Offline
    lists: dict[str, Metadata[Targets]] = field(default_factory=dict)
    hub: Metadata[Targets] | None = None
    snapshot: Metadata[Snapshot] | None = None
    timestamp: Metadata[Timestamp] | None = None
    highest: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Next:
    """In the order in which it is written: lists, hub, snapshot, then the timestamp. The names are those of files."""

    immutable: tuple[tuple[str, Metadata[Targets] | Metadata[Snapshot]], ...]
    timestamp: Metadata[Timestamp]


class OnlineSigner:
    """Signs for a hub, under its lease, at a time."""

    def __init__(self, present: Present, signer: Signer, lease: Lease, now: datetime) -> None:
        self._present = present
        self._signer = signer
        self._least = lease.least
        self._now = now
        self._written: list[tuple[str, Metadata[Targets] | Metadata[Snapshot]]] = []
        self._must_be_a_hub()

    def next(self, new: Mapping[str, ListFiles], names: Collection[str]) -> Next:
        """`new`: lists with a new content. `names`: every list that is published; one without any content waits for it."""
        if reserved := ROLE_NAMES & {*names}:
            raise FleetError(f"a list cannot be called {min(reserved)}", "give it another id")
        present = self._present
        delegated = {name: self._list(name, new.get(name)) for name in names if name in new or name in present.lists}
        hub = self._hub(delegated)
        versions = dict(present.snapshot.signed.meta) if present.snapshot else {}
        # An entry that was there once may not go: TUF's clients would refuse the snapshot.
        versions |= {f"{name}.json": MetaFile(made.signed.version) for name, made in delegated.items()}
        versions |= {"hub.json": MetaFile(hub.signed.version)}
        versions |= {"targets.json": MetaFile(present.offline.targets.signed.version)}
        snapshot = self._snapshot(versions)
        timestamp = Metadata(Timestamp(self._version("timestamp", present.timestamp), expires=self._now + _TIMESTAMP_LIFE))
        timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
        timestamp.sign(self._signer)
        return Next(tuple(self._written), timestamp)

    def _must_be_a_hub(self) -> None:
        identity, offline = self._signer.public_key.keyid, self._present.offline
        if not all(identity in offline.root.signed.roles[name].keyids for name in ONLINE) or identity not in self._hubs:
            raise FleetError(
                "the key of this hub does not belong to the fleet, or was revoked",
                "banlistctl fleet keys FOLDER shows those that do",
            )

    @property
    def _hubs(self) -> list[str]:
        delegations = self._present.offline.targets.signed.delegations
        return list((delegations.roles or {})[HUB].keyids) if delegations else []

    def _list(self, name: str, new: ListFiles | None) -> Metadata[Targets]:
        old = self._present.lists.get(name)
        hub = self._present.hub
        if new is None and old is not None and hub is not None and self._is_good(old, hub, name):
            return old
        targets = dict(old.signed.targets) if old and new is None else {}
        made = Metadata(Targets(self._version(name, old), expires=self._now + _LIFE, targets=targets))
        if new is not None:
            about = {"v": 1, "content": new.content, "entries": new.entries, "seq": made.signed.version}
            for file, (size, digest) in new.files.items():
                path = f"{name}/{file}"
                # Only once: a role has seventeen files.
                more = signed_fields(new.stop) if file == FULL else {}
                targets[path] = TargetFile(size, {"sha256": digest}, path, {"custom": {**about, **more}})
        return self._signed(name, made)

    def _hub(self, delegated: Mapping[str, Metadata[Targets]]) -> Metadata[Targets]:
        old, ids = self._present.hub, self._hubs
        roles = {name: DelegatedRole(name, ids, 1, terminating=True, paths=[f"{name}/*"]) for name in sorted(delegated)}
        keys = {identity: self._key(identity) for identity in ids} if roles else {}
        delegations = Delegations(keys, roles)
        is_same = old is not None and old.signed.delegations == delegations
        if old is not None and is_same and self._is_good(old, self._present.offline.targets, HUB):
            return old
        made = Metadata(Targets(self._version(HUB, old), expires=self._now + _LIFE))
        made.signed.delegations = delegations
        return self._signed(HUB, made)

    def _snapshot(self, versions: Mapping[str, MetaFile]) -> Metadata[Snapshot]:
        old = self._present.snapshot
        if old is not None and old.signed.meta == versions and self._is_good(old, self._present.offline.root, "snapshot"):
            return old
        made = Metadata(Snapshot(self._version("snapshot", old), expires=self._now + _LIFE, meta=dict(versions)))
        return self._signed("snapshot", made)

    def _key(self, identity: str) -> Key:
        delegations = self._present.offline.targets.signed.delegations
        if delegations is None:
            raise FleetError("the targets of the fleet delegate nothing")
        return delegations.keys[identity]

    def _version(self, name: str, old: Metadata[_Signed] | None) -> int:
        return max(self._least, self._present.highest.get(name, 0) + 1, old.signed.version + 1 if old else 1)

    def _signed(self, name: str, made: Metadata[_Role]) -> Metadata[_Role]:
        made.sign(self._signer)
        self._written.append((f"{made.signed.version}.{name}.json", made))
        return made

    def _is_good(self, metadata: Metadata[_Role], by: Metadata[Root] | Metadata[Targets], role: str) -> bool:
        """Whether it need not be signed again: proven by the keys of today, of this term, and with life left."""
        try:
            by.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except (UnsignedMetadataError, ValueError):
            return False
        return metadata.signed.version >= self._least and metadata.signed.expires - self._now > _RENEWED
