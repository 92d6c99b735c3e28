"""The folder of a hub: what is public, what came from the owners of the fleet, and the lease."""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from banlistd.core.fleet.publish_job import KnownContent, content_in
from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError
from banlistd.trust.ceremony.folder import Folder, read_signed
from banlistd.trust.ceremony.making import HUB, Offline
from banlistd.trust.ceremony.proving import must_be_signed, must_follow
from banlistd.trust.repository.files import make_public_folder, pass_to_owner
from banlistd.trust.repository.online import FULL, Present
from banlistd.trust.repository.proposals import Proposals, read_proposals

_FILE = re.compile(r"([1-9][0-9]{0,9})\.([a-z0-9][a-z0-9-]{0,39})\.json", re.ASCII)


class HubFolder:
    """`$STATE_DIRECTORY/fleet`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.public = path / "public"
        self.metadata = self.public / "metadata"
        self.offline = Folder(path / "offline")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process publishes meanwhile. Raises FleetError where one does."""
        try:
            make_public_folder(self.path)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
            # Root may have made it, and the daemon opens it, too.
            pass_to_owner(descriptor, self.path)
        except OSError as error:
            raise FleetFileError(f"cannot write in {quoted(str(self.path))}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as error:
            raise FleetError("another process publishes this fleet just now", "try again in a moment") from error
        finally:
            os.close(descriptor)

    def newest_offline(self) -> tuple[Offline, list[Metadata[Root]]]:
        """Root and targets in force, proven, and every root. Raises FleetError."""
        roots = self.offline.roots()
        if not roots:
            hint = "banlistctl fleet install FOLDER takes over what the owners of the fleet have signed"
            raise FleetError("this hub knows no root of its fleet", hint)
        offline = self.offline.newest()
        must_follow(roots)
        must_be_signed(offline.targets, offline.root)
        return offline, roots

    def present(self, offline: Offline) -> Present:
        """What is published, read from the timestamp on: what a kill left beside it is not in use. Raises FleetError."""
        present = Present(offline, highest=self._highest(), root=self._published_root())
        path = self.metadata / "timestamp.json"
        if not path.exists():
            return present
        present.timestamp = read_signed(path, Timestamp)
        present.snapshot = read_signed(
            self.metadata / f"{present.timestamp.signed.snapshot_meta.version}.snapshot.json", Snapshot
        )
        versions = {name.removesuffix(".json"): meta.version for name, meta in present.snapshot.signed.meta.items()}
        for role, version in versions.items():
            file = self.metadata / f"{version}.{role}.json"
            if role == HUB:
                present.hub = read_signed(file, Targets)
            elif role != "targets" and file.exists():  # a list that is no longer published has lost its file
                present.lists[role] = read_signed(file, Targets)
        return present

    def proposals(self, present: Present) -> Proposals:
        """What other hubs are asked to sign; a kill may leave in the file what is published by now. Raises FleetError."""
        found = read_proposals(self.public)
        published = {**present.lists, HUB: present.hub}
        newer = {
            role: metadata
            for role, metadata in found.metadata.items()
            if (there := published.get(role)) is None or metadata.signed.version > there.signed.version
        }
        return Proposals(newer, found.since)

    def _published_root(self) -> Metadata[Root] | None:
        versions = [version for version, role in self.files() if role == "root"]
        return read_signed(self.metadata / f"{max(versions)}.root.json", Root) if versions else None

    def known_contents(self, name: str, newest: int, most: int) -> list[KnownContent]:
        """The last contents of a list whose full files are there, the newest first; without what is damaged. Raises FleetError.

        `newest`: the version that is in use. A kill leaves later ones, which no timestamp names: they were never published.
        """
        found: dict[str, KnownContent] = {}
        for version in sorted((version for version, role in self.files() if role == name and version <= newest), reverse=True):
            file = f"{version}.{name}.json"
            document = self.read_plain(file) if version == newest else self.read_old(file)
            full = document.get("targets", {}).get(f"{name}/{FULL}", {})
            digest, content = full.get("hashes", {}).get("sha256", ""), content_in(full.get("custom"))
            file = f"targets/{name}/{digest}.{FULL}"
            if digest and content and (self.public / file).exists():
                found.setdefault(content, KnownContent(content, file))
            if len(found) == most:
                break
        return list(found.values())

    def read_plain(self, file: str) -> Mapping[str, Any]:
        """What is signed of a file of our own, unproven. Raises FleetError."""
        try:
            signed = json.loads((self.metadata / file).read_bytes())["signed"]
        except OSError as error:
            raise FleetFileError(f"cannot read {quoted(file)}: {error.strerror}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise _damaged(file) from error
        if not isinstance(signed, dict):
            raise _damaged(file)
        return signed

    def read_old(self, file: str) -> Mapping[str, Any]:
        """The same of one that is in use no more: empty where it is damaged, since nothing depends on it."""
        with suppress(FleetError):
            return self.read_plain(file)
        return {}

    def files(self) -> Iterator[tuple[int, str]]:
        """Version and role of each file of metadata with a version."""
        for path in self.metadata.iterdir() if self.metadata.is_dir() else ():
            if match := _FILE.fullmatch(path.name):
                yield int(match[1]), match[2]

    def _highest(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for version, role in self.files():
            found[role] = max(found.get(role, 0), version)
        return found


def _damaged(file: str) -> FleetError:
    return FleetError(f"{quoted(file)} is damaged", "banlistctl fleet promote --from MIRROR fetches it again")
