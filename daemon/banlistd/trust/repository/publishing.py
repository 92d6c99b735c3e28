"""One publication, written in an order in which a kill leaves the old timestamp or the new one."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Root, Targets
from tuf.api.serialization.json import JSONSerializer

from banlistd.core.fleet.publish_job import NewContent, PublishJob, content_in, custom_fields, stop_in, stop_row
from banlistd.core.fleet.roll_out.stops import NO_STOP
from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError, StoodDownError
from banlistd.trust.ceremony.key_files import read_seed
from banlistd.trust.ceremony.keys import signer_of
from banlistd.trust.ceremony.making import HUB, Offline
from banlistd.trust.repository.files import write_whole
from banlistd.trust.repository.hub_folder import HubFolder
from banlistd.trust.repository.lease import Lease, read_lease, term_of
from banlistd.trust.repository.mirrors import SeenTimestamp, versions_seen
from banlistd.trust.repository.online import FULL, ListFiles, Next, OnlineSigner, Present
from banlistd.trust.repository.proposals import Proposals, add_signatures, write_proposals
from banlistd.trust.repository.retention import clean_up

DELTA_BASES = 16
"""Contents that a delta may begin with."""

_SMALL = JSONSerializer(compact=True)


def publish(job: PublishJob, now: datetime) -> Mapping[str, Any]:
    """Do a job; the answer as a document. Raises FleetError, and then the timestamp is the one before."""
    try:
        return _published(HubFolder(Path(job.folder)), job, now)
    except OSError as error:  # any look into a folder on a disk that has broken down
        raise FleetFileError(f"cannot read {quoted(job.folder)}: {error.strerror}") from error


def _published(folder: HubFolder, job: PublishJob, now: datetime) -> Mapping[str, Any]:
    with folder.alone():
        offline, roots = folder.newest_offline()
        present = folder.present(offline)
        asked = folder.proposals(present)
        if job.key:
            # Before the key is read: foreign bytes come in here.
            add_signatures(asked.metadata, offline, job.cosigned)
            present.proposals = dict(asked.metadata)
            seen = versions_seen(job.mirrors, Path(job.ca) if job.ca else None, offline.root)
            signer = signer_of(read_seed(Path(job.key), _no_passphrase, guarded=False))
            lease = _lease(folder, present, seen, job.published)
            made = OnlineSigner(present, signer, lease, now).next(_described(job.lists), job.names)
            clean_up(folder)
            for name, new in job.lists.items():
                _write_files(folder, name, new)
            _write(folder, made, offline, roots)
            since = {role: asked.since.get(role, now.timestamp()) for role in made.proposals}
            write_proposals(folder.public, offline.fleet, made.proposals, since)
            present, asked = folder.present(offline), Proposals(made.proposals, since)
        return _answer(folder, job, present, asked)


def _write(folder: HubFolder, made: Next, offline: Offline, roots: Sequence[Metadata[Root]]) -> None:
    if made.has_offline:
        _write_once(folder, f"{offline.targets.signed.version}.targets.json", offline.targets.to_bytes(_SMALL))
    for file, metadata in made.immutable:
        write_whole(folder.metadata / file, metadata.to_bytes(_SMALL))
    for root in roots if made.has_offline else ():
        _write_once(folder, f"{root.signed.version}.root.json", root.to_bytes(_SMALL))
    if made.timestamp is not None:
        write_whole(folder.metadata / "timestamp.json", made.timestamp.to_bytes(_SMALL))


def _write_once(folder: HubFolder, file: str, content: bytes) -> None:
    """A file that never changes. Raises FleetFileError."""
    if not (folder.metadata / file).exists():
        write_whole(folder.metadata / file, content)


def _lease(folder: HubFolder, present: Present, seen: list[SeenTimestamp], published: int) -> Lease:
    """Under which this hub signs. `published`: the highest version that the daemon remembers.

    Raises StoodDownError where another hub is the one that publishes, or where nodes would refuse what is signed here.
    """
    lease = read_lease(folder.path)
    if lease is None:
        hint = (
            "the first hub: banlistctl fleet promote; one in reserve, only to take over: banlistctl fleet promote --from MIRROR"
        )
        raise StoodDownError("this hub was never promoted, so it publishes nothing", hint)
    version = present.timestamp.signed.version if present.timestamp else 0
    for each in [*seen, SeenTimestamp("its own folder", version)]:
        if term_of(each.version) > lease.term and each.version:
            raise StoodDownError(
                f"another hub was promoted and publishes version {each.version} of this fleet ({each.place})",
                "to publish here again: banlistctl fleet promote --from MIRROR",
            )
        if each.version > version:
            raise StoodDownError(
                f"{each.place} has version {each.version}, and this hub knows only {version}:"
                " another hub publishes too, or the folder is older than it was",
                "to go on here, above what was published: banlistctl fleet promote --from MIRROR",
            )
    if max(version + 1, lease.least) <= published:
        raise StoodDownError(
            f"the folder of this hub has version {version}, and {published} was published here before: it is older than it was,"
            " and nodes refuse what is below",
            "to go on above it: banlistctl fleet promote --from MIRROR, or without --from where no mirror has it",
        )
    return lease


def _described(lists: Mapping[str, NewContent]) -> Mapping[str, ListFiles]:
    return {
        name: ListFiles(
            new.content,
            new.entries,
            {file: (len(octets), hashlib.sha256(octets).hexdigest()) for file, octets in new.files.items()},
            new.stop,
        )
        for name, new in lists.items()
    }


def _write_files(folder: HubFolder, name: str, new: NewContent) -> None:
    for file, octets in new.files.items():
        path = folder.public / "targets" / name / f"{hashlib.sha256(octets).hexdigest()}.{file}"
        # A content may come back: the old file serves, if it is whole.
        try:
            if path.exists() and path.read_bytes() == octets:
                path.touch()
                continue
        except OSError as error:
            raise FleetFileError(f"cannot read {path.name}: {error.strerror}") from error
        write_whole(path, octets)


def _answer(folder: HubFolder, job: PublishJob, present: Present, asked: Proposals) -> Mapping[str, Any]:
    lists = {}
    for name in job.names:
        metadata = present.lists.get(name)
        seq = metadata.signed.version if metadata else 0
        if metadata and (known := folder.known_contents(name, seq, DELTA_BASES)):
            full = metadata.signed.targets.get(f"{name}/{FULL}")
            lists[name] = {
                "seq": seq,
                "contents": [{"content": each.content, "file": each.file} for each in known],
                "stop": stop_row(stop_in(custom_fields(full.custom)) if full else NO_STOP),
            }
    root, targets, timestamp = present.offline.root.signed, present.offline.targets.signed, present.timestamp
    roots = [version for version, role in folder.files() if role == "root"]
    return {
        "ok": True,
        "timestamp": timestamp.signed.version if timestamp else 0,
        "root": max(roots, default=0),
        "offline_expires": min(root.expires, targets.expires).timestamp(),
        "lists": lists,
        "proposals": {role: _described_proposal(role, each, present, asked) for role, each in asked.metadata.items()},
    }


def _described_proposal(role: str, metadata: Metadata[Targets], present: Present, asked: Proposals) -> Mapping[str, Any]:
    targets = present.offline.targets.signed
    found = targets.get_verification_result(HUB, metadata.signed_bytes, metadata.signatures)
    full = metadata.signed.targets.get(f"{role}/{FULL}")
    custom = custom_fields(full.custom if full else None)
    return {
        "version": metadata.signed.version,
        "content": content_in(custom),
        "entries": custom.get("entries", 0),
        "stop": stop_row(stop_in(custom)),
        "since": asked.since.get(role, 0.0),
        "lacking": max(found.threshold - len(found.signed), 0),
    }


def _no_passphrase() -> bytes:
    raise FleetError("the key of a hub cannot be encrypted with a passphrase", "systemd-creds encrypts it without one")
