"""Signs what another hub wants to publish, if it is nothing but what this hub has judged. A stolen key alone gets no further.

Who asks may be a thief with the key of that hub. So all of what is signed is compared with what it may be: the role of the
hubs delegates each list to the keys and the threshold that the owners of the fleet have signed, and has no file itself; the
role of a list has files of one content, which the daemon has judged.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, TargetFile, Targets

from banlistd.core.fleet.cosign_job import AskedRole, CosignJob
from banlistd.core.fleet.publish_job import signed_fields, stop_in
from banlistd.core.fleet.roll_out.stops import LARGEST_LEARNT, MOST_QUESTIONED
from banlistd.core.printing import quoted
from banlistd.errors import FleetError, FleetFileError
from banlistd.trust.ceremony.key_files import read_seed
from banlistd.trust.ceremony.keys import SeedSigner, signer_of
from banlistd.trust.ceremony.making import HUB, Offline, hub_role
from banlistd.trust.repository.hub_folder import HubFolder
from banlistd.trust.repository.online import FULL, LIFE, ROLE_NAMES, list_delegations
from banlistd.trust.repository.proposals import proposal_of, proposal_text, write_cosigned

_SLACK = timedelta(hours=1)
"""By which the clock of another hub may be ahead."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_FILE = re.compile(r"full\.blz|[0-9a-f]{16}\.bld", re.ASCII)
_MOST_REASON = 400
_MOST_ENTRIES = 2**32


def cosign(job: CosignJob, now: datetime) -> Mapping[str, Any]:
    """Do a job; the answer as a document. Raises FleetError."""
    folder = HubFolder(Path(job.folder))
    try:
        offline, _ = folder.newest_offline()
        read: list[tuple[AskedRole, Metadata[Targets] | None, str]] = []
        for one in job.asked:
            try:
                metadata = proposal_of(proposal_text(one.metadata))
            except FleetError as error:
                read.append((one, None, str(error)))
            else:
                read.append((one, metadata, one.refused or _fault(one, metadata, offline, now)))
        # Only now: foreign bytes came in above.
        signer = signer_of(read_seed(Path(job.key), _no_passphrase, guarded=False))
        if signer.public_key.keyid not in hub_role(offline.targets).keyids:
            raise FleetError("the key of this hub does not belong to the fleet, or was revoked")
        signed = [_signature(one, metadata, signer) for one, metadata, reason in read if metadata and not reason]
        refused = [
            {"role": one.role, "version": metadata.signed.version if metadata else 0, "reason": reason[:_MOST_REASON]}
            for one, metadata, reason in read
            if reason
        ]
        write_cosigned(folder.public, offline.fleet, signed, refused)
    except OSError as error:
        raise FleetFileError(f"cannot read {quoted(job.folder)}: {error.strerror}") from error
    return {
        "ok": True,
        "signed": {one["role"]: one["version"] for one in signed},
        "refused": [[one["role"], one["version"], one["reason"]] for one in refused],
    }


def _signature(one: AskedRole, metadata: Metadata[Targets], signer: SeedSigner) -> Mapping[str, Any]:
    signature = metadata.sign(signer, append=True)
    return {"role": one.role, "version": metadata.signed.version, "keyid": signature.keyid, "sig": signature.signature}


def _fault(one: AskedRole, metadata: Metadata[Targets], offline: Offline, now: datetime) -> str:
    """Why it may not be signed; empty: it may."""
    signed = metadata.signed
    by = offline.targets.signed.get_verification_result(HUB, metadata.signed_bytes, metadata.signatures)
    if not by.signed:
        return "no hub of the fleet has signed it"
    if not now < signed.expires <= now + LIFE + _SLACK:
        return f"it is valid until {signed.expires:%Y-%m-%d %H:%M}, which is not within {LIFE.days} days from now"
    if signed.unrecognized_fields:
        return "it has fields that no hub writes"
    return _fault_of_hub(signed, offline) if one.role == HUB else _fault_of_list(one, signed)


def _fault_of_hub(signed: Targets, offline: Offline) -> str:
    if signed.targets:
        return "the role of the hubs has files"
    names = signed.delegations.roles or {} if signed.delegations else {}
    if not all(_NAME.fullmatch(name) for name in names) or ROLE_NAMES & {*names}:
        return "it names a list that cannot be"
    if signed.delegations != list_delegations(offline, names):
        return "it delegates lists to other keys than the owners of the fleet have signed, or to fewer of them"
    return ""


def _fault_of_list(one: AskedRole, signed: Targets) -> str:
    if one.role in ROLE_NAMES:
        return "no list may be called so"
    if signed.delegations is not None:
        return "the role of a list delegates"
    if f"{one.role}/{FULL}" not in signed.targets:
        return "it has no whole file"
    for path, target in signed.targets.items():
        name, _, file = path.partition("/")
        if name != one.role or not _FILE.fullmatch(file):
            return "it has a file that is none of the list"
        if fault := _fault_of_file(one, target, file, signed.version):
            return fault
    return ""


def _fault_of_file(one: AskedRole, target: TargetFile, file: str, version: int) -> str:
    match target.custom:
        case {"v": 1, "content": str(content), "entries": int(entries), "seq": int(seq), **rest}:
            if not one.content or content != one.content:
                return "a file of it has other content than this hub has judged"
            # What is not read from them, and written again as it was, is more than a stop.
            stop = stop_in(target.custom or {})
            if rest != (signed_fields(stop) if file == FULL else {}) or target.unrecognized_fields.keys() - {"custom"}:
                return "a file of it has fields that no hub writes"
            if len(stop.withdrawn) > MOST_QUESTIONED or stop.number > LARGEST_LEARNT:
                return "it withdraws more versions, or has changed more often, than any list"
            # A list that is signed again keeps the number that its content began with.
            return "" if 0 < seq <= version and 0 <= entries <= _MOST_ENTRIES else "a file of it has numbers that cannot be"
    return "a file of it says no content"


def _no_passphrase() -> bytes:
    raise FleetError("the key of a hub cannot be encrypted with a passphrase", "systemd-creds encrypts it without one")
