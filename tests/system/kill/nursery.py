"""A process that has loaded banlistd once and forks one whenever it is asked to: 10 ms, where a start of Python costs 400.

What it forks is the daemon that `banlistd` starts, by its main() and with its exit; it may be traced, and killed at one of its
calls. The other system tests start the command itself.
"""

import ctypes
import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TextIO

from system.kill.calls import install_filter
from system.kill.tracer import Trail, Victim, Watch, follow, seize

_TESTS = Path(__file__).resolve().parents[2]
_LARGEST_REQUEST = 1 << 16
# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Nursling:
    """A forked banlistd. Of subprocess.Popen's words those that the tests use."""

    def __init__(self, stderr: TextIO, report: int) -> None:
        self.stderr = stderr
        self.trail = Trail()
        self.returncode: int | None = None
        self._report = report
        self._lines = bytearray()
        first = self._line(None)
        assert first is not None, "the nursery is gone"
        self.pid, self._minder = first["pid"], first["minder"]

    def poll(self) -> int | None:
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """Until it and all that it started have ended; its exit code, or minus the signal that killed it."""
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("banlistd", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it is over, but not reported yet
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def kill_all(self) -> None:
        """What it has started as well."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def arm(self) -> None:
        """Count its calls from now on."""
        os.kill(self._minder, signal.SIGUSR1)
        assert self._line(None) == {"armed": True}

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None and (last := self._line(timeout)) is not None:
            os.close(self._report)
            self.returncode = last["code"]
            self.trail = Trail(last["calls"], last["killed"])
        return self.returncode

    def _line(self, timeout: float | None) -> dict[str, Any] | None:
        """The minder's next line; None where there is none in time."""
        while b"\n" not in self._lines:
            if not select.select([self._report], [], [], timeout)[0]:
                return None
            piece = os.read(self._report, 1 << 16)
            assert piece, "the minder is gone"
            self._lines += piece
        line, _, rest = self._lines.partition(b"\n")
        self._lines = bytearray(rest)
        return dict(json.loads(line))


class Nursery:
    """Lives in the network namespace of the thread that opens it, and forks there.

    `parser_process`: its daemons parse lists as the real one does; otherwise within themselves, which is five times as fast.
    `modules`: more that its daemons need, loaded once.
    """

    def __init__(self, *, parser_process: bool, modules: Sequence[str] = ()) -> None:
        self._parser = "process" if parser_process else "inside"
        self._modules = modules

    def __enter__(self) -> Self:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # numpy's threads would not be there after a fork, and each folder without nft would be another call.
        tools = Path(shutil.which("nft") or "/usr/sbin/nft").parent
        path = f"{tools}:{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "PYTHONPATH": str(_TESTS), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "system.kill.nursery", str(theirs.fileno()), self._parser, *self._modules]
        with theirs:
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()
        self._process.wait()

    def start(self, arguments: Sequence[str], watch: Watch | None = None, *, armed: bool = True) -> Nursling:
        """A banlistd with these arguments. `watch`: trace it. `armed`: count its calls from the beginning."""
        readable, stderr = os.pipe()
        report, minder = os.pipe()
        request = {"arguments": list(arguments), "armed": armed, "watch": [watch.victim, watch.at] if watch else None}
        socket.send_fds(self._socket, [json.dumps(request).encode()], [stderr, minder])
        os.close(stderr)
        os.close(minder)
        return Nursling(os.fdopen(readable, "r", encoding="utf-8"), report)


def _serve(channel: socket.socket, parser: str, modules: Sequence[str]) -> None:
    # The test that talks to us need not load it; main() alone would load the rest after each fork.
    from banlistd import cli as modes  # noqa: F401, PLC0415
    from banlistd import compose  # noqa: PLC0415
    from banlistd.__main__ import main  # noqa: PLC0415
    from banlistd.core.ruleset import lifting  # noqa: PLC0415
    from support.in_process_parser import InProcessParser  # noqa: PLC0415

    # A configuration may lift all bans here: its kills are tested, not its refusal.
    lifting.ALWAYS_LIFTED = sys.maxsize
    if parser == "inside":
        vars(compose)["ParserProcesses"] = lambda _memory, **_: InProcessParser(time.time)
    for module in modules:
        import_module(module)
    gc.collect()
    gc.freeze()  # the collector shall not copy every page after each fork
    while True:
        request, descriptors, _, _ = socket.recv_fds(channel, _LARGEST_REQUEST, 2)
        if not request:
            return
        while _ended_child():
            pass
        if not os.fork():
            channel.close()
            _mind(main, json.loads(request), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _ended_child() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _mind(main: Any, request: dict[str, Any], stderr: int, report: int) -> NoReturn:
    """Fork the daemon, see it to its end, report, leave."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # an nft that outlives the daemon is ours
    watch = Watch(Victim(request["watch"][0]), request["watch"][1]) if request["watch"] else None
    armed = request["armed"]

    def arm(*_: object) -> None:
        nonlocal armed
        armed = True
        os.write(report, b'{"armed": true}\n')

    gate, key = os.pipe()
    pid = os.fork()
    # Of both, because either may be first.
    os.setpgid(pid, pid)
    if not pid:
        for descriptor in (report, key):
            os.close(descriptor)
        os.read(gate, 1)  # until we are traced
        os.close(gate)
        _become(main, request["arguments"], stderr, traced=watch is not None)
    for descriptor in (gate, stderr):
        os.close(descriptor)
    signal.signal(signal.SIGUSR1, arm)
    if watch:
        seize(pid)
    trail = Trail()
    os.write(report, json.dumps({"pid": pid, "minder": os.getpid()}).encode() + b"\n")
    os.close(key)
    status = follow(pid, watch, lambda: armed, trail) if watch else _wait_for_all(pid)
    code = os.waitstatus_to_exitcode(status)
    os.write(report, json.dumps({"code": code, "calls": trail.calls, "killed": trail.killed}).encode() + b"\n")
    os._exit(0)


def _wait_for_all(pid: int) -> int:
    result = 0
    while True:
        try:
            ended, status = os.wait()
        except ChildProcessError:
            return result
        result = status if ended == pid else result


def _become(main: Any, arguments: Sequence[str], stderr: int, *, traced: bool) -> NoReturn:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for place, descriptor in enumerate((nothing, nothing, stderr)):
        os.dup2(descriptor, place)
    for descriptor in (nothing, stderr):
        os.close(descriptor)
    if traced:
        install_filter()
    sys.argv = ["banlistd", *arguments]
    sys.exit(main())


def _prctl(what: int, value: int) -> None:
    ctypes.CDLL(None).prctl(what, ctypes.c_ulong(value))


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as opened:
        _serve(opened, sys.argv[2], sys.argv[3:])
