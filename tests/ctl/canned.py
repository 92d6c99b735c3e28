"""A daemon that gives each command its example as the answer, behind the real control socket."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from banlistd.control.declaration import Command
from banlistd.control.server import serve
from banlistd.control.table import COMMANDS
from banlistd.errors import BanlistdError

SINCE = 1_790_000_000.0

ANSWERS: Mapping[str, Any] = {command.name: command.example for command in COMMANDS}

SOURCE: Mapping[str, Any] = {**ANSWERS["sources"][0], "skipped": []}
BAN: Mapping[str, Any] = ANSWERS["unban"]["removed"][0]
RUN: Mapping[str, Any] = ANSWERS["history"][0]

_SAMPLES = {"ADDRESS": "203.0.113.7", "ID": "spamhaus-drop", "FILE": "/dev/null", "LIST": "spamhaus-drop"}
_REQUIRED = {"RUN|TIME": ("7",), "SITE": ("oslo",), "KEY": ("kUnfd5Bj2pLgYDVd2GEPcLxsiNTIBhGF3f1iJq6ZXTo=",)}


def words_of(command: Command[Any, Any]) -> Sequence[str]:
    """The shortest command line that the command accepts."""
    words = command.name.split()
    for argument in command.arguments:
        if argument.required:
            value = () if argument.is_flag else argument.choices[:1] or _REQUIRED[argument.metavar]
            words += [argument.name, *value]
        elif not argument.is_option and (argument.nargs != "*" or command.name == "unban") and argument.metavar in _SAMPLES:
            words += [_SAMPLES[argument.metavar]]
    return words


class Canned:
    """Answers with examples, or with `answers` in their stead: an exception is raised, a function is called with the order.

    `asked` notes every call.
    """

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {**ANSWERS, **answers}
        self.asked: list[tuple[Any, ...]] = []
        self.begun = threading.Event()
        self.looked_twice = asyncio.Event()

    async def __call__(self, command: Command[Any, Any], order: Any) -> Any:
        self.asked.append((command.name, *(order if isinstance(order, tuple) else (order,))))
        self.begun.set()
        if [name for name, *_ in self.asked].count("status") > 1:
            self.looked_twice.set()
        answer = self.answers[command.name]
        if answer is FOREVER:
            await asyncio.Event().wait()
        if answer is LATE:
            await self.looked_twice.wait()
            answer = ANSWERS[command.name]
        if isinstance(answer, BanlistdError):
            raise answer
        return answer(order) if callable(answer) else answer


FOREVER = object()
"""An answer that never comes."""

LATE = object()
"""The example, once the status was asked for twice meanwhile: then the first answer has been shown."""


class CannedDaemon:
    """A running control socket: its folder, what it answers, and what it noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "control.sock"
        self.operations = Canned()
        self.changes: list[tuple[str, int]] = []

    async def note(self, words: str, uid: int) -> None:
        self.changes.append((words, uid))


@contextmanager
def running(folder: Path) -> Iterator[CannedDaemon]:
    """The control socket in a thread with a loop of its own."""
    daemon = CannedDaemon(folder)
    ready, stop = threading.Event(), asyncio.Event()
    loops = list[asyncio.AbstractEventLoop]()

    async def serve_until_stopped() -> None:
        async with serve(daemon.operations, daemon.socket, daemon.note):
            loops.append(asyncio.get_running_loop())
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve_until_stopped(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield daemon
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join()
