"""Starts the program that asks name servers while there are questions, and takes its answers."""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from contextlib import suppress

from banlistd.adapters.names.messages import LARGEST_ANSWER, ServerAnswer, ServerQuestion, encoded_question, unpacked_answer
from banlistd.adapters.parser_process.starting import SpawnedParser
from banlistd.adapters.system.own_program import own_program
from banlistd.ports import Clock

_LOG = logging.getLogger(__name__)

_MODULE = "banlistd.adapters.names.program"

_AT_ONCE = 16
"""Questions. The first ones after a start are many, and no resolver of a home has to answer a thousand in one second."""

_IDLE = 90.0
"""Seconds without a question after which the program ends: longer than the shortest time between two questions for a name, so
that it is not started each minute. A start takes 0.1 s of processor, the program 28 MB (measured).
"""

_REST = 300.0
"""Seconds without the program, once one has ended before its first answer: its libraries are missing, or it is forbidden."""

_MARGIN = 2.0
"""Seconds for the start of the program, beside those of the question."""


class NameServers:
    """`module`: the program; tests put others in its place."""

    def __init__(self, clock: Clock, module: str = _MODULE, idle: float = _IDLE) -> None:
        self._clock = clock
        self._module = module
        self._idle = idle
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._program: _Program | None = None
        self._running: set[_Program] = set()
        self._number = 0
        self._rests_until = 0.0
        self._ending: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the program, while it runs."""
        return self._program.pid if self._program is not None and not self._program.has_ended else None

    async def ask(self, name: str, seconds: float) -> ServerAnswer | None:
        """What name servers say of a name within so many seconds; None: nothing. Never raises."""
        async with self._places:
            program = self._program if self._program and not self._program.has_ended else self._started()
            if program is None:
                return None
            if self._ending is not None:
                self._ending.cancel()
            self._number = self._number % (2**32 - 1) + 1
            try:
                return await program.ask(ServerQuestion(self._number, seconds, name))
            finally:
                if self._ending is not None:
                    self._ending.cancel()
                self._ending = asyncio.get_running_loop().call_later(self._idle, self._end)

    async def close(self) -> None:
        """End the program, and wait for that."""
        if self._ending is not None:
            self._ending.cancel()
        for program in [*self._running]:
            await program.close()

    def _started(self) -> "_Program | None":
        now = self._clock.monotonic()
        if self._program is not None and not self._program.has_answered and self._rests_until <= now:
            _LOG.warning("the program that asks name servers %s; the names are asked for without their TTL", self._program.end)
            self._rests_until = now + _REST
            self._program = None
        if now < self._rests_until:
            return None
        try:
            self._program = _Program(self._module, self._running)
        except OSError as error:
            _LOG.warning("the program that asks name servers cannot be started: %s", error.strerror)
            self._rests_until = now + _REST
            return None
        return self._program

    def _end(self) -> None:
        if self._program is not None:
            self._program.end_idle()
            self._program = None


class _Program:
    """One process, which is one of `running` until it has ended. Made on the event loop's own thread: it dies with that thread.
    Raises OSError.
    """

    def __init__(self, module: str, running: "set[_Program]") -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                process = subprocess.Popen(  # noqa: S603 - our own program
                    [sys.executable, *own_program(module, "first", str(os.getpid()))],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={"LC_ALL": "C.UTF-8"},
                    cwd="/",
                    process_group=0,  # Ctrl-C at a terminal is for the daemon alone
                )
            except OSError:
                self._channel.close()
                raise
        self._channel.setblocking(False)
        self._waiting: dict[int, asyncio.Future[ServerAnswer | None]] = {}
        self._given_up: set[int] = set()
        self._gone = asyncio.Event()
        self._running = running
        self._code = 0
        self.has_answered = False
        self.pid = process.pid
        self._process = SpawnedParser(process, self._has_gone)
        running.add(self)
        asyncio.get_running_loop().add_reader(self._channel, self._heard)

    @property
    def has_ended(self) -> bool:
        return self._channel.fileno() < 0

    @property
    def end(self) -> str:
        return f"ended with {self._code}" if self._gone.is_set() else "gave no proper answer"

    async def ask(self, question: ServerQuestion) -> ServerAnswer | None:
        answer: asyncio.Future[ServerAnswer | None] = asyncio.get_running_loop().create_future()
        self._waiting[question.number] = answer
        try:
            self._channel.send(encoded_question(question))
            async with asyncio.timeout(question.seconds + _MARGIN):
                return await answer
        except (OSError, TimeoutError):
            return None
        finally:
            del self._waiting[question.number]
            if not answer.done() or answer.cancelled():
                self._given_up.add(question.number)

    def end_idle(self) -> None:
        """Let it end by itself."""
        if not self.has_ended:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_result(None)

    async def close(self) -> None:
        self.end_idle()
        self._process.kill()
        await asyncio.shield(self._gone.wait())

    def _heard(self) -> None:
        with suppress(BlockingIOError):
            try:
                octets = self._channel.recv(LARGEST_ANSWER + 1)
                answer = unpacked_answer(octets)
            except BlockingIOError:
                raise
            except (OSError, ValueError):
                self._refuse()
                return
            waits = self._waiting.get(answer.number)
            if waits is not None and not waits.done():
                self.has_answered = True
                waits.set_result(answer)
            elif answer.number in self._given_up:
                self._given_up.remove(answer.number)
            else:
                self._refuse()

    def _refuse(self) -> None:
        """It has ended, or says what is no answer: hostile bytes may have taken it over."""
        self.end_idle()
        self._process.kill()

    def _has_gone(self, code: int) -> None:
        self._code = code
        self._running.discard(self)
        self.end_idle()
        self._gone.set()
