"""A program of banlistd's own, run to its end, within bounds of time and of output; it is killed whatever happens."""

import asyncio
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

_PIECE = 65_536

QUICK_NAMES = {"RES_OPTIONS": "timeout:2 attempts:2"}
"""For the environment of a program that resolves names which others have chosen. By itself glibc waits 28 s for three resolvers
that say nothing (measured; with this, 10 s), and no signal ends that.
"""


@dataclass(frozen=True, slots=True)
class ChildBounds:
    """`seconds`: from its start to its end. `output`: octets on its standard output."""

    seconds: float
    output: int


class ChildEnd(NamedTuple):
    """`code`: its exit code; negative: the number of a signal. `said`: its standard output."""

    code: int
    said: bytes


class ChildFaultError(Exception):
    """It has no answer. The text follows the name of the program in a sentence."""


class LateChildError(ChildFaultError):
    """Its time was over."""


async def run_child(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    bounds: ChildBounds,
    *,
    given: bytes | int,
    descriptors: Collection[int] = (),
    stderr: int | None = subprocess.DEVNULL,
) -> ChildEnd:
    """Run this Python with `arguments`. `given`: its standard input, octets or an open descriptor. `descriptors`: what it keeps
    open besides. `stderr` None: that of the daemon.

    Call it on the thread of the event loop: a program that dies with its parent is killed when that thread ends. Raises
    ChildFaultError.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=given if isinstance(given, int) else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            cwd="/",
            env=dict(environment),
            pass_fds=tuple(descriptors),
            process_group=0,  # Ctrl-C at a terminal is for the daemon alone
        )
    except OSError as error:
        raise ChildFaultError(f"cannot be started ({error.strerror})") from error
    try:
        async with asyncio.timeout(bounds.seconds):
            if process.stdin is not None and isinstance(given, bytes):
                # Nothing is waited for: it may write before it has read all, and one that reads nothing is not waited for.
                process.stdin.write(given)
                process.stdin.close()
            said = await _said(process, bounds.output)
            code = await process.wait()
    except TimeoutError as error:
        raise LateChildError(f"did not end within {bounds.seconds:g} s") from error
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.shield(process.wait())
    return ChildEnd(code, said)


async def _said(process: asyncio.subprocess.Process, most: int) -> bytes:
    said = bytearray()
    while process.stdout is not None and (piece := await process.stdout.read(_PIECE)):
        said += piece
        if len(said) > most:
            raise ChildFaultError("says too much")
    return bytes(said)
