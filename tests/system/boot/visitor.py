"""Somebody on the Internet, one cable away from a machine, who has every address that a test wants to send from."""

import functools
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Self

from support.network_namespace import NetworkNamespace, packets_in_order
from system.boot.machine import PATIENCE, Machine

HERE = "10.9.0.1"
"""The machine's address on the cable."""

_AT = "10.9.0.2"
_STATIONS = ("02:00:00:00:00:01", "02:00:00:00:00:02")

# Between two packets of a flood: no gap in which an address is not banned is shorter than a commit, which takes longer.
_PACE = 0.002


class Visitor:
    """`clean`: the address that nobody bans. `network`: where it is. To be plugged in anew after each boot of the machine."""

    def __init__(self, machine: Machine, clean: str, *others: str) -> None:
        self._machine = machine
        self._clean = clean
        self._addresses = (clean, *others)
        self.network = NetworkNamespace()

    def __enter__(self) -> Self:
        self.network.__enter__()
        for address in self._addresses:
            self.network.command("ip", "address", "add", address, "dev", "lo")
        self.plug_in()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.network.__exit__()

    def plug_in(self) -> None:
        """Lay the cable; a machine that boots has lost it."""
        theirs, ours = self._machine.network, self.network
        left, right = _STATIONS
        # The ends that are left of a cable whose other end went with a network that is not quite gone yet.
        for network, end in ((ours, "guest"), (theirs, "host0")):
            network.run(functools.partial(subprocess.run, ["ip", "link", "delete", end], check=False, capture_output=True))
        peer = ("peer", "name", "guest", "address", right, "netns", ours.path)
        theirs.command("ip", "link", "add", "host0", "address", left, "type", "veth", *peer)
        for network, name, address, other, station in (
            (theirs, "host0", HERE, _AT, right),
            (ours, "guest", _AT, HERE, left),
        ):
            network.command("ip", "address", "add", f"{address}/24", "dev", name)
            network.command("ip", "link", "set", name, "up")
            network.command("ip", "neighbour", "replace", other, "lladdr", station, "dev", name)
        for address in self._addresses:
            theirs.command("ip", "route", "add", address, "via", _AT)

    def arrives(self, source: str) -> bool:
        """Whether a packet from this address reaches the machine; one that nobody bans is sent after it, and arrives last."""
        with ExitStack() as stack:
            receiver = stack.enter_context(closing(self._machine.network.run(functools.partial(_bound, HERE))))
            sender, herald = (
                stack.enter_context(closing(self.network.run(functools.partial(_bound, address))))
                for address in (source, self._clean)
            )
            stack.enter_context(packets_in_order())
            sender.sendto(b"asked", receiver.getsockname())
            herald.sendto(b"last", receiver.getsockname())
            heard = [receiver.recv(16)]
            while heard[-1] != b"last":
                heard.append(receiver.recv(16))
            return b"asked" in heard

    def flood(self, *banned: str) -> "PacketFlood":
        """Packets from these addresses and from the clean one without a pause, until the context is left."""
        receiver = self._machine.network.run(functools.partial(_bound, HERE))
        senders = [self.network.run(functools.partial(_bound, address)) for address in (self._clean, *banned)]
        return PacketFlood(receiver, senders, self._clean)


class PacketFlood:
    """`arrived`: where packets came from, each address once. It is complete when the context is left."""

    def __init__(self, receiver: socket.socket, senders: Sequence[socket.socket], clean: str) -> None:
        self.arrived: set[str] = set()
        self._receiver = receiver
        self._senders = senders
        self._clean = clean
        self._over = threading.Event()
        self._threads = (threading.Thread(target=self._send), threading.Thread(target=self._receive))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        for opened in (self._receiver, *self._senders):
            opened.close()

    def _send(self) -> None:
        target = self._receiver.getsockname()
        while not self._over.wait(_PACE):
            for sender in self._senders:
                sender.sendto(b"on", target)
        self._senders[0].sendto(b"over", target)

    def _receive(self) -> None:
        word = b""
        while word != b"over":
            word, (address, _) = self._receiver.recvfrom(16)
            self.arrived.add(address)


def _bound(address: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.settimeout(PATIENCE)
        bound.bind((address, 0))
    except OSError:
        bound.close()
        raise
    return bound
