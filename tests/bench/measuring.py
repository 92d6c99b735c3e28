"""How a measurement is taken: one process in a network namespace of its own, on a machine that has come to rest."""

import json
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from support.network_namespace import NetworkNamespace

_METER = Path(__file__).with_name("meter.py")
# The longest wait for the kernel to have taken down what the measurement before has left.
_REST = 10.0
MIB = 2.0**20


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took: seconds from its start to its end, seconds of CPU, octets of memory at most; its exit code."""

    code: int
    seconds: float
    cpu: float
    peak_rss: int


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure, in the unit of its row, and octets of memory at most; 0 where that was not measured."""

    value: float
    peak_rss: int = 0


class CommandError(Exception):
    """A measured command failed; what it said on stderr."""


def run(command: Sequence[str | Path], *, codes: Collection[int] = (0,), deadline: float = 600.0) -> Run:
    """Run a command to its end where the caller is. Raises CommandError where it ends with another code than these.

    A small process starts it and waits: getrusage(2) counts the parent's memory at exec as the child's own.
    """
    words = [sys.executable, "-S", "-I", str(_METER), *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=deadline)
    took = Run(**json.loads(done.stdout)) if done.returncode == 0 else None
    if took is None or took.code not in codes:
        raise CommandError(f"{command[0]}: {done.stderr.strip()[-500:]}")
    return took


def run_apart(*command: str | Path) -> Sample:
    """A whole process in a namespace of its own: milliseconds."""
    with apart() as namespace:
        took: Run = namespace.run(partial(run, command))
    return Sample(1000 * took.seconds, took.peak_rss)


def apart() -> NetworkNamespace:
    """A fresh namespace, once the kernel has come to rest."""
    await_rest()
    return NetworkNamespace()


def await_rest() -> None:
    """Wait until no namespace is being taken down: a set of a million takes the kernel a second, on some core."""
    end = time.monotonic() + _REST
    while _is_busy() and time.monotonic() < end:
        time.sleep(0.02)


def _is_busy() -> bool:
    """Workers of the kernel bear what they are working on behind a plus."""
    for process in processes():
        name = ""
        with suppress(OSError):  # it may be gone by now
            name = (process / "comm").read_text()
        if name.startswith("kworker/") and ("+netns" in name or "+nf_tables" in name):
            return True
    return False


def processes() -> list[Path]:
    """Their folders in /proc; any may be gone when it is looked at."""
    return [folder for folder in Path("/proc").iterdir() if folder.name.isdecimal()]


def memory(pid: int, field: str) -> int:
    """A line of /proc/PID/status in octets: VmHWM is the most that was resident, VmRSS what is now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    return 0


def cpu_seconds(pid: int) -> float:
    """What the threads of a process have run so far, to the nanosecond; threads that have ended are not in it."""
    texts = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(text.split()[0]) for text in texts) / 1e9
