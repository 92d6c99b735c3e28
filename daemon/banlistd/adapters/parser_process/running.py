"""One list on its way through a parser process: its body in, its result and its answer out.

The daemon trusts nothing that comes back: it waits for the end of the process, seals the result file so that it cannot change
any more, compares its size with the counts, maps it, and refuses addresses that are not in normal form. A process that lives on
(`sharing`) has no end to wait for: its whole answer is the end of its list, and a file that it can still write to by a mapping
cannot be sealed, and is refused.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from banlistd.adapters.parser_process import child
from banlistd.adapters.parser_process.answer import ANSWER_SIZE, Answer, Status, decoded_answer
from banlistd.adapters.parser_process.job import Job
from banlistd.adapters.parser_process.result import SHORT_RESULT, fault_of, taken_result
from banlistd.adapters.parser_process.starting import StartParser
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.errors import FetchError, ParseError

_PIPE = 1 << 20

START = 30.0
"""Seconds: 0.15 on a machine that is idle (measured), 1.6 on one with eight others on each core."""

_WHOLE = len(child.READY) + ANSWER_SIZE


@contextmanager
def start_faults() -> Iterator[None]:
    """What the system says where it starts no process (descriptors, processes, memory) becomes a FetchError."""
    try:
        yield
    except OSError as exc:
        hint = "is there too little memory, or are there too many processes or open files?"
        raise FetchError(f"cannot start the process that reads lists: {exc.strerror}", hint) from exc


class RunningParser:
    """One process and its three descriptors. Made on the event loop's own thread: the process dies with that thread.

    `lives_on`: its answer ends the list, and not its own end.
    """

    def __init__(self, start: StartParser, job: Job, *, lives_on: bool = False) -> None:
        self._ended, self._ready, self._done = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._lives_on = lives_on
        self._octets = b""
        self._code = 0
        self.is_short = False
        """Whether a list has come, and its result is no longer than `SHORT_RESULT`."""
        with ExitStack() as failed:
            self._result = _kept(failed, os.memfd_create("banlistd-result", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
            body, self._body = (_kept(failed, end) for end in os.pipe2(os.O_CLOEXEC))
            self._answer, answer = (_kept(failed, end) for end in os.pipe2(os.O_CLOEXEC))
            if not lives_on:  # then lists are short
                with suppress(OSError):  # an account may have used up its share of pipe memory; then it stays as it is
                    fcntl.fcntl(self._body, fcntl.F_SETPIPE_SZ, _PIPE)
            os.set_blocking(self._body, False)
            self._process = start(job, (body, self._result, answer), self._has_ended)
            failed.pop_all()
        os.close(body)
        os.close(answer)
        os.set_blocking(self._answer, False)
        asyncio.get_running_loop().add_reader(self._answer, self._heard)

    async def ready(self) -> None:
        """Wait until the process has lost its rights and reads, or has ended. Raises FetchError after too long."""
        try:
            async with asyncio.timeout(START):
                await self._ready.wait()
        except TimeoutError as exc:
            raise FetchError(
                f"the process that reads lists did not start within {START:g} s", "is the machine overloaded?"
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
                await self._done.wait()
            if self._done.is_set():
                raise fault_of(self._read_answer())

    async def finish(self) -> ParsedList:
        """After the last byte: the list. Raises FetchError and ParseError."""
        os.close(self._body)
        self._body = -1
        await self._done.wait()
        answer = self._read_answer()
        if answer.status is not Status.PARSED:
            raise fault_of(answer)
        # A short result is checked in less time than it takes to switch to a thread.
        is_short = answer.octets <= SHORT_RESULT
        addresses, timed = (
            taken_result(self._result, answer) if is_short else await asyncio.to_thread(taken_result, self._result, answer)
        )
        self.is_short = is_short
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
        try:
            if not self._ended.is_set():
                self._process.kill()
                await asyncio.shield(self._ended.wait())
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Close the descriptors, and leave the process as it is."""
        if self._answer >= 0:
            asyncio.get_running_loop().remove_reader(self._answer)
        for number in (self._body, self._answer, self._result):
            if number >= 0:
                os.close(number)
        self._body = self._answer = self._result = -1

    def _heard(self) -> None:
        """It is ready; where it lives on, its answer ends the list, and so does the end of the pipe without one."""
        self._ready.set()
        is_whole = self._lives_on and (not self._read_on() or len(self._octets) >= _WHOLE)
        if is_whole or not self._lives_on:
            asyncio.get_running_loop().remove_reader(self._answer)
        if is_whole:
            self._done.set()

    def _read_on(self) -> bool:
        """Read what there is of the answer, and of one octet behind it. False at the end of the pipe."""
        with suppress(BlockingIOError):
            octets = os.read(self._answer, _WHOLE + 1 - len(self._octets))
            self._octets += octets
            return bool(octets)
        return True

    def _has_ended(self, code: int) -> None:
        self._code = code
        for event in (self._ended, self._ready, self._done):
            event.set()

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        can_write = asyncio.Event()
        loop.add_writer(self._body, can_write.set)
        try:
            done = [asyncio.ensure_future(event.wait()) for event in (can_write, self._done)]
            try:
                await asyncio.wait(done, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in done:
                    task.cancel()
        finally:
            loop.remove_writer(self._body)

    def _read_answer(self) -> Answer:
        if len(self._octets) <= _WHOLE:
            self._read_on()
        octets = self._octets.removeprefix(child.READY)
        if not octets and (self._ended.is_set() or not self._lives_on):
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
