"""What the program is asked that signs for another hub: a line of JSON each way. Values."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from banlistd.errors import FleetError, FleetFileError

_LONGEST = 64 * 2**20
_ROLE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class AskedRole:
    """A role that another hub wants to publish. `metadata`: its JSON, foreign. `content`: of a list, what this hub has judged;
    `refused`: why it is not to be signed; empty: it is.
    """

    role: str
    metadata: str
    content: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class CosignJob:
    """`folder`: of this hub. `key`: the file of its private key."""

    folder: str
    key: str
    asked: tuple[AskedRole, ...]


@dataclass(frozen=True, slots=True)
class RefusedRole:
    """`version` 0: it could not be read."""

    role: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Cosigned:
    """`signed`: roles with their versions."""

    signed: Mapping[str, int]
    refused: tuple[RefusedRole, ...]


def is_role(name: str) -> bool:
    """Whether a role of a fleet may be called so; what another hub shows may name anything."""
    return _ROLE.fullmatch(name) is not None


def cosign_octets(job: CosignJob) -> bytes:
    asked = [[one.role, one.metadata, one.content, one.refused] for one in job.asked]
    return json.dumps({"v": 1, "folder": job.folder, "key": job.key, "asked": asked}).encode() + b"\n"


def read_cosign_job(source: IO[bytes]) -> CosignJob:
    """Raises FleetError."""
    try:
        head = json.loads(source.readline(_LONGEST))
        asked = tuple(AskedRole(*map(str, one)) for one in head["asked"])
        job = CosignJob(str(head["folder"]), str(head["key"]), asked)
    except (ValueError, LookupError, TypeError) as error:
        raise FleetError("the job cannot be read", "this is a fault of banlistd; please report it") from error
    if not all(is_role(one.role) for one in asked):
        raise FleetError("the job names a role that cannot be", "this is a fault of banlistd; please report it")
    return job


def read_cosigned(text: bytes) -> Cosigned:
    """What the program answered. Raises FleetFileError and FleetError, as it says."""
    try:
        answer: Any = json.loads(text)
        if answer["ok"]:
            signed = {str(role): int(version) for role, version in answer["signed"].items()}
            return Cosigned(signed, tuple(RefusedRole(str(a), int(b), str(c)) for a, b, c in answer["refused"]))
        kind, message, hint = (str(answer["error"][part]) for part in ("kind", "message", "hint"))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FleetError("the program that signs for another hub gave no answer", "journalctl -u banlistd") from error
    raise (FleetFileError if kind == FleetFileError.__name__ else FleetError)(message, hint)
