"""What happens to real packets (`street`), whichever firewall the guard has: those that rules are written for."""

import errno
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from itertools import pairwise

import pytest

from adapters.firewalls.holdings import ALPHA, BETA, BOTH, COUNTED, LOGGED, addresses, owner, state
from adapters.firewalls.street import (
    BAD,
    BAD4,
    BAD6,
    GOOD4,
    GOOD6,
    GUARD4,
    GUARD6,
    HOSTS,
    INNER4,
    INNER6,
    MORE4,
    NETS,
    Street,
    apply,
    bound,
    flooded,
    laid_out,
)
from banlistd.adapters.firewalls.ipset.firewall import IpsetFirewall
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.model import Action, Direction
from banlistd.ports import Firewall
from support.ipset_host import Iptables
from support.network_namespace import NetworkNamespace, settle

NFTABLES, IPSET_NFT, IPSET_LEGACY = "nftables", "ipset-nft", "ipset-legacy"
FIREWALLS: Mapping[str, Callable[[], Firewall]] = {
    NFTABLES: NftablesFirewall,
    IPSET_NFT: lambda: IpsetFirewall("nft"),
    IPSET_LEGACY: lambda: IpsetFirewall("legacy"),
}


@pytest.fixture(params=FIREWALLS)
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    name = str(request.param)
    with laid_out(name, FIREWALLS[name]) as street:
        if name != NFTABLES:
            street.guard.run(Iptables(name.removeprefix("ipset-")).skip_if_missing)
        yield street


@pytest.mark.parametrize("content", [HOSTS, NETS], ids=["hosts", "nets"])
@pytest.mark.parametrize("source", BAD)
def test_a_banned_address_reaches_neither_the_host_nor_what_is_behind_it(street: Street, source: str, content: object) -> None:
    inner = INNER6 if ":" in source else INNER4
    assert street.arrives(source)
    assert street.arrives(source, inner)
    held = state([ALPHA], {"alpha": HOSTS if content is HOSTS else NETS})
    street.apply(None, held)
    assert not street.arrives(source)
    assert not street.arrives(source, inner)
    assert street.counted() == {1: 2}
    street.apply(held, state([ALPHA], {}))
    assert street.arrives(source)


@pytest.mark.parametrize("target", [GUARD4, GUARD6, INNER4, INNER6])
def test_a_connection_that_is_open_is_cut_when_its_other_end_is_banned(street: Street, target: str) -> None:
    home = street.inner if target in (INNER4, INNER6) else street.guard
    family, bad, good = (socket.AF_INET6, BAD6, GOOD6) if ":" in target else (socket.AF_INET, BAD4, GOOD4)
    with ExitStack() as stack:
        listener = stack.enter_context(closing(home.run(partial(socket.create_server, (target, 0), family=family))))

        def connected(source: str) -> tuple[socket.socket, socket.socket]:
            make = partial(socket.create_connection, listener.getsockname()[:2], 20, (source, 0))
            client = stack.enter_context(closing(street.peer.run(make)))
            session = stack.enter_context(closing(listener.accept()[0]))
            session.settimeout(60)
            client.sendall(b"before")
            assert session.recv(16) == b"before"
            return client, session

        client, session = connected(bad)
        herald, heard = connected(good)
        street.apply(None, state([ALPHA], {"alpha": HOSTS}))
        client.sendall(b"after")
        herald.sendall(b"last")
        assert heard.recv(16) == b"last"
        session.setblocking(False)
        with pytest.raises(BlockingIOError):
            session.recv(16)


@pytest.fixture
def bridge() -> Iterator[tuple[NetworkNamespace, NetworkNamespace]]:
    """A host with a bridge, and a neighbour at it."""
    with NetworkNamespace() as host, NetworkNamespace() as neighbour:
        host.command("ip", "link", "add", "br0", "type", "bridge")
        host.command("ip", "link", "add", "port", "type", "veth", "peer", "name", "n0", "netns", neighbour.path)
        host.command("ip", "link", "set", "port", "master", "br0", "up")
        host.command("ip", "link", "set", "br0", "up")
        host.command("ip", "address", "add", "203.0.113.1/24", "dev", "br0")
        neighbour.command("ip", "link", "set", "n0", "up")
        for address in ("203.0.113.7/24", "203.0.113.8/24"):
            neighbour.command("ip", "address", "add", address, "dev", "n0")
        for namespace in (host, neighbour):
            namespace.run(settle)
        yield host, neighbour


def test_a_banned_neighbour_at_a_bridge_does_not_reach_the_host(bridge: tuple[NetworkNamespace, NetworkNamespace]) -> None:
    host, neighbour = bridge
    host.run(partial(apply, NftablesFirewall, None, state([ALPHA], {"alpha": addresses("203.0.113.7")})))
    with closing(bound(host, "203.0.113.1")) as receiver:
        for source, word in (("203.0.113.7", b"banned"), ("203.0.113.8", b"good")):
            with closing(bound(neighbour, source)) as sender:
                sender.sendto(word, receiver.getsockname())
        assert receiver.recv(16) == b"good"


@pytest.mark.parametrize("direction", [Direction.IN, Direction.BOTH])
@pytest.mark.parametrize("targets", [(GUARD4, GUARD6), (INNER4, INNER6)], ids=["guard", "behind"])
@pytest.mark.parametrize(("source", "code"), [(BAD4, errno.EHOSTUNREACH), (BAD6, errno.EACCES)])
def test_rejected_sender_gets_an_answer(
    street: Street, source: str, code: int, targets: tuple[str, str], direction: Direction
) -> None:
    street.apply(None, state([owner(2, "beta", Action.REJECT, direction)], {"beta": NETS}))
    with closing(bound(street.peer, source)) as sender:
        sender.connect((targets[":" in source], 9))
        sender.send(b"x")
        with pytest.raises(OSError, match=os.strerror(code)):
            sender.recv(1)
    assert street.counted() == {2: 1}


def test_a_rejected_connection_fails_at_once(street: Street) -> None:
    street.apply(None, state([BETA], {"beta": HOSTS}))
    with pytest.raises(OSError, match=os.strerror(errno.EHOSTUNREACH)):
        street.peer.run(lambda: socket.create_connection((GUARD4, 9), timeout=60, source_address=(BAD4, 0)))


@pytest.mark.parametrize("watcher", [LOGGED, owner(5, "counted", Action.COUNT)], ids=["log", "count"])
@pytest.mark.parametrize("source", BAD)
def test_a_watched_packet_is_counted_and_goes_on_without_a_mark(street: Street, source: str, watcher: object) -> None:
    watching = LOGGED if watcher is LOGGED else owner(5, "counted", Action.COUNT)
    street.apply(None, state([watching], {watching.source_id: NETS}))
    _let_through_only(street, mark=0)
    assert street.arrives(source)
    assert street.counted() == {watching.mark: 1}


@pytest.mark.parametrize("mark", [4, 77, 0xFFFF0001], ids=["that of the source", "of no source", "large"])
@pytest.mark.parametrize("source", BAD)
def test_a_packet_that_others_have_marked_is_counted_and_keeps_its_mark(street: Street, source: str, mark: int) -> None:
    other = owner(5, "counted", Action.COUNT)
    street.apply(None, state([other, LOGGED], {"counted": addresses("192.0.2.0/24"), "logged": NETS}))
    _mark(street, mark)
    _let_through_only(street, mark=mark)
    assert street.arrives(source)
    assert street.counted() == {4: 1, 5: 0}


@pytest.mark.parametrize("target", BAD)
def test_what_others_have_marked_on_its_way_out_is_counted_and_keeps_its_mark(street: Street, target: str) -> None:
    street.apply(None, state([COUNTED], {"counted": NETS}))
    _mark(street, 0x100)
    _rule(street, "postrouting priority 0", 'oif != "lo" meta mark != 0x100 drop')
    inner, good = (INNER6, GOOD6) if ":" in target else (INNER4, GOOD4)
    with (
        closing(bound(street.peer, target)) as receiver,
        closing(bound(street.peer, good)),
        closing(bound(street.inner, inner)) as sender,
    ):
        sender.sendto(b"asked", receiver.getsockname())
        assert receiver.recv(16) == b"asked"
    assert street.counted() == {5: 1}


def test_packet_with_a_foreign_mark_is_blocked(street: Street) -> None:
    street.apply(None, state([ALPHA, LOGGED], {"alpha": HOSTS, "logged": NETS}))
    _mark(street, 77)
    assert not street.arrives(BAD4)
    assert street.counted() == {1: 1, 4: 0}


@pytest.mark.parametrize("street", [NFTABLES], indirect=True)
@pytest.mark.parametrize("mark", [0, 77])
def test_a_listing_that_nft_has_loaded_bans_as_before(street: Street, mark: int) -> None:
    """And counts no other packets, until the daemon has repaired it."""
    street.apply(None, state([ALPHA, LOGGED], {"alpha": HOSTS, "logged": addresses("198.51.100.8", "2001:db8:bad::8")}))
    listing = street.guard.command("nft", "list", "ruleset")
    street.guard.command("nft", "flush", "ruleset")
    street.guard.command("nft", "-f", "-", given=listing)
    if mark:
        _mark(street, mark)
    for source in BAD:
        assert not street.arrives(source)
    assert street.arrives(GOOD4)
    assert street.counted() == {1: 2, 4: 0}


def test_unlisted_packet_keeps_its_mark(street: Street) -> None:
    street.apply(None, state([ALPHA], {"alpha": addresses("192.0.2.1")}))
    _mark(street, 77)
    _let_through_only(street, mark=77)
    assert street.arrives(BAD4)


def _mark(street: Street, mark: int) -> None:
    """Another program marks all packets, before us."""
    _rule(street, "prerouting priority -400", f"meta mark set {mark}")


def _let_through_only(street: Street, mark: int) -> None:
    _rule(street, "input priority 0", f"meta mark != {mark} drop")


def _rule(street: Street, hook: str, rule: str) -> None:
    name = f"other-{hook.split(maxsplit=1)[0]}"
    script = f"add table inet {name}; add chain inet {name} c {{ type filter hook {hook}; }}; add rule inet {name} c {rule}"
    street.guard.command("nft", script)


@pytest.mark.parametrize("allowed", ["198.51.100.7/32", "198.51.100.0/29"])
def test_an_allowed_address_passes_within_a_banned_network(street: Street, allowed: str) -> None:
    street.apply(None, state([ALPHA], {"alpha": NETS}, allowed=[allowed]))
    assert street.arrives(BAD4)
    assert not street.arrives("198.51.100.8")


def test_the_kernel_itself_lets_pass_what_is_allowed(street: Street) -> None:
    street.apply(None, state([ALPHA], {"alpha": HOSTS}, allowed=["198.51.100.0/28"]))
    by_hand = {
        NFTABLES: ("nft", f"add element inet banlistd hosts4 {{ {BAD4} : 1 }}"),
        IPSET_NFT: ("ipset", "add", "banlistd-hosts4", BAD4, "packets", "1"),
        IPSET_LEGACY: ("ipset", "add", "banlistd-hosts4", BAD4, "packets", "1"),
    }
    street.guard.command(*by_hand[street.firewall])
    assert street.arrives(BAD4)


def test_a_single_address_is_looked_up_before_the_network_around_it(street: Street) -> None:
    street.apply(None, state([BETA, ALPHA], {"beta": addresses(BAD4), "alpha": NETS}))
    assert not street.arrives(BAD4)
    assert not street.arrives("198.51.100.8")
    assert street.counted() == {1: 1, 2: 1}


def test_each_of_many_sources_counts_its_own(street: Street) -> None:
    sources = [owner(7 * number, f"list-{number}") for number in range(1, 41)]
    contents = {str(source.source_id): addresses(f"192.0.2.{source.mark % 250}") for source in sources}
    hit = (sources[0], sources[17], sources[39])
    for source, address in zip(hit, (BAD4, *MORE4[:2]), strict=True):
        contents[str(source.source_id)] = addresses(address)
    street.apply(None, state(sources, contents))
    for address in (BAD4, *MORE4[:2]):
        assert not street.arrives(address)
    assert street.counted() == {source.mark: int(source in hit) for source in sources}


def test_counters_survive_a_change_of_sources_and_actions(street: Street) -> None:
    first = state([ALPHA], {"alpha": HOSTS})
    then = state([BETA, owner(1, "alpha", Action.REJECT)], {"alpha": HOSTS, "beta": NETS})
    street.apply(None, first)
    assert not street.arrives(BAD4)
    street.apply(first, then)
    street.apply(None, then)
    assert street.counted() == {1: 1, 2: 0}


def test_networks_that_touch_count_for_their_own_sources(street: Street) -> None:
    contents = {"alpha": addresses("198.51.100.0/25"), "beta": addresses("198.51.100.128/26")}
    street.apply(None, state([ALPHA, BETA], contents))
    assert not street.arrives("198.51.100.127")
    assert street.counted() == {1: 1, 2: 0}
    assert not street.arrives("198.51.100.128")
    assert street.counted() == {1: 1, 2: 1}


@pytest.mark.parametrize("target", BAD)
def test_nothing_is_sent_to_an_address_that_is_banned_on_the_way_out(street: Street, target: str) -> None:
    street.apply(None, state([owner(1, "alpha", Action.DROP, Direction.OUT)], {"alpha": NETS}))
    with closing(bound(street.guard, GUARD6 if ":" in target else GUARD4)) as sender, pytest.raises(PermissionError):
        sender.sendto(b"x", (target, 9))
    assert street.counted() == {1: 1}
    assert street.arrives(target)


@pytest.mark.parametrize("target", BAD)
def test_nothing_is_forwarded_to_an_address_that_is_banned_on_the_way_out(street: Street, target: str) -> None:
    street.apply(None, state([BOTH], {"both": NETS}))
    good, inner = (GOOD6, INNER6) if ":" in target else (GOOD4, INNER4)
    with (
        closing(bound(street.peer, target)) as receiver,
        closing(bound(street.peer, good)) as herald,
        closing(bound(street.inner, inner)) as sender,
    ):
        sender.sendto(b"asked", receiver.getsockname())
        sender.sendto(b"last", herald.getsockname())
        assert herald.recv(16) == b"last"
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(16)
    assert street.counted() == {6: 1}


def test_what_is_sent_to_a_counted_address_goes_on(street: Street) -> None:
    street.apply(None, state([COUNTED], {"counted": NETS}))
    with closing(bound(street.peer, BAD4)) as receiver, closing(bound(street.guard, GUARD4)) as sender:
        sender.sendto(b"asked", receiver.getsockname())
        assert receiver.recv(16) == b"asked"
    assert street.counted() == {5: 1}


def test_the_host_talks_to_itself_whatever_is_banned(street: Street) -> None:
    street.apply(None, state([BOTH], {"both": addresses("127.0.0.0/8", "::1")}))
    for address in ("127.0.0.1", "::1"):
        with closing(bound(street.guard, address)) as itself:
            itself.sendto(b"asked", itself.getsockname())
            assert itself.recv(16) == b"asked"


def test_there_is_no_gap_while_contents_sources_and_actions_change(street: Street) -> None:
    full = {"alpha": NETS, "beta": HOSTS}
    counting = owner(1, "alpha", Action.COUNT)
    steps = [
        state([ALPHA], full),
        state([ALPHA, BETA], full),
        state([BETA, ALPHA], full),
        state([counting, BETA], full),
        state([BETA, ALPHA], full),
    ]
    street.apply(None, steps[0])
    with flooded(street) as flood:
        for before, after in pairwise(steps):
            street.apply(before, after)
        street.apply(None, steps[-1])
    assert flood.arrived <= len(steps)


def test_there_is_no_gap_while_single_addresses_become_networks_and_networks_single_addresses(street: Street) -> None:
    hosts, nets = state([ALPHA], {"alpha": HOSTS}), state([ALPHA], {"alpha": NETS})
    street.apply(None, hosts)
    with flooded(street) as flood:
        for _ in range(25):
            street.apply(hosts, nets)
            street.apply(nets, hosts)
    assert flood.arrived == 0


def test_there_is_no_gap_while_maps_are_outgrown_and_written_beside() -> None:
    """Their elements come in many transactions, and rules look into other sets in the end."""
    more = [f"11.{number >> 8}.{number & 255}.1" for number in range(50_000)]
    ranges = [f"12.{number >> 8}.{number & 255}.0/25" for number in range(6_000)]
    small, large = (
        [state([ALPHA], {"alpha": addresses(banned, *others)}, content_hash=mark * 64) for banned in (BAD4, "198.51.100.6/31")]
        for others, mark in (((), "a"), ((*more, *ranges), "b"))
    )
    with laid_out(NFTABLES, NftablesFirewall) as street:
        street.apply(None, small[0])
        with flooded(street) as flood:
            for before, after in pairwise([small[0], large[0], large[1], small[1], large[0], small[0], large[1], small[0]]):
                street.apply(before, after)
                street.apply(None, after)
        assert flood.arrived == 0
