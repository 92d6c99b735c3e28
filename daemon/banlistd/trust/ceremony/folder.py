"""The folder that goes from person to person, with the offline files of a fleet. It has nothing secret in it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Signed, Snapshot, Targets, Timestamp
from tuf.api.serialization import DeserializationError

from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError
from banlistd.trust.ceremony.as_made import must_name_keys
from banlistd.trust.ceremony.keys import key_label
from banlistd.trust.ceremony.making import Offline
from banlistd.trust.ceremony.proving import SignatureState, root_state, targets_state
from banlistd.trust.repository.files import write_whole

_FILE = re.compile(r"([1-9][0-9]{0,8})\.(root|targets)\.json", re.ASCII)
_LARGEST = 512 * 1024
"""Bytes of one file; TUF's own client takes as much of a root."""

_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)


class Folder:
    """Offline files by their versions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def roots(self) -> list[Metadata[Root]]:
        """Every root, the oldest first. Raises FleetError."""
        return [self._read(version, Root) for version in self._versions("root")]

    def newest_targets(self) -> Metadata[Targets] | None:
        """Raises FleetError."""
        versions = self._versions("targets")
        return self._read(versions[-1], Targets) if versions else None

    def newest(self) -> Offline:
        """Raises FleetError where there is none."""
        roots, targets = self.roots(), self.newest_targets()
        if not roots or targets is None:
            raise FleetError(f"there is no fleet in {quoted(str(self.path))}", "banlistctl fleet init FOLDER makes one")
        return Offline(roots[-1], targets)

    def states(self) -> tuple[SignatureState, SignatureState]:
        """Of the newest root and targets. Raises FleetError."""
        newest, roots = self.newest(), self.roots()
        before = roots[-2] if len(roots) > 1 else None
        return root_state(newest.root, before), targets_state(newest.targets, newest.root)

    def write(self, offline: Offline) -> tuple[str, str]:
        """Both files, whole or not at all; their names. Raises FleetFileError."""
        return self._write(offline.root, "root"), self._write(offline.targets, "targets")

    def sign(self, signer: Signer, shown: Offline | None = None) -> list[str]:
        """Sign what this key may sign of the newest root and targets; the names of the files. `shown`: what a person has seen,
        who means nothing else; another one may have signed it meanwhile. Raises FleetError.
        """
        newest, roots = self.newest(), self.roots()
        if shown and any(
            one.signed_bytes != seen.signed_bytes for one, seen in ((newest.root, shown.root), (newest.targets, shown.targets))
        ):
            raise FleetError("the root or the targets have changed meanwhile, and were not signed", "look at them again")
        identity, signed = signer.public_key.keyid, []
        may_root = {key for root in roots[-2:] for key in root.signed.roles["root"].keyids}
        if identity in may_root and not (len(roots) == 1 and identity not in newest.root.signed.roles["root"].keyids):
            newest.root.sign(signer, append=True)
            signed.append(self._write(newest.root, "root"))
        if identity in newest.root.signed.roles["targets"].keyids:
            newest.targets.sign(signer, append=True)
            signed.append(self._write(newest.targets, "targets"))
        if not signed:
            known = ", ".join(sorted(key_label(key) for key in newest.root.signed.keys.values()))
            raise FleetError("this key signs neither the root nor the targets of this fleet", f"the fleet has {known}")
        return signed

    def _versions(self, kind: str) -> list[int]:
        return sorted(version for version, each in self._files() if each == kind)

    def _files(self) -> Iterator[tuple[int, str]]:
        try:
            names = [entry.name for entry in self.path.iterdir()] if self.path.is_dir() else []
        except OSError as error:
            raise FleetFileError(f"cannot read {quoted(str(self.path))}: {error.strerror}") from error
        for name in names:
            if match := _FILE.fullmatch(name):
                yield int(match[1]), match[2]

    def _read(self, version: int, kind: type[_Signed]) -> Metadata[_Signed]:
        path = self.path / f"{version}.{kind.type}.json"
        metadata = read_signed(path, kind)
        signed: Signed = metadata.signed
        if isinstance(signed, Root):
            must_name_keys(path.name, signed.keys)
        elif isinstance(signed, Targets) and signed.delegations:
            must_name_keys(path.name, signed.delegations.keys)
        return metadata

    def _write(self, metadata: Metadata[Root] | Metadata[Targets], kind: str) -> str:
        name = f"{metadata.signed.version}.{kind}.json"
        write_whole(self.path / name, metadata.to_bytes())
        return name


def read_signed(path: Path, kind: type[_Signed]) -> Metadata[_Signed]:
    """A file of metadata, read but not verified. Raises FleetError."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(str(path))}: {error.strerror}") from error
    try:
        metadata = Metadata[_Signed].from_bytes(content)
    except (DeserializationError, RepositoryError, ValueError) as error:
        raise FleetError(f"{quoted(str(path))} is no metadata of a fleet: {quoted(str(error))}") from error
    version, is_named = metadata.signed.version, path.name != "timestamp.json"
    if metadata.signed.type != kind.type or (is_named and not path.name.startswith(f"{version}.")):
        raise FleetError(f"{quoted(str(path))} is not what its name says")
    return metadata
