"""What a hub signs: the next metadata of lists, hub, snapshot and timestamp. Nothing here reads a clock or a file.

Where more than one hub must sign, a list or the role of the hubs is a proposal first: it waits in a file of its own, and the
published one stays, until enough hubs have signed it. Snapshot and timestamp need one hub, so a timestamp waits for no other.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import UnsignedMetadataError
from tuf.api.metadata import DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from banlistd.core.fleet.publish_job import content_in, custom_fields, signed_fields, stop_in
from banlistd.core.fleet.roll_out.stops import NO_STOP, SignedStop
from banlistd.errors import FleetError
from banlistd.trust.ceremony.making import HUB, ONLINE, Offline, hub_role
from banlistd.trust.repository.lease import Lease

LIFE = timedelta(days=7)
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
    """What the repository has now. `root`: the newest that is published. `highest`: of each role, the highest version of a
    file that is there, in use or not. `proposals`: by role, what other hubs are asked to sign; none is published.
    """

    offline: Offline
    lists: dict[str, Metadata[Targets]] = field(default_factory=dict)
    hub: Metadata[Targets] | None = None
    snapshot: Metadata[Snapshot] | None = None
    timestamp: Metadata[Timestamp] | None = None
    highest: dict[str, int] = field(default_factory=dict)
    root: Metadata[Root] | None = None
    proposals: dict[str, Metadata[Targets]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Next:
    """In the order in which it is written: lists, hub, snapshot, then the timestamp. The names are those of files.

    `timestamp` None: nothing can be published yet. `has_offline`: the newest root and targets are published with it.
    `proposals`: what lacks the signature of another hub, or waits for what lacks one.
    """

    immutable: tuple[tuple[str, Metadata[Targets] | Metadata[Snapshot]], ...]
    timestamp: Metadata[Timestamp] | None
    has_offline: bool
    proposals: Mapping[str, Metadata[Targets]]


def list_targets(name: str, version: int, new: ListFiles) -> dict[str, TargetFile]:
    """What the role of a list has, under this version."""
    targets, about = {}, {"v": 1, "content": new.content, "entries": new.entries, "seq": version}
    for file, (size, digest) in new.files.items():
        path = f"{name}/{file}"
        # Only once: a role has seventeen files.
        more = signed_fields(new.stop) if file == FULL else {}
        targets[path] = TargetFile(size, {"sha256": digest}, path, {"custom": {**about, **more}})
    return targets


def list_delegations(offline: Offline, names: Collection[str]) -> Delegations:
    """What the role of the hubs delegates: each list to the keys that may sign that role, and to as many of them."""
    hubs = hub_role(offline.targets)
    roles = {
        name: DelegatedRole(name, list(hubs.keyids), hubs.threshold, terminating=True, paths=[f"{name}/*"])
        for name in sorted(names)
    }
    known = offline.targets.signed.delegations
    keys = {identity: known.keys[identity] for identity in hubs.keyids} if known and roles else {}
    return Delegations(keys, roles)


def is_proven(by: Metadata[Root] | Metadata[Targets], role: str, metadata: Metadata[_Signed]) -> bool:
    """Whether enough keys of the role have signed it."""
    try:
        by.signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (UnsignedMetadataError, ValueError):
        return False
    return True


class OnlineSigner:
    """Signs for a hub, under its lease, at a time."""

    def __init__(self, present: Present, signer: Signer, lease: Lease, now: datetime) -> None:
        self._present = present
        self._signer = signer
        self._least = lease.least
        self._now = now
        self._must_be_a_hub()

    def next(self, new: Mapping[str, ListFiles], names: Collection[str]) -> Next:
        """`new`: lists with a new content. `names`: every list that is published; one without any content waits for it."""
        if reserved := ROLE_NAMES & {*names}:
            raise FleetError(f"a list cannot be called {min(reserved)}", "give it another id")
        present, targets = self._present, self._present.offline.targets
        known = {*new, *present.lists, *present.proposals}
        made = {name: self._list(name, new.get(name)) for name in names if name in known}
        ready = [
            name
            for name, metadata in made.items()
            if is_proven(targets, HUB, metadata) or (name in present.lists and is_proven(targets, HUB, present.lists[name]))
        ]
        hub = self._hub(ready)
        for each in (hub, present.hub):
            if each is not None and is_proven(targets, HUB, each) and (lists := self._lists_of(each, made)) is not None:
                return self._published(each, lists, {**made, HUB: hub})
        return self._renewed({**made, HUB: hub})

    def _must_be_a_hub(self) -> None:
        identity, offline = self._signer.public_key.keyid, self._present.offline
        is_online = all(identity in offline.root.signed.roles[name].keyids for name in ONLINE)
        if not is_online or identity not in hub_role(offline.targets).keyids:
            raise FleetError(
                "the key of this hub does not belong to the fleet, or was revoked",
                "banlistctl fleet keys FOLDER shows those that do",
            )

    def _lists_of(self, hub: Metadata[Targets], made: Mapping[str, Metadata[Targets]]) -> dict[str, Metadata[Targets]] | None:
        """Of each list that a role of the hubs delegates, the newest that it proves; None where there is none of one."""
        found = {}
        for name in (hub.signed.delegations.roles or {}) if hub.signed.delegations else {}:
            for each in (made.get(name), self._present.lists.get(name)):
                if each is not None and is_proven(hub, name, each):
                    found[name] = each
                    break
            else:
                return None
        return found

    def _published(
        self, hub: Metadata[Targets], lists: Mapping[str, Metadata[Targets]], made: Mapping[str, Metadata[Targets]]
    ) -> Next:
        old = self._present.snapshot
        versions = dict(old.signed.meta) if old else {}
        # An entry that was there once may not go: TUF's clients would refuse the snapshot.
        versions |= {f"{name}.json": MetaFile(each.signed.version) for name, each in lists.items()}
        versions |= {"hub.json": MetaFile(hub.signed.version)}
        versions |= {"targets.json": MetaFile(self._present.offline.targets.signed.version)}
        roles, before = {**lists, HUB: hub}, {**self._present.lists, HUB: self._present.hub}
        written = [(name, each) for name, each in roles.items() if each is not before.get(name)]
        waiting = {name: each for name, each in made.items() if each not in (roles.get(name), before.get(name))}
        snapshot = self._snapshot(versions)
        files = [(f"{each.signed.version}.{name}.json", each) for name, each in written]
        return Next((*files, *self._file_of(snapshot)), self._timestamp(snapshot), has_offline=True, proposals=waiting)

    def _renewed(self, made: Mapping[str, Metadata[Targets]]) -> Next:
        """What is published stays as it is, and in force: the newest root and targets wait for the hubs that must sign."""
        old, root = self._present.snapshot, self._present.root
        before = {**self._present.lists, HUB: self._present.hub}
        waiting = {name: each for name, each in made.items() if each is not before.get(name)}
        nothing = Next((), None, has_offline=False, proposals=waiting)
        if old is None or root is None:
            return nothing
        snapshot = self._snapshot(old.signed.meta)
        timestamp = self._timestamp(snapshot)
        if not is_proven(root, "timestamp", timestamp):
            return nothing  # a new key, which nodes know once the root that names it is published
        return Next(self._file_of(snapshot), timestamp, has_offline=False, proposals=waiting)

    def _list(self, name: str, new: ListFiles | None) -> Metadata[Targets]:
        old, asked = self._present.lists.get(name), self._present.proposals.get(name)
        is_published = old is not None and (new is None or _content_of(name, old) == (new.content, new.stop))
        if old is not None and is_published and (new or not asked) and self._is_good(old, self._present.offline.targets, HUB):
            return old
        is_asked = asked is not None and (new is None or asked.signed.targets == list_targets(name, asked.signed.version, new))
        if asked is not None and is_asked and self._is_ours(asked):
            return asked
        version = self._version(name, old)
        kept = (asked or old) if new is None else None
        targets = dict(kept.signed.targets) if kept else {}
        if new is not None:
            targets = list_targets(name, version, new)
        return self._signed(Metadata(Targets(version, expires=self._now + LIFE, targets=targets)))

    def _hub(self, names: Collection[str]) -> Metadata[Targets]:
        old, asked = self._present.hub, self._present.proposals.get(HUB)
        delegations = list_delegations(self._present.offline, names)
        is_same = old is not None and old.signed.delegations == delegations
        if old is not None and is_same and self._is_good(old, self._present.offline.targets, HUB):
            return old
        if asked is not None and asked.signed.delegations == delegations and self._is_ours(asked):
            return asked
        made = Metadata(Targets(self._version(HUB, old), expires=self._now + LIFE))
        made.signed.delegations = delegations
        return self._signed(made)

    def _snapshot(self, versions: Mapping[str, MetaFile]) -> Metadata[Snapshot]:
        old, root = self._present.snapshot, self._present.offline.root
        if old is not None and old.signed.meta == versions and self._is_good(old, root, "snapshot"):
            return old
        made = Metadata(Snapshot(self._version("snapshot", old), expires=self._now + LIFE, meta=dict(versions)))
        return self._signed(made)

    def _timestamp(self, snapshot: Metadata[Snapshot]) -> Metadata[Timestamp]:
        version = self._version("timestamp", self._present.timestamp)
        timestamp = Metadata(Timestamp(version, expires=self._now + _TIMESTAMP_LIFE))
        timestamp.signed.snapshot_meta = MetaFile(snapshot.signed.version)
        timestamp.sign(self._signer)
        return timestamp

    def _file_of(self, snapshot: Metadata[Snapshot]) -> tuple[tuple[str, Metadata[Snapshot]], ...]:
        if snapshot is self._present.snapshot:
            return ()
        return ((f"{snapshot.signed.version}.snapshot.json", snapshot),)

    def _version(self, name: str, old: Metadata[_Signed] | None) -> int:
        asked = self._present.proposals.get(name)
        versions = (old.signed.version if old else 0, asked.signed.version if asked else 0, self._present.highest.get(name, 0))
        return max(self._least, max(versions) + 1)

    def _signed(self, made: Metadata[_Role]) -> Metadata[_Role]:
        made.sign(self._signer)
        return made

    def _is_ours(self, proposal: Metadata[Targets]) -> bool:
        """Whether it may go on waiting: signed by the key of today, in this term, and with life left."""
        hubs = self._present.offline.targets.signed.get_verification_result(HUB, proposal.signed_bytes, proposal.signatures)
        return self._signer.public_key.keyid in hubs.signed and self._has_life(proposal)

    def _is_good(self, metadata: Metadata[_Role], by: Metadata[Root] | Metadata[Targets], role: str) -> bool:
        """Whether it need not be signed again: proven by the keys of today, of this term, and with life left."""
        return is_proven(by, role, metadata) and self._has_life(metadata)

    def _has_life(self, metadata: Metadata[_Role]) -> bool:
        return metadata.signed.version >= self._least and metadata.signed.expires - self._now > _RENEWED


def _content_of(name: str, metadata: Metadata[Targets]) -> tuple[str, SignedStop]:
    full = metadata.signed.targets.get(f"{name}/{FULL}")
    custom = custom_fields(full.custom if full else None)
    return content_in(custom), stop_in(custom)
