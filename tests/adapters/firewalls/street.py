"""Three networks in a row, peer, guard and inner, with a firewall in the guard, and datagrams that go along.

Whether a packet was let through is asked without waiting: another one that is not banned is sent after it, and arrives last.
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event, Thread

from adapters.firewalls.holdings import addresses
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState
from banlistd.ports import Firewall
from support.network_namespace import NetworkNamespace, packets_in_order, settle, settle_address

BAD4, BAD6 = "198.51.100.7", "2001:db8:bad::7"
GOOD4, GOOD6 = "198.51.100.250", "2001:db8:900d::250"
MORE4 = ("198.51.100.128", "198.51.100.127", "198.51.100.8")
GUARD4, GUARD6 = "10.9.0.1", "fd00:9::1"
INNER4, INNER6 = "10.8.0.2", "fd00:8::2"
BAD = (BAD4, BAD6)
NETS = addresses("198.51.100.0/25", "2001:db8:bad::/48")
HOSTS = addresses(BAD4, BAD6)


@dataclass(frozen=True)
class Street:
    firewall: str
    make: Callable[[], Firewall]
    peer: NetworkNamespace
    guard: NetworkNamespace
    inner: NetworkNamespace

    def apply(self, present: FirewallState | None, wanted: FirewallState) -> None:
        self.guard.run(partial(apply, self.make, present, wanted))

    def counted(self) -> Mapping[int, int]:
        """Packets by mark."""
        return dict(self.guard.run(partial(_counted, self.make)))

    def arrives(self, source: str, target: str = "", port: int = 0) -> bool:
        """Whether a datagram from the peer's address, and from a port of it, reaches the guard, or another target."""
        target = target or (GUARD6 if ":" in source else GUARD4)
        home = self.inner if target in (INNER4, INNER6) else self.guard
        with (
            closing(bound(home, target)) as receiver,
            closing(bound(self.peer, source, port)) as sender,
            closing(bound(self.peer, GOOD6 if ":" in source else GOOD4)) as herald,
        ):
            place = receiver.getsockname()
            sender.sendto(b"asked", place)
            herald.sendto(b"last", place)
            heard = [receiver.recv(16)]
            while heard[-1] != b"last":
                heard.append(receiver.recv(16))
            return b"asked" in heard


def bound(namespace: NetworkNamespace, address: str, port: int = 0) -> socket.socket:
    return namespace.run(partial(_udp, address, port))  # type: ignore[no-any-return]


def _udp(address: str, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.settimeout(60)
        bound.bind((address, port))
        settle_address(address)
    except OSError:
        bound.close()
        raise
    return bound


async def apply(make: Callable[[], Firewall], present: FirewallState | None, wanted: FirewallState) -> None:
    firewall = make()
    await firewall.apply(difference(present, wanted))
    await firewall.close()


async def _counted(make: Callable[[], Firewall]) -> Mapping[int, int]:
    firewall = make()
    counters = await firewall.counters()
    await firewall.close()
    return {int(mark): counter.packets for mark, counter in counters.items()}


@contextmanager
def laid_out(firewall: str, make: Callable[[], Firewall]) -> Iterator[Street]:
    """`make`: the firewall of that name, in a thread of the guard."""
    with ExitStack() as stack:
        peer, guard, inner = (stack.enter_context(NetworkNamespace()) for _ in range(3))
        _join(guard, "g0", (f"{GUARD4}/24", f"{GUARD6}/64"), peer, "p0", ("10.9.0.2/24", "fd00:9::2/64"))
        _join(guard, "g1", ("10.8.0.1/24", "fd00:8::1/64"), inner, "i0", (f"{INNER4}/24", f"{INNER6}/64"))
        for address in (BAD4, GOOD4, *MORE4, BAD6, GOOD6):
            # Even on lo an IPv6 address is tentative for a moment, unless duplicate detection is off.
            peer.command("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
        for namespace, target, gateway in (
            (guard, "198.51.100.0/24", "10.9.0.2"),
            (guard, "2001:db8::/32", "fd00:9::2"),
            (peer, "10.8.0.0/24", GUARD4),
            (peer, "fd00:8::/64", GUARD6),
            (inner, "0.0.0.0/0", "10.8.0.1"),
            (inner, "::/0", "fd00:8::1"),
        ):
            namespace.command("ip", "route", "add", target, "via", gateway)
        guard.run(_forward)
        for namespace in (peer, guard, inner):
            namespace.run(settle)
        stack.enter_context(packets_in_order())
        yield Street(firewall, make, peer, guard, inner)


_LEFT, _RIGHT = "02:00:00:00:00:01", "02:00:00:00:00:02"


def _join(
    left: NetworkNamespace,
    left_name: str,
    left_addresses: tuple[str, ...],
    right: NetworkNamespace,
    right_name: str,
    right_addresses: tuple[str, ...],
) -> None:
    left.command(
        *("ip", "link", "add", left_name, "address", _LEFT, "type", "veth"),
        *("peer", "name", right_name, "address", _RIGHT, "netns", right.path),
    )
    for namespace, name, given, others, station in (
        (left, left_name, left_addresses, right_addresses, _RIGHT),
        (right, right_name, right_addresses, left_addresses, _LEFT),
    ):
        for address in given:
            # No other host is there: an IPv6 address is usable at once.
            namespace.command("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
        namespace.command("ip", "link", "set", name, "up")
        # Neighbours are known: to find them takes packets that may be banned as well.
        for other in others:
            address = other.split("/")[0]
            namespace.command("ip", "neighbour", "replace", address, "lladdr", station, "dev", name, "nud", "permanent")


def _forward() -> None:
    for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        (Path("/proc/sys/net") / switch).write_text("1", encoding="ascii")


@dataclass
class DatagramFlood:
    """How many of the datagrams of a banned address have arrived, once it is over."""

    arrived: int = 0


@contextmanager
def flooded(street: Street) -> Iterator[DatagramFlood]:
    """While datagrams of a banned address come without end.

    One whose rules are being evaluated when a change happens may see some of both states.
    """
    flood, over = DatagramFlood(), Event()
    with closing(bound(street.guard, GUARD4)) as receiver, closing(bound(street.peer, BAD4)) as sender:
        pouring = Thread(target=_pour, args=(sender, receiver.getsockname(), over))
        pouring.start()
        try:
            yield flood
        finally:
            over.set()
            pouring.join()
        flood.arrived = _waiting(receiver)


def _pour(sender: socket.socket, place: tuple[str, int], over: Event) -> None:
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # not only where the test's own thread is
    while not over.is_set():
        sender.sendto(b"asked", place)


def _waiting(receiver: socket.socket) -> int:
    receiver.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while receiver.recv(16):
            count += 1
    return count
