"""A packet in a VRF passes the same hooks twice: once at its interface, once at the VRF's. It counts once."""

import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from adapters.firewalls.holdings import ALPHA, owner, state
from adapters.firewalls.street import BAD, BAD4, GUARD4, GUARD6, NETS, Street, bound, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.model import Action, Direction
from support.network_namespace import settle

TABLE = "10"


@pytest.fixture
def vrf_street() -> Iterator[Street]:
    with laid_out("nftables", NftablesFirewall) as street:
        guard = street.guard
        try:
            guard.command("ip", "link", "add", "vrf0", "type", "vrf", "table", TABLE)
        except AssertionError as error:
            pytest.skip(f"this kernel has no VRFs: {error}")
        guard.command("ip", "link", "set", "vrf0", "up")
        guard.command("ip", "link", "set", "g0", "master", "vrf0")
        guard.run(partial((Path("/proc/sys/net/ipv4") / "udp_l3mdev_accept").write_text, "1"))
        guard.command("ip", "address", "replace", f"{GUARD6}/64", "dev", "g0", "nodad")
        guard.command("ip", "route", "add", "198.51.100.0/24", "via", "10.9.0.2", "vrf", "vrf0")
        guard.command("ip", "route", "add", "2001:db8::/32", "via", "fd00:9::2", "vrf", "vrf0")
        guard.run(settle)
        yield street


def within(street: Street, address: str) -> socket.socket:
    """A socket of the guard in the VRF."""
    return street.guard.run(partial(_bound_to_vrf, address))  # type: ignore[no-any-return]


def _bound_to_vrf(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"vrf0\0")
    made.settimeout(60)
    made.bind((address, 0))
    return made


def guard_at(source: str) -> str:
    return GUARD6 if ":" in source else GUARD4


@pytest.mark.parametrize("action", [Action.LOG, Action.COUNT])
@pytest.mark.parametrize("address", BAD)
def test_a_watched_packet_counts_once_each_way(vrf_street: Street, address: str, action: Action) -> None:
    street = vrf_street
    street.apply(None, state([owner(5, "watched", action, Direction.BOTH)], {"watched": NETS}))
    with closing(bound(street.peer, address)) as peer, closing(within(street, guard_at(address))) as guard:
        peer.sendto(b"in", guard.getsockname())
        assert guard.recv(16) == b"in"
        assert street.counted() == {5: 1}
        guard.sendto(b"out", peer.getsockname())
        assert peer.recv(16) == b"out"
        assert street.counted() == {5: 2}


def test_a_banned_packet_counts_once_and_does_not_arrive(vrf_street: Street) -> None:
    street = vrf_street
    street.apply(None, state([ALPHA], {"alpha": NETS}))
    with (
        closing(bound(street.peer, BAD4)) as bad,
        closing(bound(street.peer, "198.51.100.250")) as good,
        closing(within(street, GUARD4)) as guard,
    ):
        for sender, what in ((bad, b"bad"), (good, b"good")):
            sender.sendto(what, guard.getsockname())
        assert guard.recv(16) == b"good"
    assert street.counted() == {1: 1}


@pytest.mark.parametrize("mark", [0, 77])
def test_at_an_interface_of_that_kind_a_watched_packet_passes_uncounted_with_its_mark(
    monkeypatch: pytest.MonkeyPatch, mark: int
) -> None:
    """As it is in a VRF, with a kind of interface that every kernel has."""
    monkeypatch.setattr("banlistd.adapters.firewalls.nftables.structure.VRF", "veth")
    monkeypatch.setattr("banlistd.adapters.firewalls.nftables.rules.VRF", "veth")
    script = "add table inet o; " + "".join(
        f"add chain inet o {hook} {{ type filter hook {hook} priority {priority}; }}; add rule inet o {hook} {rule}; "
        for hook, priority, rule in (
            ("prerouting", -400, f"meta mark set {mark}"),
            ("output", -400, f"meta mark set {mark}"),
            ("input", 0, f"meta mark != {mark} drop"),
            ("postrouting", 0, f"meta mark != {mark} drop"),
        )
    )
    with laid_out("nftables", NftablesFirewall) as street:
        street.apply(None, state([owner(5, "watched", Action.COUNT, Direction.BOTH), ALPHA], {"watched": NETS}))
        street.guard.command("nft", script)
        with closing(bound(street.peer, BAD4)) as peer, closing(bound(street.guard, GUARD4)) as guard:
            peer.sendto(b"in", guard.getsockname())
            assert guard.recv(16) == b"in"
            guard.sendto(b"out", peer.getsockname())
            assert peer.recv(16) == b"out"
        assert street.counted() == {5: 0}
