"""A namespace with the rules that are measured, and the interface that receives the flood."""

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from banlistd.core.addresses.arrays import distinct
from banlistd.core.feeds.parsers import parse
from banlistd.model import Family
from bench.application import Application, application, path_sources, program
from bench.inputs import random_hosts
from bench.measuring import Sample
from support.network_namespace import NetworkNamespace

FLOWS = 65_536
SECONDS = 0.5
"""Of processor time, for one sample."""

_GATEWAY, _RECEIVER, _PORT = "10.9.0.2", "10.9.0.1", 9
_MAC = "02:00:00:00:00:01"
_SEED = 77


@dataclass(frozen=True, slots=True)
class Street:
    """The receiver's socket is full, so what passes the rules costs the same to the end."""

    receiver: NetworkNamespace
    cpu_seconds: float

    def rate(self, sources: Path) -> Sample:
        """Thousands of packets a second of CPU time, as far as the receiver's IP layer has taken them in.

        `sources`: the file with their source addresses, each `uint32`, in turn.
        """
        return Sample(1e-3 / self._seconds(sources))

    def cost(self, sources: Path) -> Sample:
        """Nanoseconds of CPU time that a packet takes."""
        return Sample(1e9 * self._seconds(sources))

    def _seconds(self, sources: Path) -> float:
        before = self.receiver.run(_received)
        told = program(self.receiver, "flood", "in", _MAC, _RECEIVER, str(_PORT), str(self.cpu_seconds), sources)
        arrived = (self.receiver.run(_received) - before) / told["sent"]
        return float(told["cpu"] / (arrived * told["timed"]))


def street_to(stack: ExitStack, receiver: NetworkNamespace, *, quick: bool) -> Street:
    receiver.command("ip", "link", "add", "in", "address", _MAC, "type", "veth", "peer", "name", "out")
    receiver.command("ip", "address", "add", f"{_RECEIVER}/24", "dev", "in")
    for end in ("in", "out"):
        receiver.command("ip", "link", "set", end, "up")
    stack.enter_context(receiver.run(_full_socket))
    # Answers and the reverse of each source's route go nowhere.
    receiver.command("ip", "route", "add", "default", "via", _GATEWAY)
    return Street(receiver, 0.05 if quick else SECONDS)


def guarded(stack: ExitStack, paths: Sequence[Path], keys: Sequence[str] = ()) -> Application:
    """A namespace in which banlistd has put its rules, and ended. `keys`: more of each source, as YAML; empty: none."""
    more = keys or [""] * len(paths)
    sources = [", ".join(filter(None, pair)) for pair in zip(path_sources(paths), more, strict=True)]
    home = stack.enter_context(application(*sources))
    done = home.namespace.run(lambda: home.place.run("--once"))
    assert done.returncode == 0, done.stderr
    return home


def clean_sources(*bodies: bytes) -> bytes:
    """Addresses of public space that no list holds, in no order."""
    free = random_hosts(FLOWS * 2, _SEED)
    for body in bodies:
        free = free[~parse(body).addresses.holds(Family.IPV4, free)]
    return np.random.default_rng(_SEED).permutation(free)[:FLOWS].tobytes()


def banned_sources(body: bytes) -> bytes:
    """Addresses of a list, the first ones of its networks, in no order."""
    addresses = parse(body).addresses
    listed = distinct(np.concatenate([addresses.hosts4, addresses.nets4.first]))
    return np.random.default_rng(_SEED).permutation(listed)[:FLOWS].tobytes()


def _full_socket() -> socket.socket:
    """No program reads it, and it takes hardly anything."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    listening.bind((_RECEIVER, _PORT))
    return listening


def _received() -> int:
    """InReceives of /proc/net/snmp: counted before any rule."""
    names, values = (line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()[:2])
    return int(values[names.index("InReceives")])
