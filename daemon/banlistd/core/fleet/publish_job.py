"""What the daemon asks of the program that publishes, and what that answers: a line of JSON each, then the files as octets."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from banlistd.core.fleet.roll_out.stops import NO_STOP, SignedStop
from banlistd.errors import FleetError, FleetFileError, StoodDownError

_LONGEST = 16 * 2**20
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_FILE = re.compile(r"full\.blz|[0-9a-f]{16}\.bld", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CONTENT = re.compile(r"[0-9a-f]{64}")
_DIGITS = re.compile(r"[0-9a-f]{16}", re.ASCII)
_LARGEST_NUMBER = 2**53
"""That every reader of JSON takes."""


@dataclass(frozen=True, slots=True)
class NewContent:
    """A new content of a list, encoded. `files`: by name, `full.blz` or `<16 digits of the base>.bld`.

    `stop`: what is signed beside it.
    """

    content: str
    entries: int
    files: Mapping[str, bytes]
    stop: SignedStop = NO_STOP


@dataclass(frozen=True, slots=True)
class PublishJob:
    """`folder`: of the hub. `key`: the file of its private key; empty: only say what is known. `names`: every list published.

    `mirrors`: looked at first, for what another hub published; `ca`: a file with the authorities that count for them.
    `cosigned`: what other hubs have signed of what this one wants to publish, foreign text. `published`: the highest version of
    a timestamp that is known to have been published here.
    """

    folder: str
    key: str
    names: tuple[str, ...]
    lists: Mapping[str, NewContent]
    mirrors: tuple[str, ...] = ()
    ca: str = ""
    cosigned: tuple[str, ...] = ()
    published: int = 0


def job_octets(job: PublishJob) -> list[bytes]:
    """The line, then the files."""
    lists = {
        name: {
            "content": new.content,
            "entries": new.entries,
            "files": {file: len(octets) for file, octets in new.files.items()},
            "stop": stop_row(new.stop),
        }
        for name, new in job.lists.items()
    }
    head = {
        "v": 1,
        "folder": job.folder,
        "key": job.key,
        "names": job.names,
        "lists": lists,
        "mirrors": job.mirrors,
        "ca": job.ca,
        "cosigned": job.cosigned,
        "published": job.published,
    }
    return [json.dumps(head).encode() + b"\n", *(octets for new in job.lists.values() for octets in new.files.values())]


def read_job(source: IO[bytes]) -> PublishJob:
    """Raises FleetError."""
    try:
        head = json.loads(source.readline(_LONGEST))
        lists = {str(name): _content(about, source) for name, about in head["lists"].items()}
        names = tuple(str(name) for name in head["names"])
        texts = {name: str(head[name]) for name in ("folder", "key", "ca")}
        mirrors, cosigned = tuple(map(str, head["mirrors"])), tuple(map(str, head["cosigned"]))
        published = int(head["published"])
        job = PublishJob(names=names, lists=lists, mirrors=mirrors, cosigned=cosigned, published=published, **texts)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FleetError("the job cannot be read", "this is a fault of banlistd; please report it") from error
    if not all(_NAME.fullmatch(name) for name in (*names, *lists)) or not {*lists} <= {*names}:
        raise FleetError("the job names a list that cannot be", "this is a fault of banlistd; please report it")
    return job


def _content(about: Mapping[str, Any], source: IO[bytes]) -> NewContent:
    files = {}
    for name, size in about["files"].items():
        octets = source.read(size)
        if not _FILE.fullmatch(name) or len(octets) != size:
            raise ValueError(name)
        files[str(name)] = octets
    if not _HASH.fullmatch(about["content"]):
        raise ValueError(about["content"])
    return NewContent(about["content"], int(about["entries"]), files, _read_stop(about["stop"]))


def stop_row(stop: SignedStop) -> Mapping[str, Any]:
    """As jobs and answers have it."""
    return {"number": stop.number, "stopped": stop.is_stopped, "withdrawn": stop.withdrawn}


def _read_stop(row: Mapping[str, Any]) -> SignedStop:
    """Raises ValueError, LookupError and TypeError."""
    withdrawn = tuple(row["withdrawn"])
    if not all(_DIGITS.fullmatch(one) for one in withdrawn):
        raise ValueError(withdrawn)
    return SignedStop(int(row["number"]), bool(row["stopped"]), withdrawn)


def custom_fields(custom: Any) -> Mapping[str, Any]:
    """What a hub signs beside a file. Empty for what is none: who has stolen the key of a hub may have signed anything, and the
    hub that takes over reads it.
    """
    return custom if isinstance(custom, Mapping) else {}


def content_in(custom: Any) -> str:
    """The content hash that is signed beside a file; empty where there is none."""
    content = custom_fields(custom).get("content")
    return content if isinstance(content, str) and _CONTENT.fullmatch(content) else ""


def stop_in(custom: Mapping[str, Any]) -> SignedStop:
    """As it is signed with the whole file of a list: there may be nothing of it, and what is not as it should be counts not."""
    match custom.get("roll_out"):
        case {"number": int(number), "stopped": bool(stopped)} if 0 <= number <= _LARGEST_NUMBER:
            found = SignedStop(number, stopped)
        case _:
            found = NO_STOP
    withdrawn = custom.get("withdrawn")
    texts = [one for one in withdrawn if isinstance(one, str)] if isinstance(withdrawn, list) else []
    return replace(found, withdrawn=tuple(one for one in texts if _DIGITS.fullmatch(one)))


def signed_fields(stop: SignedStop) -> Mapping[str, Any]:
    """What of it is signed, the inverse."""
    fields: dict[str, Any] = {"withdrawn": list(stop.withdrawn)} if stop.withdrawn else {}
    return fields | ({"roll_out": {"number": stop.number, "stopped": stop.is_stopped}} if stop.number else {})


@dataclass(frozen=True, slots=True)
class KnownContent:
    """A content of a list that nodes may have. `file`: its whole file, below the folder of what is public."""

    content: str
    file: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A role that is not published yet. `lacking`: how many hubs have not signed it; 0: it waits for another role.

    `content`, `entries`, `stop`: of a list. `since`: seconds since the epoch.
    """

    version: int
    content: str
    stop: SignedStop
    since: float
    lacking: int
    entries: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """What a hub has published. `timestamp`, `root`: their versions, 0 before the first. `offline_expires`: when root or
    targets end.

    `lists`: of each list, the last contents, the newest first. `stops`: what is signed beside the newest. `proposals`: by role,
    what waits for the signature of another hub.
    """

    timestamp: int
    root: int
    offline_expires: float
    lists: Mapping[str, tuple[KnownContent, ...]]
    stops: Mapping[str, SignedStop] = field(default_factory=dict)
    proposals: Mapping[str, Proposal] = field(default_factory=dict)


def read_answer(text: bytes) -> Published:
    """What the program answered. Raises StoodDownError, FleetFileError and FleetError, as it says."""
    try:
        answer = json.loads(text)
        if answer["ok"]:
            lists = {
                str(name): tuple(KnownContent(str(each["content"]), str(each["file"])) for each in about["contents"])
                for name, about in answer["lists"].items()
            }
            stops = {str(name): _read_stop(about["stop"]) for name, about in answer["lists"].items()}
            versions = int(answer["timestamp"]), int(answer["root"])
            proposals = {str(role): _proposal(about) for role, about in answer["proposals"].items()}
            return Published(*versions, float(answer["offline_expires"]), lists, stops, proposals)
        kind, message, hint = (str(answer["error"][part]) for part in ("kind", "message", "hint"))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FleetError("the program that publishes gave no answer", "journalctl -u banlistd") from error
    raise _ERRORS.get(kind, FleetError)(message, hint)


def _proposal(about: Mapping[str, Any]) -> Proposal:
    counts = int(about["lacking"]), int(about["entries"])
    return Proposal(int(about["version"]), str(about["content"]), _read_stop(about["stop"]), float(about["since"]), *counts)


_ERRORS = {each.__name__: each for each in (StoodDownError, FleetFileError)}
