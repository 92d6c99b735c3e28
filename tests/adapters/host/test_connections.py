"""Connections of the real kernel, in a network namespace."""

import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from adapters.firewalls.contract import addresses, state
from banlistd.adapters.host.connections import SIGNS, LinuxConnections
from banlistd.adapters.netlink.conntrack import ConnectionTable
from banlistd.core.addresses.sets import to_text
from banlistd.core.ruleset.diff import Change, difference
from banlistd.model import Action, AnswerPort, Direction, Family, Mark, ServiceEndpoint, SourceId, SourceSlot
from support.network_namespace import in_network_namespace
from support.tracking import HOST, HOST6, OTHER, OTHER6, OURS, OURS6, connections_of, talk, track


async def end(change: Change, answers: Sequence[ServiceEndpoint] = (), signs: Sequence[Path] = SIGNS) -> None:
    with closing(LinuxConnections(signs)) as connections:
        await connections.end(change, answers)


def ban(text: str, action: Action = Action.DROP) -> Change:
    source = SourceSlot(Mark(1), SourceId("a"), action, Direction.IN)
    return difference(None, state([source], {"a": addresses(*text.split())}))


@in_network_namespace
async def test_connections_of_newly_banned_hosts_end_and_others_stay() -> None:
    track()
    for source, target in ((OURS, HOST), (HOST, OURS), (OURS, OTHER), (OURS6, HOST6), (OURS6, OTHER6)):
        talk(source, target)
    assert [connections_of(each) for each in (HOST, OTHER, HOST6, OTHER6)] == [2, 1, 1, 1]
    await end(ban(f"{HOST}\n{HOST6}"))
    assert [connections_of(each) for each in (HOST, OTHER, HOST6, OTHER6)] == [0, 1, 0, 1]


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
            await connections.end(ban(HOST), ())
        (remark,) = connections.remarks()
        assert "Operation not permitted" in remark.message
        await connections.end(ban(HOST), ())
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
            await connections.end(ban(host), ())
            opened += len(set(os.listdir("/proc/self/fd")) - before)  # noqa: PTH208 - names
            assert connections_of(host) == 0
    assert opened == 1


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
