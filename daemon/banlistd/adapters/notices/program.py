"""A program that is run without a shell, within bounds of time and of output; nothing that it has started outlives it."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, cast

_KEPT = 4096  # octets of output: enough for the message of an error
_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Ended:
    """`code`: the exit code; negative: the number of a signal; None: it was killed because its time was over.

    `output`: the beginning of what it wrote to stdout and stderr.
    """

    code: int | None
    output: str


async def run_program(command: Sequence[str], given: bytes, environment: Mapping[str, str], seconds: float) -> Ended:
    """Run it with `given` on its standard input, in a process group of its own. Raises OSError where it cannot be started.

    Once it ends, its time is over, or this is cancelled, its whole group is killed.
    """
    # A file: a program that does not read it blocks nothing.
    with os.fdopen(os.memfd_create("input", os.MFD_CLOEXEC), "wb+") as stdin:
        stdin.write(given)
        stdin.flush()
        stdin.seek(0)
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - it starts at once; the command is the administrator's
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    running = _Running(process, cast("IO[bytes]", process.stdout))
    try:
        async with asyncio.timeout(seconds):
            await running.ended.wait()
    except TimeoutError:
        return Ended(None, running.end())
    except asyncio.CancelledError:
        running.end()
        raise
    output = running.end()
    return Ended(process.returncode, output)


class _Running:
    def __init__(self, process: "subprocess.Popen[bytes]", out: IO[bytes]) -> None:
        self.ended = asyncio.Event()
        self._process = process
        self._out = out
        self._said = bytearray()
        self._pidfd = os.pidfd_open(process.pid)
        self._loop = asyncio.get_running_loop()
        os.set_blocking(self._out.fileno(), False)
        self._loop.add_reader(self._out, self._hear)
        self._loop.add_reader(self._pidfd, self.ended.set)

    def _hear(self) -> None:
        """What is beyond the bound is read and forgotten, so that the program goes on."""
        try:
            piece = os.read(self._out.fileno(), _PIECE)
        except BlockingIOError:
            return
        if not piece:
            self._loop.remove_reader(self._out)
        self._said += piece[: _KEPT - len(self._said)]

    def end(self) -> str:
        """Kill its group, and return what it said."""
        # It has not been waited for yet, so that no other group can have its number.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._hear()
        self._loop.remove_reader(self._out)
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._out.close()
        self._process.wait()
        return self._said.decode("utf-8", "replace").strip()
