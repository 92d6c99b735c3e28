"""A fleet's repository on disk, made by python-tuf: three keys of root (two sign), an offline key, and two hubs."""

import copy
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from banlistd.core.addresses.fleet_files.files import delta_file, whole_file
from banlistd.core.addresses.sets import AddressSet

_COMPACT = JSONSerializer(compact=True)


def in_time(seconds: float) -> datetime:
    """So long from now; TUF knows whole seconds."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


DAY = 86_400.0


@dataclass
class Repository:
    """`folder`: what mirrors copy. `first_root`: what nodes pin. Nothing is signed before `publish`. `threshold`: how many hubs
    must sign what hubs sign.
    """

    folder: Path
    names: Sequence[str] = ("drop",)
    hubs: dict[str, CryptoSigner] = field(default_factory=dict)
    threshold: int = 1

    def __post_init__(self) -> None:
        new = CryptoSigner.generate_ed25519
        (self.folder / "metadata").mkdir(parents=True)
        self.root_keys, self.targets_key = [new() for _ in range(3)], new()
        self.hubs |= {"a": new(), "b": new()}
        self.root = Metadata(Root(expires=in_time(365 * DAY), consistent_snapshot=True))
        for key in self.root_keys:
            self.root.signed.add_key(key.public_key, "root")
        self.root.signed.roles["root"].threshold = 2
        self.root.signed.add_key(self.targets_key.public_key, "targets")
        self.targets = Metadata(Targets(expires=in_time(365 * DAY)))
        self.targets.signed.delegations = Delegations(
            {}, {"hub": DelegatedRole("hub", [], self.threshold, terminating=True, paths=["*/*"])}
        )
        self.hub = Metadata(Targets(expires=in_time(7 * DAY)))
        roles = {name: DelegatedRole(name, [], self.threshold, terminating=True, paths=[f"{name}/*"]) for name in self.names}
        self.hub.signed.delegations = Delegations({}, roles)
        for hub in self.hubs.values():
            for top in ("timestamp", "snapshot"):
                self.root.signed.add_key(hub.public_key, top)
            self.targets.signed.add_key(hub.public_key, "hub")
            for name in self.names:
                self.hub.signed.add_key(hub.public_key, name)
        self.lists = {name: Metadata(Targets(expires=in_time(7 * DAY))) for name in self.names}
        for top in ("timestamp", "snapshot"):
            self.root.signed.roles[top].threshold = self.threshold
        self.snapshot = Metadata(Snapshot(expires=in_time(7 * DAY)))
        self.timestamp = Metadata(Timestamp(expires=in_time(DAY)))
        self.contents: dict[str, list[AddressSet]] = {name: [] for name in self.names}
        self.first_root = self.write_root(self.root_keys[:2])
        self.write("targets", self.targets, [self.targets_key])
        signing = [*self.hubs.values()][: self.threshold]
        self.write("hub", self.hub, signing)
        for name, metadata in self.lists.items():
            self.write(name, metadata, signing)

    def put(self, name: str, metadata: Metadata[Any], keys: Iterable[CryptoSigner]) -> bytes:
        octets = signed(metadata, keys)
        (self.folder / "metadata" / name).write_bytes(octets)
        return octets

    def write_root(self, keys: Iterable[CryptoSigner]) -> bytes:
        return self.put(f"{self.root.signed.version}.root.json", self.root, keys)

    def write(self, name: str, metadata: Metadata[Any], keys: Iterable[CryptoSigner]) -> None:
        """Into the next snapshot."""
        self.put(f"{metadata.signed.version}.{name}.json", metadata, keys)
        self.snapshot.signed.meta[f"{name}.json"] = MetaFile(metadata.signed.version)

    def publish(
        self,
        contents: Mapping[str, AddressSet] = {},
        hub: str = "a",
        *,
        expires: float = DAY,
        jump: int = 1,
        files: Mapping[str, bytes] = {},
    ) -> None:
        """New contents of lists, each with deltas from those before. `hub`: letters of those that sign. `files`: what is signed
        in place of the right file.
        """
        keys = [self.hubs[letter] for letter in hub]
        for name, content in contents.items():
            role, before = self.lists[name].signed, self.contents[name]
            role.targets.clear()
            made = {"full.blz": files.get(name, whole_file(content))}
            made |= {f"{base.content_hash()[:16]}.bld": delta_file(base, content) for base in before[-16:]}
            made |= {path.partition("/")[2]: octets for path, octets in files.items() if path.startswith(f"{name}/")}
            custom = {"v": 1, "content": content.content_hash(), "entries": len(content), "seq": len(before) + 1}
            for file, octets in made.items():
                digest = hashlib.sha256(octets).hexdigest()
                place = self.folder / "targets" / name / f"{digest}.{file}"
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(octets)
                path = f"{name}/{file}"
                role.targets[path] = TargetFile(len(octets), {"sha256": digest}, path, {"custom": custom})
            before.append(content)
            role.version += jump
            self.write(name, self.lists[name], keys)
        self.snapshot.signed.version += jump
        self.put(f"{self.snapshot.signed.version}.snapshot.json", self.snapshot, keys)
        self.timestamp.signed.version += jump
        self.timestamp.signed.snapshot_meta = MetaFile(self.snapshot.signed.version)
        self.timestamp.signed.expires = in_time(expires)
        self.put("timestamp.json", self.timestamp, keys)

    def renew(self, later: float) -> None:
        """Give everything that hub a signs, but the timestamp, the life that it has when signed so many seconds from now."""
        for name, metadata in {"hub": self.hub, **self.lists}.items():
            metadata.signed.version += 1
            metadata.signed.expires = in_time(later + 7 * DAY)
            self.write(name, metadata, [self.hubs["a"]])
        self.snapshot.signed.expires = in_time(later + 7 * DAY)

    def revoke(self, hub: str, by: str) -> None:
        """A new root and new delegations without the key of a hub, signed by the people and by the other hub."""
        key_id = self.hubs.pop(hub).public_key.keyid
        self.root.signed.version += 1
        for top in ("timestamp", "snapshot"):
            self.root.signed.revoke_key(key_id, top)
        self.write_root(self.root_keys[1:])
        self.targets.signed.version += 1
        self.targets.signed.revoke_key(key_id, "hub")
        self.write("targets", self.targets, [self.targets_key])
        self.hub.signed.version += 1
        for name in self.names:
            self.hub.signed.revoke_key(key_id, name)
        self.write("hub", self.hub, [self.hubs[by]])
        for name in self.names:
            self.lists[name].signed.version += 1
            self.write(name, self.lists[name], [self.hubs[by]])
        self.publish({}, by)

    def rotate_root(self) -> None:
        """One of the keys of root is replaced by a new one."""
        new = CryptoSigner.generate_ed25519()
        before = self.root_keys[:2]
        self.root.signed.version += 1
        self.root.signed.revoke_key(self.root_keys[0].public_key.keyid, "root")
        self.root.signed.add_key(new.public_key, "root")
        self.root_keys = [*self.root_keys[1:], new]
        self.write_root([*before, *self.root_keys[:2]])

    def copy_of(self, what: str) -> Metadata[Any]:
        """To be changed and signed by a test."""
        return copy.deepcopy(getattr(self, what))


def signed(metadata: Metadata[Any], keys: Iterable[CryptoSigner]) -> bytes:
    metadata.signatures.clear()
    for key in keys:
        metadata.sign(key, append=True)
    return metadata.to_bytes(_COMPACT)
