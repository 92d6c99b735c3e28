"""Many nodes of a fleet in processes of their own, as a test sees them: it waits for what they say of themselves."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All nodes together. `at`: of `time.monotonic`, which all processes share. `open`: nodes that have begun. `have`: how
    many nodes have what: a number of bans in the firewall, or a version of the timestamp. `pulls`, with `requests` and
    `octets`: from the beginning. `fault`: the newest one.
    """

    at: float = 0.0
    open: int = 0
    connected: int = 0
    have: Mapping[str, int] = field(default_factory=dict)
    pulls: int = 0
    requests: int = 0
    octets: int = 0
    fault: str = ""


class Crowd:
    """`size`: how many nodes there are to be, in all processes together."""

    def __init__(self, size: int, processes: "Sequence[subprocess.Popen[str]]") -> None:
        self.size = size
        self._processes = processes
        self._parts = [Snapshot()] * len(processes)
        self._seen = [Snapshot()]
        self._ended = False
        self._news = threading.Condition()
        self._readers = [threading.Thread(target=self._read, args=(number,), name="crowd") for number in range(len(processes))]
        for reader in self._readers:
            reader.start()

    @property
    def now(self) -> Snapshot:
        return self._seen[-1]

    def until(self, is_so: Callable[[Snapshot], bool], seconds: float) -> Snapshot:
        """The first snapshot from now on of which that is true."""
        end = time.monotonic() + seconds
        with self._news:
            number = len(self._seen) - 1
            while True:
                for snapshot in self._seen[number:]:
                    if is_so(snapshot):
                        return snapshot
                number = len(self._seen)
                left = end - time.monotonic()
                assert left > 0, f"not within {seconds:g} s; now: {self._seen[-1]}"
                assert not self._ended, f"the nodes have ended; before: {self._seen[-1]}"
                self._news.wait(left)

    def until_connected(self, seconds: float) -> Snapshot:
        return self.until(lambda one: one.connected == self.size, seconds)

    def until_all_have(self, what: object, seconds: float) -> Snapshot:
        return self.until(lambda one: one.have.get(str(what)) == self.size, seconds)

    def end(self) -> None:
        for process in self._processes:
            process.kill()
        for process, reader in zip(self._processes, self._readers, strict=True):
            process.wait()
            reader.join()
            if process.stdout:
                process.stdout.close()

    def _read(self, number: int) -> None:
        lines: IO[str] | Sequence[str] = self._processes[number].stdout or ()
        for line in lines:
            with self._news:
                self._parts[number] = Snapshot(**json.loads(line))
                self._seen.append(together(self._parts))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def together(parts: Sequence[Snapshot]) -> Snapshot:
    """The newest snapshots of several processes as one."""
    have = Counter[str]()
    for part in parts:
        have.update(part.have)
    return Snapshot(
        max(part.at for part in parts),
        sum(part.open for part in parts),
        sum(part.connected for part in parts),
        have,
        sum(part.pulls for part in parts),
        sum(part.requests for part in parts),
        sum(part.octets for part in parts),
        next((part.fault for part in parts if part.fault), ""),
    )


def allow_many_files() -> None:
    """For the programs that are started from now on: as many descriptors as they may have. Many systems begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def crowd_of(size: int, kind: str, order: Mapping[str, Any], count: int = 1) -> Iterator[Crowd]:
    """`kind`: the module beside this one that has such nodes. It gets `order`, `first` and `size`: the number of its first
    node, and how many it has, in each of `count` processes.
    """
    tests, ends = Path(__file__).resolve().parents[2], [size * number // count for number in range(count + 1)]
    # As the daemon and its programs have it.
    processes, environment = [], {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    for first, end in pairwise(ends):
        part = json.dumps({"first": first, "size": end - first, **order}, default=str)
        command = [sys.executable, "-m", f"support.many_nodes.{kind}", part]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tests, env=environment))
    crowd = Crowd(size, processes)
    try:
        yield crowd
    finally:
        crowd.end()


def say(snapshot: Mapping[str, Any]) -> None:
    """What a process of nodes writes for its Crowd."""
    sys.stdout.write(json.dumps({"at": time.monotonic(), **snapshot}) + "\n")
    sys.stdout.flush()
