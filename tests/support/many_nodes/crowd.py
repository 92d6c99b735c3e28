"""Many nodes of a fleet in a process of their own, as a test sees them: it waits for what they say of themselves."""

import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
    """`size`: how many nodes there are to be."""

    def __init__(self, size: int, process: "subprocess.Popen[str]") -> None:
        self.size = size
        self.process = process
        self._seen = [Snapshot()]
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="crowd")
        self._reader.start()

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
        self.process.kill()
        self.process.wait()
        self._reader.join()
        if self.process.stdout:
            self.process.stdout.close()

    def _read(self) -> None:
        lines: IO[str] | Sequence[str] = self.process.stdout or ()
        for line in lines:
            with self._news:
                self._seen.append(Snapshot(**json.loads(line)))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def allow_many_files() -> None:
    """For the programs that are started from now on: as many descriptors as they may have. Many systems begin with 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@contextmanager
def crowd_of(size: int, kind: str, **order: Any) -> Iterator[Crowd]:
    """`kind`: the module beside this one that has such nodes; it gets `order`, and `size`."""
    command = [sys.executable, "-m", f"support.many_nodes.{kind}", json.dumps({"size": size, **order}, default=str)]
    tests = Path(__file__).resolve().parents[2]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tests)
    crowd = Crowd(size, process)
    try:
        yield crowd
    finally:
        crowd.end()


def say(snapshot: Mapping[str, Any]) -> None:
    """What a process of nodes writes for its Crowd."""
    sys.stdout.write(json.dumps({"at": time.monotonic(), **snapshot}) + "\n")
    sys.stdout.flush()
