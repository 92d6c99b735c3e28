"""The repository of a hub: a program of its own signs and writes it, and only that program reads the key of the hub."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from banlistd.adapters.signatures import without_rights
from banlistd.adapters.system.child_program import QUICK_NAMES, ChildBounds, ChildFaultError, run_child
from banlistd.adapters.system.own_program import launched_by, own_program
from banlistd.core.fleet.cosign_job import AskedRole, Cosigned, CosignJob, cosign_octets, read_cosigned
from banlistd.core.fleet.publish_job import NewContent, Published, PublishJob, job_octets, read_answer
from banlistd.errors import FleetError, FleetFileError

_SECONDS = 120.0
"""A list of 1,000,000 entries with 16 deltas takes less than a second; a full disk that answers slowly, much more."""

_MOST_OUTPUT = 16 * 2**20
_ENVIRONMENT = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin", "HOME": "/nonexistent", **QUICK_NAMES}
_WATCHED = ("lease.json", "offline")


class HubRepository:
    """`folder`: of the hub. `key`: finds the file of its key, or raises FleetError. `mirrors`, `ca`: where another hub would
    be seen. `cosigned`: what other hubs have signed, as far as it is known now, foreign text.
    """

    def __init__(
        self,
        folder: Path,
        key: Callable[[], Path],
        mirrors: Sequence[str],
        ca: Path | None,
        cosigned: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._folder = folder
        self._key = key
        self._mirrors = tuple(mirrors)
        self._ca = ca
        self._cosigned = cosigned

    async def state(self, names: Sequence[str]) -> Published:
        return await self._run(PublishJob(str(self._folder), "", tuple(names), {}))

    async def publish(
        self, names: Sequence[str], lists: Mapping[str, NewContent], *, looks_around: bool, above: int
    ) -> Published:
        mirrors = self._mirrors if looks_around else ()
        ca = str(self._ca) if self._ca else ""
        job = PublishJob(str(self._folder), str(self._key()), tuple(names), lists, mirrors, ca, self._cosigned(), above)
        return await self._run(job)

    async def stamp(self) -> object:
        return await asyncio.to_thread(self._stamp), self._cosigned()

    def _stamp(self) -> object:
        found = []
        for name in _WATCHED:
            with suppress(OSError):  # a disk that fails is said by the next publication
                status = (self._folder / name).stat()
                found.append((name, status.st_mtime_ns, status.st_ino))
        return tuple(found)

    def whole_file(self, file: str) -> bytes:
        try:
            return (self._folder / "public" / file).read_bytes()
        except OSError as error:
            raise FleetFileError(f"cannot read {file}: {error.strerror}") from error

    async def cosign(self, asked: Sequence[AskedRole]) -> Cosigned:
        job = CosignJob(str(self._folder), str(self._key()), tuple(asked))
        return read_cosigned(await _said("banlistd.trust.cosign", cosign_octets(job), "the program that signs for another hub"))

    async def _run(self, job: PublishJob) -> Published:
        return read_answer(await _said("banlistd.trust.publish", b"".join(job_octets(job)), "the program that publishes"))


async def _said(module: str, given: bytes, name: str) -> bytes:
    """Call it on the thread of the event loop: the program is killed when that thread ends. Raises FleetError."""
    program, bounds = launched_by(without_rights, *own_program(module)), ChildBounds(_SECONDS, _MOST_OUTPUT)
    try:
        # What it writes to stderr is for the journal.
        ended = await run_child(program, _ENVIRONMENT, bounds, given=given, stderr=None)
    except ChildFaultError as error:
        raise FleetError(f"{name} {error}") from error
    if ended.code == without_rights.KEPT_A_RIGHT:
        raise FleetError(f"{name} cannot give up its rights")
    return ended.said
