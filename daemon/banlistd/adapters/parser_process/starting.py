"""Two ways to start a parser process: it runs a program of its own or, while many lists wait, it is a fork of a ready one."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol, Self

from banlistd.adapters.parser_process import forker
from banlistd.adapters.parser_process.job import Job, encoded_job

Descriptors = tuple[int, ...]
"""Of the body, the result file and the answer; for a fork that reads several lists, also of the socket of its further jobs."""

OnEnd = Callable[[int], None]
"""Called once with the exit code; negative: the number of a signal."""


class ParserProcess(Protocol):
    """A process that is running, or was."""

    def kill(self) -> None:
        """Does nothing to a process that has ended."""


StartParser = Callable[[Job, Descriptors, OnEnd], ParserProcess]
"""Called on the event loop's own thread: the process dies with that thread. Raises OSError."""


def started(program: str, job: Job, descriptors: Descriptors) -> subprocess.Popen[bytes]:
    """A process that runs `program`, `child` or one with its arguments."""
    return _script(program, [*map(str, (*descriptors, os.getpid())), encoded_job(job)], descriptors)


def _script(program: str, arguments: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    search_path = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(  # noqa: S603 - our own program, with integers and our own words
        [sys.executable, "-I", "-S", program, "first", *arguments, search_path],
        stdin=subprocess.DEVNULL,
        env={"OPENBLAS_NUM_THREADS": "1"},
        cwd="/",
        pass_fds=descriptors,
        process_group=0,  # Ctrl-C at a terminal is for the daemon alone
    )


class SpawnedParser:
    """A ParserProcess that runs a program of its own."""

    def __init__(self, process: "subprocess.Popen[bytes]", on_end: OnEnd) -> None:
        self._process = process
        self._on_end = on_end
        self._pidfd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._has_ended)

    def kill(self) -> None:
        self._process.kill()

    def _has_ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._on_end(self._process.wait())


class _ForkedParser:
    """A ParserProcess that is a fork of the forker."""

    def __init__(self, send: Callable[[bytes], None], number: int) -> None:
        self._send = send
        self._number = number

    def kill(self) -> None:
        self._send(b"kill %d" % self._number)


class BegunForker:
    """A `forker` that starts while there is no event loop yet; a `Forker` takes it over. Its thread ends it too."""

    def __init__(self, program: str = str(forker.__file__)) -> None:
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = _script(program, [str(theirs.fileno()), str(os.getpid())], [theirs.fileno()])
        self.channel.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End it, taken over or not."""
        self.channel.close()
        self.process.kill()
        self.process.wait()


class Forker:
    """A running `forker`, and the forks of it that have not ended. `begun`: one that was started before."""

    def __init__(self, program: str = str(forker.__file__), begun: BegunForker | None = None) -> None:
        begun = begun or BegunForker(program)
        self._channel, self._process = begun.channel, begun.process
        self._running: dict[int, OnEnd] = {}
        self._count = 0
        self._ready, self._gone = asyncio.Event(), asyncio.Event()
        self._has_forks = False
        SpawnedParser(self._process, self._has_gone)
        asyncio.get_running_loop().add_reader(self._channel, self._heard)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def was_killed(self) -> bool:
        """Whether it has ended although it could fork: memory was short, and another one may do better."""
        return self._has_forks and self._gone.is_set()

    async def is_ready(self) -> bool:
        """Wait until it has lost its rights; False where it could not, or has ended since."""
        await self._ready.wait()
        return not self._gone.is_set()

    def start(self, job: Job, descriptors: Descriptors, on_end: OnEnd) -> ParserProcess:
        """A StartParser, once it is ready."""
        self._count += 1
        socket.send_fds(self._channel, [b"fork %d %s" % (self._count, encoded_job(job).encode())], descriptors)
        self._running[self._count] = on_end
        return _ForkedParser(self._send, self._count)

    def end(self) -> None:
        """Let it end, with all its forks."""
        if self._channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()

    async def close(self) -> None:
        """End it at once, and wait for that."""
        self.end()
        self._process.kill()
        await asyncio.shield(self.gone())

    async def gone(self) -> None:
        """Wait until it has ended."""
        await self._gone.wait()

    def _send(self, request: bytes) -> None:
        with suppress(OSError):  # where it is gone, its forks are
            self._channel.send(request)

    def _heard(self) -> None:
        """It is ready (number 0), or a fork has ended."""
        with suppress(BlockingIOError):
            while said := self._said():
                number, code = map(int, said.split())
                self._running.pop(number, self._has_begun)(code)
            asyncio.get_running_loop().remove_reader(self._channel)

    def _said(self) -> bytes:
        try:
            return self._channel.recv(64)
        except ConnectionResetError:  # once: it was killed with a request unread; what it had said is there all the same
            return self._channel.recv(64)

    def _has_begun(self, _code: int) -> None:
        self._has_forks = True
        self._ready.set()

    def _has_gone(self, _code: int) -> None:
        if self._channel.fileno() >= 0:
            self._heard()
        self.end()
        self._gone.set()
        self._ready.set()
        running, self._running = self._running, {}
        for on_end in running.values():
            on_end(-signal.SIGKILL)
