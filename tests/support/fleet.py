"""A fleet for tests: its owners with their keys, its hubs with their folders, and a node, which is python-tuf's own client."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from banlistd.core.fleet.cosign_job import AskedRole, CosignJob
from banlistd.core.fleet.publish_job import NewContent, PublishJob, job_octets
from banlistd.trust.ceremony.folder import Folder
from banlistd.trust.ceremony.key_files import make_key, public_file, read_public, read_seed
from banlistd.trust.ceremony.keys import FleetKey, signer_of, use_openssl
from banlistd.trust.ceremony.making import KeyChange, SigningRole, Thresholds, first_offline, key_ids_of, next_offline
from banlistd.trust.repository.cosigning import cosign
from banlistd.trust.repository.hub_folder import HubFolder
from banlistd.trust.repository.standby import install, promote

OWNERS = ("anna", "ben", "cleo")


class Owners:
    """Three people with root keys, of which two sign; one key for targets; a key for each hub: `hubs_sign` of them."""

    def __init__(self, path: Path, *hubs: str, hubs_sign: int = 1) -> None:
        use_openssl()
        self.keys = path / "keys"
        self.keys.mkdir(parents=True)
        self.folder = Folder(path / "offline")
        for name in (*OWNERS, "targets", *hubs):
            self.key(name)
        named = [*((SigningRole.ROOT, name) for name in OWNERS), (SigningRole.TARGETS, "targets")]
        keys = [(role, self.public(name)) for role, name in (*named, *((SigningRole.HUB, hub) for hub in hubs))]
        self.folder.write(first_offline("main", keys, Thresholds(2, hubs_sign), _now()))
        self.sign("anna", "ben", "targets")

    def key(self, name: str, passphrase: bytes = b"") -> Path:
        """The file of the key, which is made if it is not there."""
        path = self.keys / f"{name}.key"
        if not path.exists():
            make_key(path, name, passphrase)
        return path

    def public(self, name: str) -> FleetKey:
        return read_public(public_file(self.key(name)))

    def sign(self, *names: str) -> None:
        for name in names:
            self.folder.sign(signer_of(read_seed(self.key(name), bytes)))

    def revoke(self, *names: str, new: tuple[tuple[SigningRole, str], ...] = (), hubs_sign: int | None = None) -> None:
        """The next root and targets, not signed yet."""
        newest = self.folder.newest()
        change = KeyChange(key_ids_of(newest, names), tuple((role, self.public(name)) for role, name in new), hubs_sign)
        self.folder.write(next_offline(newest, change, _now()))


class Hub:
    """A hub with a folder of its own, which publishes through the real program."""

    def __init__(self, path: Path, owners: Owners, key: str, *, is_there: bool = True) -> None:
        if is_there:
            path.mkdir(parents=True)
        self.folder = HubFolder(path)
        self._owners = owners
        self.key = owners.key(key)

    def install(self) -> None:
        install(self.folder, self._owners.folder)

    def promote(self, *sources: Path) -> None:
        promote(self.folder, [str(source) for source in sources], None)

    def job(self, lists: Mapping[str, NewContent], *names: str, mirrors: tuple[Path, ...] = ()) -> PublishJob:
        urls = tuple(mirror.as_uri() for mirror in mirrors)
        return PublishJob(str(self.folder.path), str(self.key), names or ("drop", "ssh"), lists, urls)

    def cosign(self, other: "Hub", **judged: str) -> Mapping[str, Any]:
        """Sign what the other hub asks for. `judged`: the words of the content of each list, as this hub has it."""
        return self.cosign_content(other, **{name: hash_of(words) for name, words in judged.items()})

    def cosign_content(self, other: "Hub", **contents: str) -> Mapping[str, Any]:
        """The same, of contents by their hashes."""
        pending = other.folder.public / "pending.json"
        asked = json.loads(pending.read_text())["metadata"] if pending.exists() else {}
        roles = tuple(AskedRole(role, json.dumps(one), contents.get(role, "")) for role, one in asked.items())
        return cosign(CosignJob(str(self.folder.path), str(self.key), roles), _now())

    @property
    def cosigned(self) -> str:
        """What it has signed for others, as they fetch it."""
        return (self.folder.public / "cosigned.json").read_text()

    def publish(self, lists: Mapping[str, NewContent], *names: str, mirrors: tuple[Path, ...] = ()) -> Mapping[str, Any]:
        """The answer of the program."""
        done = subprocess.run(
            [sys.executable, "-I", "-m", "banlistd.trust.publish"],
            input=b"".join(job_octets(self.job(lists, *names, mirrors=mirrors))),
            capture_output=True,
            check=True,
            timeout=60,
        )
        answer: Mapping[str, Any] = json.loads(done.stdout)
        return answer


class Node:
    """python-tuf's client, which knows the first root."""

    def __init__(self, path: Path, owners: Owners, *, is_new: bool = True) -> None:
        self.path = path
        self.root = (owners.folder.path / "1.root.json").read_bytes()
        if not is_new:
            return
        for name in ("metadata", "targets"):
            (path / name).mkdir(parents=True)

    def pull(self, public: Path, target: str) -> bytes | None:
        """The target as a mirror gives it; None if the fleet has none. Raises RepositoryError for what is not proven."""
        updater = Updater(
            str(self.path / "metadata"),
            f"{public}/metadata/",
            str(self.path / "targets"),
            f"{public}/targets/",
            fetcher=_Folder(),
            config=UpdaterConfig(prefix_targets_with_hash=True),
            bootstrap=self.root,
        )
        updater.refresh()
        info = updater.get_targetinfo(target)
        return Path(updater.download_target(info, str(self.path / "targets" / "file"))).read_bytes() if info else None


class _Folder(FetcherInterface):
    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            yield Path(url).read_bytes()
        except FileNotFoundError as error:
            raise DownloadHTTPError("no such file", 404) from error


def new_content(words: str, *bases: str) -> NewContent:
    """A content that is none of a real list: the program that publishes does not look into it."""
    deltas = {f"{hash_of(base)[:16]}.bld": f"{base} to {words}".encode() for base in bases}
    return NewContent(hash_of(words), len(words), {"full.blz": words.encode(), **deltas})


def hash_of(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
