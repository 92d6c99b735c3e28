"""What of a repository may be deleted: nodes and mirrors may be in the middle of a pull of an older timestamp."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from banlistd.errors import FleetError
from banlistd.trust.repository.hub_folder import HubFolder
from banlistd.trust.repository.online import ROLE_NAMES
from banlistd.trust.repository.proposals import read_proposals

_KEPT, _KEPT_SECONDS, _KEPT_MOST = 32, 48 * 3600, 288
"""Snapshots: at least so many, those of the last 48 hours, but of these no more than one every 10 minutes on average."""

_KEPT_OF_A_LIST = 32
"""Versions, with their whole files: a list that changes once a day can be gone back over, however often others change."""

_FOREVER = frozenset({"root", "targets"})
"""A node that was away for a year proves every root in turn; the targets are small."""


def clean_up(folder: HubFolder) -> None:
    """Delete what no snapshot that is kept names. What cannot be read or deleted is left for the next time."""
    with suppress(OSError, FleetError, LookupError, TypeError):
        kept = set(_kept_files(folder))
        for path in (*folder.metadata.glob("*.json*"), *(folder.public / "targets").glob("*/*.bl[zd]*")):
            if str(path.relative_to(folder.public)) not in kept:
                path.unlink()


def _kept_files(folder: HubFolder) -> Iterator[str]:
    yield "metadata/timestamp.json"
    present = sorted(folder.files(), reverse=True)
    yield from (f"metadata/{version}.{role}.json" for version, role in present if role in _FOREVER)
    yield from _newest_of_each_list(folder, present)
    # What the other hubs are asked to sign, they fetch.
    for metadata in read_proposals(folder.public).metadata.values():
        yield from _files_of((path, target.hashes["sha256"]) for path, target in metadata.signed.targets.items())
    now, read = time.time(), set()
    for place, version in enumerate(version for version, role in present if role == "snapshot"):
        file = f"{version}.snapshot.json"
        age = now - (folder.metadata / file).stat().st_mtime
        if place >= _KEPT and (age > _KEPT_SECONDS or place >= _KEPT_MOST):
            break
        yield f"metadata/{file}"
        for name, meta in folder.read_old(file).get("meta", {}).items():
            named = f"{meta['version']}.{name}"
            if named not in read and (folder.metadata / named).exists():
                read.add(named)
                yield f"metadata/{named}"
                yield from _targets(folder, named)


def _newest_of_each_list(folder: HubFolder, present: Iterable[tuple[int, str]]) -> Iterator[str]:
    """`present`: versions and roles, the newest first."""
    counts = Counter[str]()
    for version, role in present:
        counts[role] += 1
        if role not in ROLE_NAMES and counts[role] <= _KEPT_OF_A_LIST:
            file = f"{version}.{role}.json"
            yield f"metadata/{file}"
            yield from (target for target in _targets(folder, file) if target.endswith(".blz"))


def _targets(folder: HubFolder, file: str) -> Iterator[str]:
    targets = folder.read_old(file).get("targets", {})
    yield from _files_of((path, target["hashes"]["sha256"]) for path, target in targets.items())


def _files_of(targets: Iterable[tuple[str, str]]) -> Iterator[str]:
    for path, digest in targets:
        list_name, _, name = path.partition("/")
        yield str(Path("targets") / list_name / f"{digest}.{name}")
