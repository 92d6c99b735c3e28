"""banlistd as its user runs it: a daemon on folders of its own in a network namespace of its own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.ctl.client import Question, ask
from bench.measuring import Sample, apart, memory
from support.network_namespace import NetworkNamespace
from system.daemon_process import Daemon, Installation

# Beside the lists and not in memory: fsync(2) is part of an import.
WORK = Path("/var/tmp")  # noqa: S108 - a folder with a random name is made in it
_TESTS = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Application:
    """An installation and the namespace it lives in."""

    place: Installation
    namespace: NetworkNamespace

    def start(self) -> Daemon:
        return self.namespace.run(self.place.start)  # type: ignore[no-any-return]

    def ask(self, method: str, path: str, **query: str) -> Any:
        """The daemon's answer on its control socket: no process is started for it."""
        return ask(str(self.place.runtime / "control.sock"), Question(method, path, query, timeout=120.0))

    def refresh(self, *source_ids: str) -> Any:
        question = Question("POST", "/v1/refresh", body={"sources": list(source_ids)}, timeout=120.0)
        return ask(str(self.place.runtime / "control.sock"), question)

    def generation(self) -> int:
        """Of the ruleset: each transaction, by whomever, makes another."""
        return self.namespace.run(_generation)  # type: ignore[no-any-return]


def peak_rss(daemon: Daemon) -> int:
    return memory(daemon.process.pid, "VmHWM")


def rss(daemon: Daemon) -> int:
    return memory(daemon.process.pid, "VmRSS")


@contextmanager
def application(*sources: str) -> Iterator[Application]:
    """Fresh folders, an empty firewall, and these sources in the configuration."""
    with tempfile.TemporaryDirectory(dir=WORK, prefix="banlistd-bench-") as folder, apart() as namespace:
        place = Installation(Path(folder))
        place.configure(*sources)
        yield Application(place, namespace)


def path_sources(paths: Sequence[Path]) -> list[str]:
    return [f'id: part-{number}, path: "{path}"' for number, path in enumerate(paths, 1)]


def program(namespace: NetworkNamespace, name: str, *arguments: str | Path) -> Any:
    """What a program of this folder prints, as JSON; run in a namespace."""
    command = [sys.executable, "-m", f"bench.{name}", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    run = partial(subprocess.run, command, capture_output=True, text=True, check=False, timeout=600, env=environment)
    done = namespace.run(run)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def measure_limit(*files: Path) -> Sample:
    """Milliseconds for the batch that brings these files into an empty firewall, a source each."""
    with apart() as namespace:
        return Sample(1000 * float(program(namespace, "limit", *files)["seconds"]))


def _generation() -> int:
    with NetlinkSocket() as wire:
        return wire.generation()
