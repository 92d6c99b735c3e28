"""A hub that takes over: what the owners signed is installed, and it goes on above the highest version that it can see."""

import re
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, Root, Targets, Timestamp
from tuf.ngclient import Updater, UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface

from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError
from banlistd.trust.ceremony.folder import Folder
from banlistd.trust.ceremony.proving import must_be_signed, must_follow
from banlistd.trust.repository.files import write_whole
from banlistd.trust.repository.hub_folder import HubFolder
from banlistd.trust.repository.lease import TERMS, Lease, read_lease, term_of, write_lease
from banlistd.trust.repository.online import FULL

_SECONDS = 30.0
_PIECE = 256 * 1024
_MISSING = 404
_LIST, _DIGEST = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII), re.compile(r"[0-9a-f]{64}")
_LARGEST_LIST = 64 * 2**20
"""Octets of a whole file: 12 million addresses, the most that a daemon takes, have less."""

_WAY_OUT = "name another mirror, or, for certificates of an authority of your own, --ca FILE"

_REVOKED = "if the key of its hub was revoked, promote without --from, and nodes follow; if not, name another mirror"

_AT_ANY_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class HubPromotion:
    """`expired`: of each source that nodes find too old, when its timestamp has ended."""

    lease: Lease
    expired: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class _Found:
    """The version of the timestamp of a source, and its end."""

    version: int
    end: datetime


def install(hub: HubFolder, given: Folder) -> list[str]:
    """Take over what the owners signed; the names of the files that are new. Raises FleetError unless all of it is proven.

    The roots that the hub has count: what is given must begin with them, or be proven by them.
    """
    roots, targets = given.roots(), given.newest_targets()
    if not roots or targets is None:
        raise FleetError(f"there is no fleet in {quoted(str(given.path))}", "banlistctl fleet init FOLDER makes one")
    must_follow(roots)
    must_be_signed(targets, roots[-1])
    known = hub.offline.roots()
    if known:
        _must_go_on(known, roots)
        there = hub.offline.newest_targets()
        if there is not None and targets.signed.version < there.signed.version:
            raise FleetError(f"the hub has targets {there.signed.version} already", "take the newest folder")
    before = {root.signed.version for root in known}
    written = []
    for name in (
        *(f"{root.signed.version}.root.json" for root in roots if root.signed.version not in before),
        *_newest(targets),
    ):
        content = (given.path / name).read_bytes()
        if not (hub.offline.path / name).exists():
            write_whole(hub.offline.path / name, content)
            written.append(name)
    return written


def promote(hub: HubFolder, sources: Sequence[str], ca: Path | None) -> HubPromotion:
    """Take the term after the highest one that its folder and the sources (URLs, or folders) show. Raises FleetError.

    What a source has that is newer is copied, so that nodes get deltas from it. It counts though it has expired: the former hub
    may have been silent for long, and nodes have seen its versions.
    """
    expired = {}
    with hub.alone():
        offline, roots = hub.newest_offline()
        present = hub.present(offline)
        highest = present.timestamp.signed.version if present.timestamp else 0
        for source in sources:
            found = _take_over(hub, source, roots[-1], ca, highest)
            highest = max(highest, found.version)
            if found.end <= datetime.now(UTC):
                expired[source] = found.end
        before = _lease_before(hub)
        # Also above what this hub may have published, and its folder has lost.
        lease = Lease(max(term_of(highest), before.term if before else 0) + 1 if highest else 0)
        write_lease(hub.path, lease)
        return HubPromotion(lease, expired)


def _lease_before(hub: HubFolder) -> Lease | None:
    """None also for one that is damaged: it is written again."""
    try:
        return read_lease(hub.path)
    except FleetFileError:
        raise
    except FleetError:
        return None


def _must_go_on(known: Sequence[Metadata[Root]], given: Sequence[Metadata[Root]]) -> None:
    by_version = {root.signed.version: root for root in given}
    last = known[-1]
    same = by_version.get(last.signed.version)
    if same is None or same.signed_bytes != last.signed_bytes:
        raise FleetError(
            f"it does not go on from the root {last.signed.version} of this hub", "take the folder from where it is whole"
        )


def _newest(targets: Metadata[Targets]) -> list[str]:
    return [f"{targets.signed.version}.targets.json"]


def _take_over(hub: HubFolder, source: str, root: Metadata[Root], ca: Path | None, known: int) -> _Found:
    """What the source has; its files are copied if its version is above the known one."""
    url = source.rstrip("/") if "://" in source else Path(source).resolve().as_uri()
    with tempfile.TemporaryDirectory() as scratch:
        metadata, files = Path(scratch, "metadata"), Path(scratch, "targets")
        metadata.mkdir()
        files.mkdir()
        updater = Updater(
            str(metadata),
            f"{url}/metadata/",
            str(files),
            f"{url}/targets/",
            fetcher=_Files(ca),
            config=UpdaterConfig(prefix_targets_with_hash=True),
            bootstrap=root.to_bytes(),
        )
        # python-tuf has no other way to prove what has expired.
        updater._trusted_set.reference_time = _AT_ANY_TIME  # noqa: SLF001
        try:
            updater.refresh()
            timestamp = Metadata[Timestamp].from_file(str(metadata / "timestamp.json")).signed
            version = timestamp.version
            _must_be_in_reach(metadata, source)
            if version > known:
                names = _load(updater, metadata)
                _must_be_in_reach(metadata, source)
                _copy(hub, updater, metadata, files, names)
        except (RepositoryError, DownloadError, ValueError) as error:
            hint = _REVOKED if isinstance(error, UnsignedMetadataError) else _WAY_OUT
            raise FleetError(f"{quoted(source)} cannot be taken over: {quoted(str(error))}", hint) from error
        except OSError as error:
            raise FleetFileError(f"cannot copy {quoted(source)}: {error.strerror}") from error
        return _Found(version, timestamp.expires)


def _must_be_in_reach(metadata: Path, source: str) -> None:
    """Raises FleetError for a version of any role above all that hubs sign: what follows it would be refused."""
    for path in sorted(metadata.glob("*.json")):
        version = Metadata.from_file(str(path)).signed.version
        if term_of(version) + 1 >= TERMS:
            hint = "revoke the stolen key first: banlistctl fleet revoke FOLDER HUB; then install, and promote"
            what = f"version {version} of {quoted(path.name)}"
            raise FleetError(f"{quoted(source)} has {what}, and no hub signs so high a one", hint)


def _load(updater: Updater, metadata: Path) -> list[str]:
    """The metadata of the hubs and of each list; the names of the lists."""
    # Whether there is such a file or not.
    updater.get_targetinfo("hub/nothing")
    hub_file = metadata / "hub.json"
    delegations = Metadata[Targets].from_file(str(hub_file)).signed.delegations if hub_file.exists() else None
    names = sorted(delegations.roles or {}) if delegations else []
    for name in names:
        updater.get_targetinfo(f"{name}/{FULL}")
    return names


def _copy(hub: HubFolder, updater: Updater, metadata: Path, files: Path, names: Sequence[str]) -> None:
    for name in names:
        info = updater.get_targetinfo(f"{name}/{FULL}")
        # Who has stolen the key of a hub names lists and files as he likes: what no hub writes is left out.
        digest = info.hashes.get("sha256", "") if info is not None and _LIST.fullmatch(name) else ""
        if info is not None and info.length <= _LARGEST_LIST and _DIGEST.fullmatch(digest):
            found = Path(updater.download_target(info, str(files / "full")))
            write_whole(hub.public / "targets" / name / f"{digest}.{FULL}", found.read_bytes())
    for path in metadata.glob("*.json"):
        if path.name not in ("timestamp.json", "root.json"):
            content = path.read_bytes()
            write_whole(hub.metadata / f"{Metadata.from_bytes(content).signed.version}.{path.name}", content)
    write_whole(hub.metadata / "timestamp.json", (metadata / "timestamp.json").read_bytes())


class _Files(FetcherInterface):
    """https:// and file:// alike."""

    def __init__(self, ca: Path | None) -> None:
        try:
            self._context = ssl.create_default_context(cafile=str(ca) if ca else None)
        except OSError as error:
            raise FleetFileError(f"cannot read the authorities in {quoted(str(ca))}: {error.strerror or error}") from error

    def _fetch(self, url: str) -> Iterator[bytes]:
        try:
            with urllib.request.urlopen(url, timeout=_SECONDS, context=self._context) as answer:  # noqa: S310 - an operator names it
                while piece := answer.read(_PIECE):
                    yield piece
        except urllib.error.HTTPError as error:
            raise DownloadHTTPError(str(error), error.code) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, FileNotFoundError) or "No such file" in str(error.reason):
                raise DownloadHTTPError("no such file", _MISSING) from error
            raise DownloadError(str(error.reason)) from error
