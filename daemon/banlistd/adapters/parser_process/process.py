"""Starts a parser process for each list, at most two at a time, and ends it.

Short lists of the same publisher that wait at the same time share one (`sharing`).

*Measured* on two cores: 1,000,000 addresses are there 4 ms later than parsed in the daemon itself (44.9 and 40.9 ms), because
the start of the process (115-150 ms) is over before the last byte arrives. While lists wait for a place, a process is
forked for each and not started. Where a start of the daemon expects a list that was never read, that begins at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from banlistd.adapters.parser_process import child
from banlistd.adapters.parser_process.confinement import Limits
from banlistd.adapters.parser_process.job import Job
from banlistd.adapters.parser_process.result import MAX_RESULT
from banlistd.adapters.parser_process.running import START, RunningParser, start_faults
from banlistd.adapters.parser_process.sharing import Group, SharedProcess, SharedProcesses, SharedSession
from banlistd.adapters.parser_process.starting import (
    BegunForker,
    Descriptors,
    Forker,
    OnEnd,
    ParserProcess,
    SpawnedParser,
    StartParser,
    started,
)
from banlistd.formats import Format, FormatType

_MIB = 2**20
_LEAST_MEMORY = 288 * _MIB
_BASE_MEMORY = 96 * _MIB
_PER_BYTE = 5
_JSON_PER_BYTE = 12.5
_DOCUMENTS = (FormatType.JSON, FormatType.STIX2, FormatType.TAXII, FormatType.CROWDSEC)
_MAX_AT_ONCE = 2

_STARTED = 3
"""Processes that are there: one of them has begun before its place is free, and has not read a byte."""

_IDLE = 2.0
"""Seconds without a list after which the process that forks ends."""


class ParserProcesses:
    """The ListParser of `ports`. `memory`: the most that one process may take, in bytes, whatever the format needs.

    `program`: the script that is started; tests put a hostile one in its place. `now`: Unix seconds. `expects_lists`: lists
    that were never read arrive soon. The process that forks begins at once then: the first list of 1,000,000 addresses is in
    the firewall 50 ms earlier (measured). `begun`: one that has begun already.
    """

    def __init__(
        self,
        memory: int = 512 * _MIB,
        program: str = str(child.__file__),
        now: Callable[[], float] = time.time,
        *,
        expects_lists: bool = False,
        begun: BegunForker | None = None,
    ) -> None:
        self._memory = memory
        self._program = program
        self._now = now
        self._slots = asyncio.Semaphore(_MAX_AT_ONCE)
        self._starts = asyncio.Semaphore(_STARTED)
        self._shared = SharedProcesses()
        self._sessions = 0
        self._forker: Forker | None = None
        self._idle: asyncio.TimerHandle | None = None
        if expects_lists or begun is not None:
            self._forker = Forker(begun=begun) if begun is not None else Forker()
            self._rest_later(START)

    def limits_for(self, form: Format, max_bytes: int, seconds: float) -> Limits:
        """JSON needs 12.1 bytes a byte of text beside the libraries, lines of other formats less than 5 (measured).

        An archive needs up to 128 MiB of its own.
        """
        data = _BASE_MEMORY + int((_JSON_PER_BYTE if form.type in _DOCUMENTS else _PER_BYTE) * max_bytes)
        return Limits(min(max(data, _LEAST_MEMORY), self._memory), MAX_RESULT, max(1, int(seconds) + 1))

    @asynccontextmanager
    async def session(
        self,
        form: Format,
        max_bytes: int,
        seconds: float,
        encoding: str = "",
        next_path: str = "",
        publisher: str = "",
    ) -> AsyncIterator[RunningParser | SharedSession]:
        """Start a process, wait for one of two places, and end it when the block is left, however that happens.

        Raises FetchError where none starts.
        """
        many = self._slots.locked()
        self._sessions += 1
        if self._idle is not None:
            self._idle.cancel()
        limits = self.limits_for(form, max_bytes, seconds)
        group = Group(publisher, limits) if publisher else None
        try:
            with self._shared.expecting(group) as take:
                async with self._starts:
                    job = Job(replace(form, now=int(self._now())), max_bytes, encoding, limits, next_path)
                    with start_faults():
                        session = self._begun(job, group, take, await self._forker_for(many=many))
                    has_place = False
                    try:
                        has_place = await self._slots.acquire()
                        yield session
                    finally:
                        try:
                            await session.close()
                        finally:
                            if has_place:
                                self._slots.release()
        finally:
            self._sessions -= 1
            if not self._sessions and self._forker is not None:
                self._rest_later(_IDLE)

    async def close(self) -> None:
        """End the process that forks, if there is one."""
        if self._forker is not None:
            await self._forker.close()

    def _begun(
        self, job: Job, group: Group | None, take: Callable[[], SharedProcess | None], forker: Forker | None
    ) -> RunningParser | SharedSession:
        """A fork while lists wait, or one that has read others, if there can be forks; otherwise a process of its own."""
        if forker is None:
            return RunningParser(partial(_spawned, self._program), job)
        start = self._start_by(forker)
        if group is None:
            return RunningParser(start, job)
        process = take()
        if process is not None:
            with suppress(OSError):  # it has ended meanwhile
                return SharedSession(self._shared, group, process, job, self._start_alone)
        return SharedSession(self._shared, group, SharedProcess(start), job, self._start_alone)

    async def _start_alone(self) -> StartParser:
        """For a list whose process had read others, and did not do well."""
        forker = await self._forker_for(many=False)
        return self._start_by(forker) if forker is not None else partial(_spawned, self._program)

    def _start_by(self, forker: Forker) -> StartParser:
        """A fork or, where the process that forks has ended unseen (memory was short), a process of its own."""

        def start(job: Job, descriptors: Descriptors, on_end: OnEnd) -> ParserProcess:
            with suppress(OSError):
                return forker.start(job, descriptors, on_end)
            # It reads one list, so it takes no socket for further ones.
            return _spawned(self._program, job, descriptors[:3], on_end)

        return start

    async def _forker_for(self, *, many: bool) -> Forker | None:
        if many and (self._forker is None or self._forker.was_killed):
            self._forker = Forker()
        forker = self._forker
        return forker if forker is not None and await forker.is_ready() else None

    def _rest_later(self, seconds: float) -> None:
        self._idle = asyncio.get_running_loop().call_later(seconds, self._rest)

    def _rest(self) -> None:
        """Some time after the last list: the memory of the process that forks is given back."""
        if self._forker is not None:
            self._forker.end()
            self._forker = None


def _spawned(program: str, job: Job, descriptors: Descriptors, on_end: OnEnd) -> SpawnedParser:
    return SpawnedParser(started(program, job, descriptors), on_end)
