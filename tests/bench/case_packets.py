"""What a packet that nobody has banned pays: a flood through a pair of interfaces, the rules in the receiver's namespace."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from banlistd.core.feeds.parsers import parse
from banlistd.model import Family
from bench.application import Application, application, path_sources, program
from bench.inputs import random_hosts
from bench.measuring import Sample, apart, run
from bench.peers import nft_layout
from bench.rows import Row, Target, at_least_times
from bench.setting import Setting
from bench.turns import Contender, take_turns
from support.network_namespace import NetworkNamespace

_SENDER, _RECEIVER, _PORT = "10.9.0.2", "10.9.0.1", 9
_MAC = "02:00:00:00:00:01"
_SECONDS = 0.5
_FLOWS = 65_536
_SEED = 77


@dataclass(frozen=True, slots=True)
class _Street:
    """A sender and a receiver. The receiver's socket is full, so what passes the rules costs the same to the end."""

    sender: NetworkNamespace
    receiver: NetworkNamespace
    sources: Path
    cpu_seconds: float

    def measure(self) -> Sample:
        """Thousands of packets a second of CPU time, sending included, as far as the receiver's IP layer has taken them in."""
        before = self.receiver.run(_received)
        told = program(self.sender, "flood", "out", _MAC, _RECEIVER, str(_PORT), str(self.cpu_seconds), self.sources)
        arrived = (self.receiver.run(_received) - before) / told["sent"]
        return Sample(arrived * told["timed"] / told["cpu"] / 1000)


def packets(setting: Setting) -> Iterator[Row]:
    million = setting.inputs.million()
    clean = setting.folder / "clean.sources"
    networks = setting.inputs.networks()
    clean.write_bytes(_clean(million.body(), networks.body()))
    with ExitStack() as stack:
        street = partial(_street, stack, clean, 0.05 if setting.quick else _SECONDS)
        no_rules = street(stack.enter_context(apart()))
        lists = ([million.path], setting.inputs.parts(million, 100), [million.path, networks.path])
        single, hundred, mixed = (_guarded(stack, paths) for paths in lists)
        contenders = [
            _contender("no-rules", "no rules at all", no_rules),
            _contender("banlistd-1", "banlistd, 1,000,000 addresses in 1 source", street(single.namespace)),
            _contender(
                "banlistd-100",
                "banlistd, the same addresses in 100 sources",
                street(hundred.namespace),
                at_least_times(0.95, "packets/banlistd-1"),
            ),
            _contender("banlistd-networks", f"banlistd, these and {networks.entries:,} networks", street(mixed.namespace)),
        ]
        for name, count, interval in (
            ("hash-1", 1, False),
            ("hash-20", 20, False),
            ("interval-1", 1, True),
            ("interval-20", 20, True),
        ):
            setting.say(f"packets: building {name}")
            script = nft_layout(setting.folder / f"{name}.nft", setting.inputs.parts(million, count), interval=interval)
            namespace = stack.enter_context(apart())
            namespace.run(partial(run, ["nft", "-f", script]))
            kind = "interval" if interval else "hash"
            plural = f"{count} {kind} sets, one a list, the usual layout" if count > 1 else f"1 {kind} set"
            contenders.append(_contender(name, f"the same addresses in {plural}", street(namespace)))
        yield from take_turns("packets", contenders, setting, runs=setting.runs if setting.quick else 3 * setting.runs)


def _contender(name: str, what: str, street: _Street, target: Target | None = None) -> Contender:
    contains = "packets a second of CPU time: 60 octets, 65,536 clean addresses in turn, sending, rules and delivery"
    return Contender(name, f"{what}; {contains}", street.measure, target, unit="kpps")


def _guarded(stack: ExitStack, paths: Sequence[Path]) -> Application:
    """A namespace in which banlistd has put its rules, and ended."""
    home = stack.enter_context(application(*path_sources(paths)))
    done = home.namespace.run(partial(home.place.run, "--once"))
    assert done.returncode == 0, done.stderr
    return home


def _street(stack: ExitStack, sources: Path, cpu_seconds: float, receiver: NetworkNamespace) -> _Street:
    sender = stack.enter_context(NetworkNamespace())
    receiver.command("ip", "link", "add", "in", "address", _MAC, "type", "veth", "peer", "name", "out", "netns", sender.path)
    for namespace, name, address in ((receiver, "in", _RECEIVER), (sender, "out", _SENDER)):
        namespace.command("ip", "address", "add", f"{address}/24", "dev", name)
        namespace.command("ip", "link", "set", name, "up")
    stack.enter_context(receiver.run(_full_socket))
    # Answers and the reverse of each source's route go nowhere.
    receiver.command("ip", "route", "add", "default", "via", _SENDER)
    return _Street(sender, receiver, sources, cpu_seconds)


def _full_socket() -> socket.socket:
    """Nobody reads it, and it takes hardly anything."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    listening.bind((_RECEIVER, _PORT))
    return listening


def _received() -> int:
    """InReceives of /proc/net/snmp: counted before any rule."""
    names, values = (line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines()[:2])
    return int(values[names.index("InReceives")])


def _clean(*bodies: bytes) -> bytes:
    """Addresses of public space that no list holds, in no order."""
    free = random_hosts(_FLOWS * 2, _SEED)
    for body in bodies:
        free = free[~parse(body).addresses.holds(Family.IPV4, free)]
    return np.random.default_rng(_SEED).permutation(free)[:_FLOWS].tobytes()
