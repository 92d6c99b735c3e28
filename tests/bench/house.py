"""banlistd as its user runs it: a daemon on folders of its own in a network namespace of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measuring import apart, memory
from network_namespace import NetworkNamespace
from system.daemon_process import Daemon, Installation

# Beside the lists and not in memory: fsync(2) is part of an import.
WORK = Path("/var/tmp")  # noqa: S108 - a folder with a random name is made in it


@dataclass(frozen=True, slots=True)
class House:
    """An installation and the namespace it lives in."""

    place: Installation
    namespace: NetworkNamespace

    def start(self) -> Daemon:
        return self.namespace.run(self.place.start)  # type: ignore[no-any-return]

    def peak_rss(self, daemon: Daemon) -> int:
        return memory(daemon.process.pid, "VmHWM")

    def rss(self, daemon: Daemon) -> int:
        return memory(daemon.process.pid, "VmRSS")


@contextmanager
def house(*sources: str, every: str = "1h") -> Iterator[House]:
    """Fresh folders, an empty firewall, and these sources in the configuration."""
    with tempfile.TemporaryDirectory(dir=WORK, prefix="banlistd-bench-") as folder, apart() as namespace:
        place = Installation(Path(folder))
        place.configure(*sources, every=every)
        yield House(place, namespace)


def limit(namespace: NetworkNamespace, *files: Path) -> str:
    """What bench.limit prints, run in a namespace."""
    command = [sys.executable, "-m", "bench.limit", *map(str, files)]

    def run() -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout

    return str(namespace.run(run))
