"""Connections of the real kernel, in a network namespace."""

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.firewalls.contract import addresses, state
from banlistd.adapters.host.connections import SIGNS, LinuxConnections
from banlistd.adapters.netlink.conntrack import ConnectionTable
from banlistd.adapters.netlink.conntrack_entries import CTA_TUPLE_ORIG
from banlistd.adapters.netlink.messages import NFGENMSG, nested
from banlistd.core.addresses.sets import to_text
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.newly_banned import TrackedConnections
from banlistd.model import Action, AnswerPort, Direction, Family, Mark, ServiceEndpoint, SourceId, SourceSlot
from banlistd.scopes.scope import Scope
from support.network_namespace import in_network_namespace, nft, settle
from support.tracking import HOST, HOST6, OTHER, OTHER6, OURS, OURS6, connections_of, ip, talk, track

TRANSLATED = """
table ip translating {
 chain out { type nat hook output priority -100; ip daddr 192.0.2.3 meta l4proto udp dnat to 192.0.2.2:80; }
}
"""


async def end(change: Change, answers: Sequence[ServiceEndpoint] = (), signs: Sequence[Path] = SIGNS) -> None:
    with closing(LinuxConnections(signs)) as connections:
        await connections.end([change], answers)


def ban(
    text: str, action: Action = Action.DROP, scope: Scope | None = None, direction: Direction = Direction.IN, allowed: str = ""
) -> Change:
    source = SourceSlot(Mark(1), SourceId("a"), action, direction, scope=scope, scope_number=1 if scope else 0)
    return difference(None, state([source], {"a": addresses(*text.split())}, allowed.split()))


def to_port(port: int, *, only_new: bool = False) -> Scope:
    return Scope(ports=((port, port),), protocols=("udp",), only_new=only_new)


@in_network_namespace
async def test_connections_of_newly_banned_hosts_end_and_others_stay() -> None:
    track()
    for source, target in ((OURS, HOST), (HOST, OURS), (OURS, OTHER), (OURS6, HOST6), (OURS6, OTHER6)):
        talk(source, target)
    assert [connections_of(each) for each in (HOST, OTHER, HOST6, OTHER6)] == [2, 1, 1, 1]
    await end(ban(f"{HOST}\n{HOST6}"))
    assert [connections_of(each) for each in (HOST, OTHER, HOST6, OTHER6)] == [0, 1, 0, 1]


@in_network_namespace
async def test_a_connection_ends_by_the_ipv4_address_within_its_ipv6_source() -> None:
    track()
    within = "64:ff9b::c000:20b", "2002:c000:20b::1", "64:ff9b::c000:20c"
    for address in within:
        ip("address", "add", f"{address}/128", "dev", "lo", "nodad")
    settle()
    for translates, left in ((False, [1, 1, 1]), (True, [0, 0, 1])):
        for address in within:
            talk(address, OURS6)
        assert [connections_of(address) for address in within] == [1, 1, 1]
        with closing(LinuxConnections(translates=translates)) as connections:
            await connections.end([ban("192.0.2.11")], ())
        assert [connections_of(address) for address in within] == left
        for address in within:
            await end(ban(address))


@in_network_namespace
async def test_one_sign_of_connection_tracking_is_enough_where_the_others_are_hidden(tmp_path: Path) -> None:
    track()
    signs = [sign for sign in SIGNS if sign.exists()]
    assert signs
    for sign in signs:
        talk(OURS, HOST)
        assert connections_of(HOST) == 1
        await end(ban(HOST), signs=[tmp_path / "hidden" if each != sign else each for each in SIGNS])
        assert connections_of(HOST) == 0, sign


@in_network_namespace
async def test_the_kernel_is_not_asked_without_a_sign_of_connection_tracking(tmp_path: Path) -> None:
    track()
    talk(OURS, HOST)
    await end(ban(HOST), signs=[tmp_path / "missing"])
    assert connections_of(HOST) == 1


@in_network_namespace
async def test_a_connection_in_a_zone_of_its_own_ends_too() -> None:
    track()
    talk(OURS, OTHER)
    await end(ban("192.0.2.3"))
    assert connections_of(OTHER) == 0


@in_network_namespace
async def test_a_banned_network_ends_hundreds_of_connections() -> None:
    track()
    for port in range(1000, 1600):
        talk(HOST, OURS, port)
    talk(OTHER, OURS)
    assert connections_of(HOST) == 600
    await end(ban("192.0.2.2/31"))
    assert (connections_of(HOST), connections_of(OTHER)) == (0, 0)


@in_network_namespace
async def test_what_is_allowed_within_a_banned_network_keeps_its_connections() -> None:
    track()
    talk(HOST, OURS)
    talk(OTHER, OURS)
    await end(ban("192.0.2.0/25", allowed=f"{OURS}/32 {OTHER}/32"))
    assert (connections_of(HOST), connections_of(OTHER)) == (0, 1)


@in_network_namespace
async def test_a_ban_of_some_packets_ends_the_connections_of_these_only() -> None:
    track()
    talk(HOST, OURS, 9)
    talk(HOST, OURS, 10)
    talk(OURS, HOST, 9)  # the packets of HOST are answers, to another port
    await end(ban(HOST, scope=to_port(11)))
    assert connections_of(HOST) == 3
    await end(ban(HOST, scope=to_port(9)))
    assert connections_of(HOST) == 2
    await end(ban(HOST, scope=to_port(9), direction=Direction.OUT))
    assert connections_of(HOST) == 1
    await end(ban(HOST, scope=Scope(protocols=("tcp",))))
    await end(ban(HOST, scope=Scope(interfaces=("lo",))))
    assert connections_of(HOST) == 1


@in_network_namespace
async def test_a_ban_without_answers_leaves_what_was_begun_here() -> None:
    track()
    talk(HOST, OURS)
    talk(OURS, HOST)
    await end(ban(HOST, scope=Scope(only_new=True)))
    assert connections_of(HOST) == 1
    await end(ban(HOST))
    assert connections_of(HOST) == 0


@in_network_namespace
async def test_connections_end_before_and_after_translation() -> None:
    track()
    nft("-f", "-", given=TRANSLATED)
    for port in (1000, 1001):
        talk(OURS, OTHER, port, at=(HOST, 80))
    assert connections_of(HOST) == 2
    await end(ban(HOST, scope=Scope(ports=((1, 999),), protocols=("udp",), only_new=True)))
    await end(ban(OURS, scope=to_port(80)))
    assert connections_of(HOST) == 2
    await end(ban(OURS, scope=to_port(1000)))
    assert connections_of(HOST) == 1
    await end(ban(OTHER))  # no packet comes from it
    assert connections_of(HOST) == 1
    await end(ban(HOST))
    assert connections_of(HOST) == 0


@in_network_namespace
async def test_entries_without_ports_are_read_beside_others() -> None:
    track()
    for protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_ESP, socket.IPPROTO_GRE):
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, protocol) as sender:
            sender.bind((HOST, 0))
            echo = struct.pack("!BBHHH", 8, 0, ~0x0801 & 0xFFFF, 0, 1)
            sender.sendto(echo if protocol == socket.IPPROTO_ICMP else bytes(16), (OURS, 0))
    talk(HOST, OURS)
    talk(HOST6, OURS6)
    assert connections_of(HOST) == 4
    await end(ban(HOST, scope=Scope(protocols=("esp",))))
    await end(ban(HOST, scope=Scope(protocols=("icmp",))))
    assert connections_of(HOST) == 2
    await end(ban(f"{HOST} {HOST6}", scope=Scope(protocols=("gre", "udp"))))
    assert (connections_of(HOST), connections_of(HOST6)) == (0, 0)


@in_network_namespace
async def test_a_connection_that_has_ended_since_is_no_error() -> None:
    track()
    talk(HOST, OURS)
    with ConnectionTable() as table:
        names = table.find(every)
        assert len(names) == 1
        for _ in range(2):
            table.delete(names)
            assert table.find(every) == []


@in_network_namespace
async def test_what_the_kernel_does_not_delete_is_named_and_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    track()
    for port in (1000, 1001):
        talk(HOST, OURS, port)
    find = ConnectionTable.find
    refused = NFGENMSG.pack(socket.AF_INET, 0, 0) + nested(CTA_TUPLE_ORIG)
    monkeypatch.setattr(ConnectionTable, "find", lambda *given, **how: [refused, *find(*given, **how)])
    with closing(LinuxConnections()) as connections:
        await connections.end([ban(HOST)], ())
        (remark,) = connections.remarks()
    monkeypatch.undo()
    assert "Invalid argument" in remark.message
    assert connections_of(HOST) == 0


@in_network_namespace
async def test_every_connection_of_a_large_table_is_found() -> None:
    """More than one block of messages, in which those of IPv6 are among those of IPv4."""
    track()
    for source, target in ((HOST, OURS), (HOST6, OURS6)):
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            for port in range(1000, 4000):
                sender.sendto(b"x", (target, port))
    with ConnectionTable() as table:
        there = table.entries()
        assert there >= 6000
        assert len(table.find(every)) == there
    await end(ban(HOST))
    assert (connections_of(HOST), connections_of(HOST6)) == (0, 3000)
    await end(ban("2001:db8::/64"))
    assert connections_of(HOST6) == 0


@in_network_namespace
async def test_connections_with_a_service_whose_answers_pass_stay() -> None:
    track()
    talk(OURS, HOST, 53)
    dns = ServiceEndpoint(Family.IPV4, 0xC0000202, AnswerPort("udp", 53))
    await end(ban("192.0.2.2/31"), (dns,))
    assert connections_of(HOST) == 1


@in_network_namespace
async def test_nothing_is_deleted_where_nothing_matches() -> None:
    track()
    talk(OURS, HOST)
    await end(ban("203.0.113.7"))
    await end(ban(HOST, Action.COUNT))
    assert connections_of(HOST) == 1


@in_network_namespace
async def test_a_refusal_of_the_kernel_is_a_remark_until_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    track()
    talk(OURS, HOST)
    with closing(LinuxConnections()) as connections:
        with without_rights(monkeypatch):
            await connections.end([ban(HOST)], ())
        (remark,) = connections.remarks()
        assert "Operation not permitted" in remark.message
        await connections.end([ban(HOST)], ())
        assert connections.remarks() == ()
    assert connections_of(HOST) == 0


@in_network_namespace
async def test_one_socket_serves_all_changes() -> None:
    track()
    opened = 0
    with closing(LinuxConnections()) as connections:
        for host in (HOST, OTHER):
            talk(OURS, host)
            before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - names
            await connections.end([ban(host)], ())
            opened += len(set(os.listdir("/proc/self/fd")) - before)  # noqa: PTH208 - names
            assert connections_of(host) == 0
    assert opened == 1


def every(tracked: TrackedConnections) -> NDArray[np.bool_]:
    return np.ones(len(tracked.protocol), dtype=np.bool_)


@contextmanager
def without_rights(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refused(_: ConnectionTable) -> int:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(ConnectionTable, "entries", refused)
        yield


def _conversation(source: str, target: str) -> None:
    """A connection of TCP that both ends have confirmed."""
    with (
        socket.create_server((target, 0)) as listener,
        socket.create_connection(listener.getsockname(), timeout=60, source_address=(source, 0)) as client,
        listener.accept()[0] as session,
    ):
        client.sendall(b"x")
        assert session.recv(1) == b"x"


@in_network_namespace
async def test_whom_a_host_here_connects_to_answers_and_one_that_only_sends_does_not() -> None:
    track()
    _conversation(OURS, HOST)
    talk(OTHER, OURS)
    with closing(LinuxConnections()) as connections:
        found = await connections.answering()
    assert [to_text(Family.IPV4, address) for address in found[Family.IPV4]] == [HOST]
    assert not len(found[Family.IPV6])


@in_network_namespace
async def test_without_connection_tracking_none_answers(tmp_path: Path) -> None:
    with closing(LinuxConnections([tmp_path / "missing"])) as connections:
        assert await connections.answering() == {}
