"""What the daemon asks of the program that publishes, and what that answers: a line of JSON each, then the files as octets."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from banlistd.errors import FleetError

_LONGEST = 4 * 2**20
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_FILE = re.compile(r"full\.blz|[0-9a-f]{16}\.bld", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewContent:
    """A new content of a list, encoded. `files`: by name, `full.blz` or `<16 digits of the base>.bld`."""

    content: str
    entries: int
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class PublishJob:
    """`folder`: of the hub. `key`: the file of its private key; None: only say what is known. `names`: every list published.

    `mirrors`: looked at first, for what another hub published; `ca`: a file with the authorities that count for them.
    """

    folder: Path
    key: Path | None
    names: tuple[str, ...]
    lists: Mapping[str, NewContent]
    mirrors: tuple[str, ...] = ()
    ca: Path | None = None


def job_octets(job: PublishJob) -> list[bytes]:
    """The line, then the files."""
    lists = {
        name: {
            "content": new.content,
            "entries": new.entries,
            "files": {file: len(octets) for file, octets in new.files.items()},
        }
        for name, new in job.lists.items()
    }
    head = {
        "v": 1,
        "folder": str(job.folder),
        "key": str(job.key) if job.key else None,
        "names": job.names,
        "lists": lists,
        "mirrors": job.mirrors,
        "ca": str(job.ca) if job.ca else None,
    }
    return [json.dumps(head).encode() + b"\n", *(octets for new in job.lists.values() for octets in new.files.values())]


def read_job(source: IO[bytes]) -> PublishJob:
    """Raises FleetError."""
    try:
        head = json.loads(source.readline(_LONGEST))
        lists = {str(name): _content(about, source) for name, about in head["lists"].items()}
        names = tuple(str(name) for name in head["names"])
        key, ca = head["key"], head["ca"]
        job = PublishJob(
            Path(head["folder"]), Path(key) if key else None, names, lists, tuple(head["mirrors"]), Path(ca) if ca else None
        )
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
    return NewContent(about["content"], int(about["entries"]), files)
