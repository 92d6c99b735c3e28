"""Starts a parser process for each list, feeds it bytes as they arrive, and takes its result only when it is in order.

The daemon trusts nothing that comes back: it waits for the end of the process, seals the result file so that it cannot change
any more, compares its size with the counts, maps it, and refuses addresses that are not in normal form.

*Measured* on two cores: 1,000,000 addresses are there 4 ms later than parsed in the daemon itself (44.9 and 40.9 ms), because
the start of the process (115-150 ms) is over before the last byte arrives. While lists wait for a place, a process is
forked for each and not started. Where a start of the daemon expects a list that was never read, that begins at once.
"""

import asyncio
import fcntl
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial

from banlistd.adapters.parser_process import child
from banlistd.adapters.parser_process.answer import ANSWER_SIZE, Answer, Status, decoded_answer
from banlistd.adapters.parser_process.confinement import Limits
from banlistd.adapters.parser_process.job import Job
from banlistd.adapters.parser_process.result import MAX_RESULT, fault_of, taken_result
from banlistd.adapters.parser_process.starting import (
    BegunForker,
    Descriptors,
    Forker,
    OnEnd,
    SpawnedParser,
    StartParser,
    started,
)
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.errors import FetchError, ParseError
from banlistd.formats import Format, FormatType

_PIPE = 1 << 20

_MIB = 2**20
_LEAST_MEMORY = 288 * _MIB
_BASE_MEMORY = 96 * _MIB
_PER_BYTE = 5
_JSON_PER_BYTE = 12.5
_DOCUMENTS = (FormatType.JSON, FormatType.STIX2, FormatType.TAXII, FormatType.CROWDSEC)
_MAX_AT_ONCE = 2

_STARTED = 3
"""Processes that are there: one of them has begun before its place is free, and has not read a byte."""

_SHORT = 1 << 16
"""Octets of a result."""

_IDLE = 2.0
"""Seconds without a list after which the process that forks ends."""

_START = 30.0
"""Seconds: 0.15 on a machine that is idle (measured), 1.6 on one with eight others on each core."""


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
        self._sessions = 0
        self._forker: Forker | None = None
        self._idle: asyncio.TimerHandle | None = None
        if expects_lists or begun is not None:
            self._forker = Forker(begun=begun) if begun is not None else Forker()
            self._rest_later(_START)

    def limits_for(self, form: Format, max_bytes: int, seconds: float) -> Limits:
        """JSON needs 12.1 bytes a byte of text beside the libraries, lines of other formats less than 5 (measured).

        An archive needs up to 128 MiB of its own.
        """
        data = _BASE_MEMORY + int((_JSON_PER_BYTE if form.type in _DOCUMENTS else _PER_BYTE) * max_bytes)
        return Limits(min(max(data, _LEAST_MEMORY), self._memory), MAX_RESULT, max(1, int(seconds) + 1))

    @asynccontextmanager
    async def session(
        self, form: Format, max_bytes: int, seconds: float, encoding: str = "", next_path: str = ""
    ) -> AsyncIterator["RunningParser"]:
        """Start a process, wait for one of two places, and end it when the block is left, however that happens."""
        many = self._slots.locked()
        self._sessions += 1
        if self._idle is not None:
            self._idle.cancel()
        try:
            async with self._starts:
                limits = self.limits_for(form, max_bytes, seconds)
                job = Job(replace(form, now=int(self._now())), max_bytes, encoding, limits, next_path)
                session = RunningParser(await self._start_for(many=many), job)
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

    async def _start_for(self, *, many: bool) -> StartParser:
        """A fork while lists wait, if there can be forks; otherwise a process of its own."""
        if many and self._forker is None:
            self._forker = Forker()
        if self._forker is not None and await self._forker.is_ready():
            return self._forker.start
        return partial(_spawned, self._program)

    def _rest_later(self, seconds: float) -> None:
        self._idle = asyncio.get_running_loop().call_later(seconds, self._rest)

    def _rest(self) -> None:
        """Some time after the last list: the memory of the process that forks is given back."""
        if self._forker is not None:
            self._forker.end()
            self._forker = None


def _spawned(program: str, job: Job, descriptors: Descriptors, on_end: OnEnd) -> SpawnedParser:
    return SpawnedParser(started(program, job, descriptors), on_end)


class RunningParser:
    """One process and its three descriptors. Made on the event loop's own thread: the process dies with that thread."""

    def __init__(self, start: StartParser, job: Job) -> None:
        self._ended, self._ready = asyncio.Event(), asyncio.Event()
        self._code = 0
        with ExitStack() as failed:
            self._result = _kept(failed, os.memfd_create("banlistd-result", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
            body, self._body = (_kept(failed, end) for end in os.pipe2(os.O_CLOEXEC))
            self._answer, answer = (_kept(failed, end) for end in os.pipe2(os.O_CLOEXEC))
            with suppress(OSError):  # an account may have used up its share of pipe memory; then it stays as it is
                fcntl.fcntl(self._body, fcntl.F_SETPIPE_SZ, _PIPE)
            os.set_blocking(self._body, False)
            self._process = start(job, (body, self._result, answer), self._has_ended)
            failed.pop_all()
        os.close(body)
        os.close(answer)
        os.set_blocking(self._answer, False)
        asyncio.get_running_loop().add_reader(self._answer, self._has_begun)

    async def ready(self) -> None:
        """Wait until the process has lost its rights and reads, or has ended. Raises FetchError after too long."""
        try:
            async with asyncio.timeout(_START):
                await self._ready.wait()
        except TimeoutError as exc:
            raise FetchError(
                f"the process that reads lists did not start within {_START:g} s", "is the machine overloaded?"
            ) from exc

    async def feed(self, data: bytes) -> None:
        """Hand on the next bytes as they arrived; waits while the process is busy.

        Raises FetchError and ParseError where the process has ended: more bytes would be in vain.
        """
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._body, view) :]
            except BlockingIOError:
                await self._writable()
            except BrokenPipeError:
                await self._ended.wait()
            if self._ended.is_set():
                raise fault_of(self._read_answer())

    async def finish(self) -> ParsedList:
        """After the last byte: the list. Raises FetchError and ParseError."""
        os.close(self._body)
        self._body = -1
        await self._ended.wait()
        answer = self._read_answer()
        if answer.status is not Status.PARSED:
            raise fault_of(answer)
        # A short result is checked in less time than it takes to switch to a thread.
        is_short = answer.octets <= _SHORT
        addresses, timed = (
            taken_result(self._result, answer) if is_short else await asyncio.to_thread(taken_result, self._result, answer)
        )
        return ParsedList(
            addresses,
            answer.entries,
            answer.rejected,
            answer.samples,
            answer.is_html,
            answer.said,
            answer.data_lines,
            answer.next_page,
            timed,
        )

    async def close(self) -> None:
        """Kill the process if it still runs, wait for its end, and let go of everything."""
        asyncio.get_running_loop().remove_reader(self._answer)
        if not self._ended.is_set():
            self._process.kill()
            await asyncio.shield(self._ended.wait())
        for number in (self._body, self._answer, self._result):
            if number >= 0:
                os.close(number)

    def _has_begun(self) -> None:
        asyncio.get_running_loop().remove_reader(self._answer)
        self._ready.set()

    def _has_ended(self, code: int) -> None:
        self._code = code
        self._ended.set()
        self._ready.set()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        can_write = asyncio.Event()
        loop.add_writer(self._body, can_write.set)
        try:
            done = [asyncio.ensure_future(event.wait()) for event in (can_write, self._ended)]
            try:
                await asyncio.wait(done, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in done:
                    task.cancel()
        finally:
            loop.remove_writer(self._body)

    def _read_answer(self) -> Answer:
        octets = b""
        with suppress(BlockingIOError):
            octets = os.read(self._answer, ANSWER_SIZE + 2).removeprefix(child.READY)
        if not octets:
            raise ParseError(f"the process that reads the list {_how(self._code)}", _HINTS.get(-self._code, ""))
        try:
            return decoded_answer(octets)
        except ValueError as exc:
            raise ParseError(f"the process that reads the list gave no proper answer ({exc})") from exc


_HINTS: dict[int, str] = {
    signal.SIGXCPU: "raise `timeout` of the source, if its list is right",
    signal.SIGKILL: "the machine is short of memory",
    signal.SIGSYS: "it tried what it must not: treat the list as hostile, or report this",
}


def _how(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _kept(stack: ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
