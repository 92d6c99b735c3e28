"""What happens to real packets: three networks in a row (peer, guard, inner), the firewall in the guard.

Whether a packet was let through is asked without waiting: another one that nobody bans is sent after it, and arrives last.
"""

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from adapters.contract_firewall import ALPHA, BETA, BOTH, COUNTED, LOGGED, addresses, holding, owner
from banlistd.adapters.backends.nftables import NftablesFirewall
from banlistd.core.change import difference
from banlistd.core.holding import Holding
from banlistd.model import Action, Direction
from network_namespace import NetworkNamespace

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
    peer: NetworkNamespace
    guard: NetworkNamespace
    inner: NetworkNamespace

    def apply(self, present: Holding | None, wanted: Holding) -> None:
        self.guard.run(partial(_apply, present, wanted))

    def counted(self) -> Mapping[int, int]:
        """Packets by mark."""
        return dict(self.guard.run(_counted))

    def arrives(self, source: str, target: str = "") -> bool:
        """Whether a datagram from the peer's address reaches the guard, or another target."""
        target = target or (GUARD6 if ":" in source else GUARD4)
        home = self.inner if target in (INNER4, INNER6) else self.guard
        with (
            closing(_bound(home, target)) as receiver,
            closing(_bound(self.peer, source)) as sender,
            closing(_bound(self.peer, GOOD6 if ":" in source else GOOD4)) as herald,
        ):
            place = receiver.getsockname()
            sender.sendto(b"asked", place)
            herald.sendto(b"last", place)
            heard = [receiver.recv(16)]
            while heard[-1] != b"last":
                heard.append(receiver.recv(16))
            return b"asked" in heard


def _bound(namespace: NetworkNamespace, address: str) -> socket.socket:
    return namespace.run(partial(_udp, address))  # type: ignore[no-any-return]


def _udp(address: str) -> socket.socket:
    bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        bound.settimeout(20)
        bound.bind((address, 0))
    except OSError:
        bound.close()
        raise
    return bound


async def _apply(present: Holding | None, wanted: Holding) -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(present, wanted))
    await firewall.close()


async def _counted() -> Mapping[int, int]:
    firewall = NftablesFirewall()
    counters = await firewall.counters()
    await firewall.close()
    return {int(mark): counter.packets for mark, counter in counters.items()}


@pytest.fixture
def street() -> Iterator[Street]:
    with ExitStack() as stack:
        peer, guard, inner = (stack.enter_context(NetworkNamespace()) for _ in range(3))
        _join(guard, "g0", (f"{GUARD4}/24", f"{GUARD6}/64"), peer, "p0", ("10.9.0.2/24", "fd00:9::2/64"))
        _join(guard, "g1", ("10.8.0.1/24", "fd00:8::1/64"), inner, "i0", (f"{INNER4}/24", f"{INNER6}/64"))
        for address in (BAD4, GOOD4, *MORE4, BAD6, GOOD6):
            # Even on lo an IPv6 address is tentative for a moment, unless nobody is to be asked about it.
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
        yield Street(peer, guard, inner)


_LEFT, _RIGHT = "02:00:00:00:00:01", "02:00:00:00:00:02"


def _join(
    left: NetworkNamespace, left_name: str, left_addresses: tuple[str, ...],
    right: NetworkNamespace, right_name: str, right_addresses: tuple[str, ...],
) -> None:  # fmt: skip
    left.command(
        *("ip", "link", "add", left_name, "address", _LEFT, "type", "veth"),
        *("peer", "name", right_name, "address", _RIGHT, "netns", right.path),
    )
    for namespace, name, given, others, station in (
        (left, left_name, left_addresses, right_addresses, _RIGHT),
        (right, right_name, right_addresses, left_addresses, _LEFT),
    ):
        for address in given:
            # Nobody else is there: an IPv6 address is usable at once.
            namespace.command("ip", "address", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
        namespace.command("ip", "link", "set", name, "up")
        # Neighbours are known: to find them takes packets that may be banned as well.
        for other in others:
            address = other.split("/")[0]
            namespace.command("ip", "neighbour", "replace", address, "lladdr", station, "dev", name, "nud", "permanent")


def _forward() -> None:
    for switch in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        (Path("/proc/sys/net") / switch).write_text("1", encoding="ascii")


@pytest.mark.parametrize("content", [HOSTS, NETS], ids=["hosts", "nets"])
@pytest.mark.parametrize("source", BAD)
def test_a_banned_address_reaches_neither_the_host_nor_what_is_behind_it(street: Street, source: str, content: object) -> None:
    inner = INNER6 if ":" in source else INNER4
    assert street.arrives(source)
    assert street.arrives(source, inner)
    held = holding([ALPHA], {"alpha": HOSTS if content is HOSTS else NETS})
    street.apply(None, held)
    assert not street.arrives(source)
    assert not street.arrives(source, inner)
    assert street.counted() == {1: 2}
    street.apply(held, holding([ALPHA], {}))
    assert street.arrives(source)


@pytest.mark.parametrize(("source", "code"), [(BAD4, errno.EHOSTUNREACH), (BAD6, errno.EACCES)])
def test_a_rejected_sender_is_told(street: Street, source: str, code: int) -> None:
    street.apply(None, holding([BETA], {"beta": NETS}))
    with closing(_bound(street.peer, source)) as sender:
        sender.connect((GUARD6 if ":" in source else GUARD4, 9))
        sender.send(b"x")
        with pytest.raises(OSError, match=os.strerror(code)):
            sender.recv(1)
    assert street.counted() == {2: 1}


def test_a_rejected_connection_fails_at_once(street: Street) -> None:
    street.apply(None, holding([BETA], {"beta": HOSTS}))
    with pytest.raises(OSError, match=os.strerror(errno.EHOSTUNREACH)):
        street.peer.run(lambda: socket.create_connection((GUARD4, 9), timeout=20, source_address=(BAD4, 0)))


@pytest.mark.parametrize("watcher", [LOGGED, owner(5, "counted", Action.COUNT)], ids=["log", "count"])
@pytest.mark.parametrize("source", BAD)
def test_a_watched_packet_is_counted_and_goes_on_without_a_mark(street: Street, source: str, watcher: object) -> None:
    watching = LOGGED if watcher is LOGGED else owner(5, "counted", Action.COUNT)
    street.apply(None, holding([watching], {watching.source_id: NETS}))
    _let_through_only(street, mark=0)
    assert street.arrives(source)
    assert street.counted() == {watching.mark: 1}


def test_a_packet_with_a_mark_of_somebody_else_is_left_alone_by_who_only_watches(street: Street) -> None:
    street.apply(None, holding([LOGGED], {"logged": NETS}))
    _mark(street, 77)
    _let_through_only(street, mark=77)
    assert street.arrives(BAD4)
    assert street.counted() == {4: 0}


def test_a_packet_with_a_mark_of_somebody_else_is_blocked_all_the_same(street: Street) -> None:
    street.apply(None, holding([ALPHA, LOGGED], {"alpha": HOSTS, "logged": NETS}))
    _mark(street, 77)
    assert not street.arrives(BAD4)
    assert street.counted() == {1: 1, 4: 0}


def test_a_packet_that_nobody_lists_keeps_its_mark(street: Street) -> None:
    street.apply(None, holding([ALPHA], {"alpha": addresses("192.0.2.1")}))
    _mark(street, 77)
    _let_through_only(street, mark=77)
    assert street.arrives(BAD4)


def _mark(street: Street, mark: int) -> None:
    """Somebody else marks all packets, before us."""
    _rule(street, "prerouting priority -400", f"meta mark set {mark}")


def _let_through_only(street: Street, mark: int) -> None:
    _rule(street, "input priority 0", f"meta mark != {mark} drop")


def _rule(street: Street, hook: str, rule: str) -> None:
    name = f"other-{hook.split(maxsplit=1)[0]}"
    script = f"add table inet {name}; add chain inet {name} c {{ type filter hook {hook}; }}; add rule inet {name} c {rule}"
    street.guard.command("nft", script)


@pytest.mark.parametrize("allowed", ["198.51.100.7/32", "198.51.100.0/29"])
def test_an_allowed_address_passes_within_a_banned_network(street: Street, allowed: str) -> None:
    street.apply(None, holding([ALPHA], {"alpha": NETS}, allowed=[allowed]))
    assert street.arrives(BAD4)
    assert not street.arrives("198.51.100.8")


def test_the_kernel_itself_lets_pass_what_is_allowed(street: Street) -> None:
    street.apply(None, holding([ALPHA], {"alpha": HOSTS}, allowed=["198.51.100.0/28"]))
    street.guard.command("nft", f"add element inet banlistd hosts4 {{ {BAD4} : 1 }}")
    assert street.arrives(BAD4)


def test_a_single_address_is_looked_up_before_the_network_around_it(street: Street) -> None:
    street.apply(None, holding([BETA, ALPHA], {"beta": addresses(BAD4), "alpha": NETS}))
    assert not street.arrives(BAD4)
    assert not street.arrives("198.51.100.8")
    assert street.counted() == {1: 1, 2: 1}


def test_counters_survive_a_change_of_sources_and_actions(street: Street) -> None:
    first = holding([ALPHA], {"alpha": HOSTS})
    then = holding([BETA, owner(1, "alpha", Action.REJECT)], {"alpha": HOSTS, "beta": NETS})
    street.apply(None, first)
    assert not street.arrives(BAD4)
    street.apply(first, then)
    street.apply(None, then)
    assert street.counted() == {1: 1, 2: 0}


def test_networks_that_touch_count_for_their_own_sources(street: Street) -> None:
    contents = {"alpha": addresses("198.51.100.0/25"), "beta": addresses("198.51.100.128/26")}
    street.apply(None, holding([ALPHA, BETA], contents))
    assert not street.arrives("198.51.100.127")
    assert street.counted() == {1: 1, 2: 0}
    assert not street.arrives("198.51.100.128")
    assert street.counted() == {1: 1, 2: 1}


@pytest.mark.parametrize("target", BAD)
def test_nothing_is_sent_to_an_address_that_is_banned_on_the_way_out(street: Street, target: str) -> None:
    street.apply(None, holding([owner(1, "alpha", Action.DROP, Direction.OUT)], {"alpha": NETS}))
    with closing(_bound(street.guard, GUARD6 if ":" in target else GUARD4)) as sender, pytest.raises(PermissionError):
        sender.sendto(b"x", (target, 9))
    assert street.counted() == {1: 1}
    assert street.arrives(target)


@pytest.mark.parametrize("target", BAD)
def test_nothing_is_forwarded_to_an_address_that_is_banned_on_the_way_out(street: Street, target: str) -> None:
    street.apply(None, holding([BOTH], {"both": NETS}))
    good, inner = (GOOD6, INNER6) if ":" in target else (GOOD4, INNER4)
    with (
        closing(_bound(street.peer, target)) as receiver,
        closing(_bound(street.peer, good)) as herald,
        closing(_bound(street.inner, inner)) as sender,
    ):
        sender.sendto(b"asked", receiver.getsockname())
        sender.sendto(b"last", herald.getsockname())
        assert herald.recv(16) == b"last"
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(16)
    assert street.counted() == {6: 1}


def test_what_is_sent_to_a_counted_address_goes_on(street: Street) -> None:
    street.apply(None, holding([COUNTED], {"counted": NETS}))
    with closing(_bound(street.peer, BAD4)) as receiver, closing(_bound(street.guard, GUARD4)) as sender:
        sender.sendto(b"asked", receiver.getsockname())
        assert receiver.recv(16) == b"asked"
    assert street.counted() == {5: 1}


def test_the_host_talks_to_itself_whatever_is_banned(street: Street) -> None:
    street.apply(None, holding([BOTH], {"both": addresses("127.0.0.0/8", "::1")}))
    for address in ("127.0.0.1", "::1"):
        with closing(_bound(street.guard, address)) as itself:
            itself.sendto(b"asked", itself.getsockname())
            assert itself.recv(16) == b"asked"


def test_there_is_no_gap_while_contents_sources_and_actions_change(street: Street) -> None:
    full = {"alpha": NETS, "beta": HOSTS}
    counting = owner(1, "alpha", Action.COUNT)
    steps = [
        holding([ALPHA], full),
        holding([ALPHA, BETA], full),
        holding([BETA, ALPHA], full),
        holding([counting, BETA], full),
        holding([BETA, ALPHA], full),
    ]
    street.apply(None, steps[0])
    over = Event()
    with closing(_bound(street.guard, GUARD4)) as receiver, closing(_bound(street.peer, BAD4)) as sender:
        flood = Thread(target=_flood, args=(sender, receiver.getsockname(), over))
        flood.start()
        try:
            for before, after in pairwise(steps):
                street.apply(before, after)
            street.apply(None, steps[-1])
        finally:
            over.set()
            flood.join()
        assert _waiting(receiver) <= len(steps)


def test_there_is_no_gap_while_single_addresses_become_networks_and_networks_single_addresses(street: Street) -> None:
    hosts, nets = holding([ALPHA], {"alpha": HOSTS}), holding([ALPHA], {"alpha": NETS})
    street.apply(None, hosts)
    over = Event()
    with closing(_bound(street.guard, GUARD4)) as receiver, closing(_bound(street.peer, BAD4)) as sender:
        flood = Thread(target=_flood, args=(sender, receiver.getsockname(), over))
        flood.start()
        try:
            for _ in range(25):
                street.apply(hosts, nets)
                street.apply(nets, hosts)
        finally:
            over.set()
            flood.join()
        assert _waiting(receiver) == 0


def _waiting(receiver: socket.socket) -> int:
    """How many datagrams came. One whose rules are being evaluated when a commit happens may see some of both states."""
    receiver.setblocking(False)
    count = 0
    with suppress(BlockingIOError):
        while receiver.recv(16):
            count += 1
    return count


def _flood(sender: socket.socket, place: tuple[str, int], over: Event) -> None:
    while not over.is_set():
        sender.sendto(b"asked", place)
