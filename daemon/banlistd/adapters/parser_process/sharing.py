"""Parser processes that read one short list after another of the same publisher: half of a short list's cost is its process.

A fork that has given its answer gets the next job over a socket, with new descriptors; it ends with the last list that waits,
after `MOST_LISTS` of them, and after one that was refused, took long or had a long result. What makes two publishers one is not
decided here (`core.download.same_publisher`).

A process that was taken over by one list may lie about the next ones, and do nothing else to them. All that it says but a good
list (an error, no answer, its end, silence) is said again by a process that has read nothing else: no list is refused, and no
source backs off, because of what another list did. So what an earlier list left of memory and of processor time fails no later
one either. Each list has its own pipes and its own result file, which is sealed before it is looked at: a second answer, an
answer for another list and a late write reach nothing.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from banlistd.adapters.parser_process.confinement import Limits
from banlistd.adapters.parser_process.job import Job, encoded_job
from banlistd.adapters.parser_process.running import RunningParser, start_faults
from banlistd.adapters.parser_process.starting import Descriptors, OnEnd, ParserProcess, StartParser
from banlistd.core.feeds.parsed_list import ParsedList
from banlistd.errors import FetchError, ParseError

MOST_LISTS = 32
"""Lists of one process."""

_MOST_FREE = 2
"""Processes that have no list at the moment, because lists of other publishers are in front of theirs."""

_QUICK = 0.5
"""Seconds after which the list that was read is the last one of its process; a list of 64 KiB takes some milliseconds."""

_PATIENCE = 2.0
"""Seconds that a process which has read other lists has for one more, before a new process reads it."""


@dataclass(frozen=True, slots=True)
class Group:
    """Lists that may share a process, whose limits are those of its first list."""

    publisher: str
    limits: Limits


class SharedProcess:
    """A ParserProcess for several lists. `fork`: a StartParser that takes one descriptor more, of a socket for further jobs."""

    def __init__(self, fork: StartParser) -> None:
        self._fork = fork
        self._channel, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.setblocking(False)
        self._process: ParserProcess | None = None
        self._on_end: OnEnd = _ignored
        self.lists = 0
        self.has_ended = False

    def start(self, job: Job, descriptors: Descriptors, on_end: OnEnd) -> ParserProcess:
        """A StartParser, which starts the process for the first list only. Raises OSError where it has ended since."""
        self._on_end = on_end
        self.lists += 1
        if self._process is not None:
            socket.send_fds(self._channel, [encoded_job(job).encode()], descriptors)
            return self
        with self._theirs:
            self._process = self._fork(job, (*descriptors, self._theirs.fileno()), self._has_ended)
        return self

    def kill(self) -> None:
        self._channel.close()
        self._theirs.close()
        if self._process is not None:
            self._process.kill()

    def _has_ended(self, code: int) -> None:
        self.has_ended = True
        self._channel.close()
        self._on_end(code)


class SharedProcesses:
    """The processes that have no list at the moment, and how many lists wait for them."""

    def __init__(self) -> None:
        self._waiting: Counter[Group] = Counter()
        self._free: list[tuple[Group, SharedProcess]] = []

    @contextmanager
    def expecting(self, group: Group | None) -> Iterator[Callable[[], SharedProcess | None]]:
        """A list waits, until the function is called that gives it the process of an earlier list, if there is one.

        Once no list waits, processes end, whatever the order in which lists get their places.
        """
        if group is None:
            yield lambda: None
            return
        left = [group]

        def take() -> SharedProcess | None:
            self._waiting.subtract(left)
            left.clear()
            process = next((free for of, free in self._free if of == group and not free.has_ended), None)
            self._free = [(of, free) for of, free in self._free if free is not process and not free.has_ended]
            self._end_surplus(group)
            return process

        self._waiting[group] += 1
        try:
            yield take
        finally:
            self._waiting.subtract(left)
            self._end_surplus(group)

    def give_back(self, group: Group, process: SharedProcess) -> bool:
        """Keep a process for a list that waits. False where none does, or the process has had its lists."""
        waiting = self._waiting[group] > sum(of == group for of, _ in self._free)
        keeps = waiting and len(self._free) < _MOST_FREE and process.lists < MOST_LISTS and not process.has_ended
        if keeps:
            self._free.append((group, process))
        return keeps

    def _end_surplus(self, group: Group) -> None:
        mine = [free for of, free in self._free if of == group]
        surplus = mine[max(0, self._waiting[group]) :]
        self._free = [(of, free) for of, free in self._free if free not in surplus]
        for process in surplus:
            process.kill()
        if not self._waiting[group]:
            del self._waiting[group]


class SharedSession:
    """A ParserSession in a process that may have read other lists, and may read more.

    `alone`: how a process starts that reads this list only.
    """

    def __init__(
        self,
        free: SharedProcesses,
        group: Group,
        process: SharedProcess,
        job: Job,
        alone: Callable[[], Awaitable[StartParser]],
    ) -> None:
        """Raises OSError where the process has ended."""
        self._free, self._group, self._job, self._alone = free, group, job, alone
        self._process: SharedProcess | None = process
        self._is_used = process.lists > 0
        self._body: list[bytes] = []
        self._was_quick = False
        try:
            self._parser = RunningParser(process.start, job, lives_on=True)
        except OSError:
            process.kill()
            raise

    async def ready(self) -> None:
        if not self._is_used:
            await self._parser.ready()
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._parser.ready()
        except TimeoutError:
            await self._begin_anew()

    async def feed(self, data: bytes) -> None:
        if not self._is_used:
            await self._parser.feed(data)
            return
        self._body.append(data)
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._parser.feed(data)
        except (FetchError, ParseError, TimeoutError):
            await self._begin_anew()

    async def finish(self) -> ParsedList:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self._is_used:
            try:
                async with asyncio.timeout(_PATIENCE):
                    found = await self._parser.finish()
            except (FetchError, ParseError, TimeoutError):
                await self._begin_anew()
                return await self._parser.finish()
        else:
            found = await self._parser.finish()
        self._was_quick = loop.time() - began < _QUICK
        return found

    async def close(self) -> None:
        """Leave the process to the next list, or end it as `RunningParser.close` does."""
        may_go_on = self._process is not None and self._was_quick and self._parser.is_short
        if may_go_on and self._process is not None and self._free.give_back(self._group, self._process):
            self._parser.let_go()
        else:
            await self._parser.close()

    async def _begin_anew(self) -> None:
        """A process that reads this list alone, and has what was fed. Raises as `feed` does."""
        await self._parser.close()
        self._is_used, self._process = False, None
        with start_faults():
            self._parser = RunningParser(await self._alone(), self._job)
        await self._parser.ready()
        for piece in self._body:
            await self._parser.feed(piece)


def _ignored(_code: int) -> None:
    """Before the first list."""
