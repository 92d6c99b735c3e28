"""What the host needs only answers from gains nothing else when a list bans it, shown with packets."""

import errno
import socket
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from adapters.firewalls.holdings import ALPHA, BETA, BOTH, owner, services, state
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
    bound,
    laid_out,
)
from adapters.firewalls.test_packets import FIREWALLS, NFTABLES
from banlistd.adapters.firewalls.ipset.rules import chains_of
from banlistd.adapters.firewalls.nftables.lookups.matching import NFTA_RULE_EXPRESSIONS
from banlistd.adapters.firewalls.nftables.rules import netlink_rules
from banlistd.adapters.firewalls.nftables.structure import MARKED_ANSWERS, NETLINK_CHAINS, RuleForm, structure_of
from banlistd.adapters.netlink.messages import attributes, text_attribute
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import Action, Direction, Family, SourceSlot
from support.ipset_host import Iptables

DNS, SSH = 53, 22
SERVICES = services(*(f"{address} {protocol} {DNS}" for address in BAD for protocol in ("udp", "tcp")))
each_ban = pytest.mark.parametrize("ban", [ALPHA, BETA, BOTH], ids=["drop", "reject", "both directions"])
each_version = pytest.mark.parametrize("source", BAD, ids=["ipv4", "ipv6"])


@pytest.fixture(params=FIREWALLS)
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    name = str(request.param)
    with laid_out(name, FIREWALLS[name]) as street:
        if name != NFTABLES:
            street.guard.run(Iptables(name.removeprefix("ipset-")).skip_if_missing)
        yield street


def banned(ban: SourceSlot, content: object = NETS) -> FirewallState:
    return state([ban], {str(ban.source_id): HOSTS if content is HOSTS else NETS}, answers=SERVICES)


def guard_at(source: str) -> str:
    return GUARD6 if ":" in source else GUARD4


def inner_at(source: str) -> str:
    return INNER6 if ":" in source else INNER4


def listening(street: Street, address: str, port: int, *, at_peer: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = street.peer if at_peer else street.guard
    return where.run(partial(socket.create_server, (address, port), family=family))  # type: ignore[no-any-return]


def connecting(source: str, port: int, target: tuple[str, int]) -> socket.socket:
    """A connection that is on its way."""
    made = socket.socket(socket.AF_INET6 if ":" in source else socket.AF_INET)
    made.bind((source, port))
    made.setblocking(False)
    assert made.connect_ex(target) == errno.EINPROGRESS
    return made


def connects(street: Street, source: str, port: int) -> bool:
    """Whether the peer can open a connection to port 22 of the guard. Another that is not banned follows, and must come."""
    target = (guard_at(source), SSH)
    with (
        closing(listening(street, *target)) as door,
        closing(street.peer.run(partial(connecting, source, port, target))),
        closing(street.peer.run(partial(socket.create_connection, target, 20, (GOOD6 if ":" in source else GOOD4, 0)))),
    ):
        door.settimeout(60)
        first, place = door.accept()
        first.close()
        return bool(place[0] == source)


@each_ban
@each_version
@pytest.mark.parametrize("content", [HOSTS, NETS], ids=["hosts", "nets"])
def test_datagrams_of_a_banned_resolver_arrive_from_its_port_alone(
    street: Street, source: str, ban: SourceSlot, content: object
) -> None:
    street.apply(None, state([ban], {str(ban.source_id): HOSTS if content is HOSTS else NETS}))
    assert not street.arrives(source, port=DNS)
    street.apply(None, banned(ban, content))
    before = street.counted()[ban.mark]
    assert street.arrives(source, port=DNS)
    assert not street.arrives(source)
    assert not street.arrives(source, port=DNS + 1)
    assert street.counted() == {ban.mark: before + 2}


@each_version
def test_answers_to_who_is_behind_the_host_are_not_its_own(street: Street, source: str) -> None:
    assert street.arrives(source, inner_at(source), DNS)
    for ban in (ALPHA, BETA):
        street.apply(None, banned(ban))
        assert not street.arrives(source, inner_at(source), DNS)


def test_the_port_of_a_service_is_open_at_no_other_address(street: Street) -> None:
    street.apply(None, banned(ALPHA))
    for neighbour in MORE4[1:]:
        assert not street.arrives(neighbour, port=DNS)


@each_ban
@each_version
def test_the_host_can_connect_to_a_banned_service_and_the_service_not_to_the_host(
    street: Street, source: str, ban: SourceSlot
) -> None:
    assert connects(street, source, DNS)
    street.apply(None, banned(ban))
    with (
        closing(listening(street, source, DNS, at_peer=True)) as server,
        closing(street.guard.run(partial(socket.create_connection, (source, DNS), 20))) as client,
        closing(server.accept()[0]) as session,
    ):
        for one, other in ((client, session), (session, client)):
            other.settimeout(60)
            one.sendall(b"question")
            assert other.recv(16) == b"question"
    for port in (DNS + 1, 0):
        assert not connects(street, source, port)


@each_version
def test_a_banned_service_opens_no_connection_from_its_own_port(street: Street, source: str) -> None:
    street.apply(None, banned(ALPHA))
    assert not connects(street, source, DNS)


@each_version
@pytest.mark.parametrize("mark", [0, 77], ids=["none", "that of others"])
def test_an_answer_keeps_its_mark(street: Street, source: str, mark: int) -> None:
    street.apply(None, banned(ALPHA))
    street.guard.command(
        "nft",
        "add table inet o; add chain inet o before { type filter hook prerouting priority -400; };"
        f"add rule inet o before meta mark set {mark}; add chain inet o behind {{ type filter hook input priority 0; }};"
        f"add rule inet o behind meta mark != {mark} drop",
    )
    assert street.arrives(source, port=DNS)
    assert not street.arrives(source)


@each_version
def test_to_a_banned_service_the_host_sends_questions_and_nothing_else(street: Street, source: str) -> None:
    street.apply(None, banned(owner(1, "alpha", Action.DROP, Direction.OUT)))
    with (
        closing(bound(street.peer, source, DNS)) as server,
        closing(bound(street.guard, guard_at(source))) as client,
        closing(bound(street.inner, inner_at(source))) as behind,
    ):
        client.sendto(b"question", server.getsockname())
        assert server.recv(16) == b"question"
        with pytest.raises(PermissionError):
            client.sendto(b"x", (source, DNS + 1))
        behind.sendto(b"forwarded", server.getsockname())
        client.sendto(b"last", server.getsockname())
        assert server.recv(16) == b"last"


def test_the_last_service_goes_with_its_protection(street: Street) -> None:
    with_one = banned(ALPHA)
    without = state([ALPHA], {"alpha": NETS})
    street.apply(None, with_one)
    street.apply(with_one, without)
    for source in (BAD4, BAD6):
        assert not street.arrives(source, port=DNS)
    street.apply(without, with_one)
    assert street.arrives(BAD4, port=DNS)


def test_answers_arrive_while_sources_come_and_go(street: Street) -> None:
    """A change of sources writes every chain anew."""
    now = banned(ALPHA)
    street.apply(None, now)
    for turn in range(5):
        both = state([ALPHA, owner(7 + turn, f"more-{turn}")], {"alpha": NETS}, answers=SERVICES)
        street.apply(now, both)
        now = both
        assert street.arrives(BAD4, port=DNS)
        assert not street.arrives(BAD4)


def _jumps_to_answers(rule: bytes) -> bool:
    """The name of a chain in a verdict is attribute 2."""
    return text_attribute(2, MARKED_ANSWERS) in attributes(rule)[NFTA_RULE_EXPRESSIONS]


def test_a_packet_that_is_not_banned_passes_no_rule_about_answers() -> None:
    sources = [ALPHA, BETA, BOTH]
    chains = structure_of(sources, form=RuleForm())
    assert {name for name, chain in chains.items() if "jump answers" in (chain.rules or ())} == {"banned"}
    asking = {
        name
        for name in NETLINK_CHAINS
        if name in chains and any(map(_jumps_to_answers, netlink_rules(name, sources, form=RuleForm())))
    }
    assert asking == {"lookup-in"}
    tables = chains_of(sources, Family.IPV4)
    asking = {name for chains in tables.values() for name, rules in chains.items() if any("answers4" in rule for rule in rules)}
    assert asking == {f"banlistd-{name}" for name in ("in-hosts", "in-nets", "out-hosts", "out-nets", "refusal")}
