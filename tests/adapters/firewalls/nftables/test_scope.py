"""Sources that ban only some packets of their addresses."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import pytest

from adapters.firewalls.holdings import ALPHA, BOTH, COUNTED, MIXED, addresses, owner, state
from adapters.firewalls.street import (
    BAD,
    BAD4,
    GOOD4,
    GOOD6,
    GUARD4,
    GUARD6,
    HOSTS,
    INNER4,
    INNER6,
    NETS,
    Street,
    bound,
    flooded,
    laid_out,
)
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.structure import RuleForm, structure_of
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.kernel_parts import KernelPart
from banlistd.core.ruleset.scoping.numbering import numbers_for, numbers_of
from banlistd.core.ruleset.state import FirewallState
from banlistd.errors import FirewallError
from banlistd.model import Action, Direction, SourceSlot
from banlistd.scopes.scope import Scope
from support.network_namespace import NetworkNamespace, in_network_namespace, nft

DNS = Scope(ports=((53, 53), (5300, 5310)), protocols=("udp",))
HELPING = """
table inet helping {
 ct helper transfers { type "tftp" protocol udp; }
 chain out { type filter hook output priority filter; udp dport 69 ct helper set "transfers"; }
}
"""
SSH = Scope(ports=((22, 22),), protocols=("tcp",))


def scoped(scope: Scope, number: int = 1, mark: int = 8, direction: Direction = Direction.IN) -> SourceSlot:
    return replace(owner(mark, f"scoped-{mark}", Action.DROP, direction), scope=scope, scope_number=number)


@pytest.fixture
def street() -> Iterator[Street]:
    with laid_out("nftables", NftablesFirewall) as street:
        yield street


def reaches(street: Street, source: str, port: int, target: str = "") -> bool:
    """Whether a datagram from the peer's address reaches a port of the guard, or of another target."""
    v6 = ":" in source
    target = target or (GUARD6 if v6 else GUARD4)
    home = street.inner if target in (INNER4, INNER6) else street.guard
    return passes(home, target, port, street.peer, source, GOOD6 if v6 else GOOD4)


def passes(home: NetworkNamespace, target: str, port: int, away: NetworkNamespace, source: str, herald: str) -> bool:
    with (
        closing(bound(home, target, port)) as receiver,
        closing(bound(away, source)) as sender,
        closing(bound(away, herald)) as last,
    ):
        sender.sendto(b"asked", (target, port))
        last.sendto(b"last", (target, port))
        heard = [receiver.recv(16)]
        while heard[-1] != b"last":
            heard.append(receiver.recv(16))
        return b"asked" in heard


@pytest.mark.parametrize("content", [HOSTS, NETS], ids=["hosts", "nets"])
@pytest.mark.parametrize("source", BAD)
def test_only_packets_to_its_ports_are_dropped_and_counted(street: Street, source: str, content: object) -> None:
    street.apply(None, state([scoped(DNS)], {"scoped-8": HOSTS if content is HOSTS else NETS}))
    assert not reaches(street, source, 53)
    assert not reaches(street, source, 5305)
    assert reaches(street, source, 54)
    assert reaches(street, source, 5311)
    assert street.counted() == {8: 2}


@pytest.mark.parametrize("source", BAD)
def test_only_packets_of_its_protocols_are_dropped(street: Street, source: str) -> None:
    street.apply(None, state([scoped(SSH), scoped(Scope(protocols=("icmp", "icmpv6")), 2, 9)], {"scoped-8": HOSTS}))
    assert reaches(street, source, 22)
    held = state([scoped(Scope(protocols=("udp",)))], {"scoped-8": HOSTS})
    street.apply(None, held)
    assert not reaches(street, source, 22)


@pytest.mark.parametrize("source", BAD)
def test_an_address_on_lists_of_two_scopes_is_dropped_in_both_and_counted_where_only_one_watches(
    street: Street, source: str
) -> None:
    counting = owner(5, "counting", Action.COUNT)
    other = scoped(Scope(ports=((54, 54),), protocols=("udp",)), 2, 9)
    street.apply(None, state([scoped(DNS), other, counting], {"scoped-8": HOSTS, "scoped-9": NETS, "counting": NETS}))
    assert not reaches(street, source, 53)
    assert not reaches(street, source, 54)
    assert reaches(street, source, 55)
    assert street.counted() == {8: 1, 9: 1, 5: 1}


@pytest.mark.parametrize(
    ("scope", "arrives"),
    [
        (Scope(interfaces=("g0", "g7")), False),
        (Scope(interfaces=("g1",)), True),
        (Scope(except_interfaces=("g0", "g1")), True),
        (Scope(except_interfaces=("g1",)), False),
    ],
    ids=str,
)
@pytest.mark.parametrize("source", BAD)
def test_only_packets_that_come_in_at_its_interfaces_are_dropped(
    street: Street, source: str, scope: Scope, arrives: bool
) -> None:
    street.apply(None, state([scoped(scope)], {"scoped-8": NETS}))
    assert reaches(street, source, 53) is arrives
    assert reaches(street, source, 53, INNER6 if ":" in source else INNER4) is arrives


@pytest.mark.parametrize(
    ("scope", "arrives"),
    [
        (DNS, False),
        (Scope(ports=((54, 54),), protocols=("udp",)), True),
        (Scope(interfaces=("g0",)), False),
        (Scope(interfaces=("g1",)), True),
        (Scope(except_interfaces=("g0",)), True),
    ],
    ids=str,
)
@pytest.mark.parametrize("target", BAD)
def test_only_packets_that_leave_in_its_scope_are_dropped(street: Street, target: str, scope: Scope, arrives: bool) -> None:
    street.apply(None, state([scoped(scope, direction=Direction.OUT)], {"scoped-8": NETS}))
    v6 = ":" in target
    good = GOOD6 if v6 else GOOD4
    for home, source in ((street.inner, INNER6 if v6 else INNER4), (street.guard, GUARD6 if v6 else GUARD4)):
        with (
            closing(bound(street.peer, target, 53)) as receiver,
            closing(bound(street.peer, good, 53)) as other,
            closing(bound(home, source)) as sender,
        ):
            # A drop at the way out is an error of the sender's own call.
            try:
                sender.sendto(b"asked", (target, 53))
            except PermissionError:
                assert not arrives
            sender.sendto(b"last", (good, 53))
            assert other.recv(16) == b"last"
            receiver.setblocking(False)
            try:
                heard = receiver.recv(16)
            except BlockingIOError:
                heard = b""
            assert (heard == b"asked") is arrives


@pytest.mark.parametrize("only_new", [False, True], ids=["raw", "tracked"])
def test_a_published_port_is_the_one_before_its_translation(street: Street, only_new: bool) -> None:
    script = f"""
        add table ip nat
        add chain ip nat prerouting {{ type nat hook prerouting priority dstnat; }}
        add rule ip nat prerouting udp dport 8080 dnat to {INNER4}:80
    """
    street.guard.command("nft", "-f", "-", given=script)
    for port, arrives in ((80, True), (8080, False)):
        scope = Scope(ports=((port, port),), protocols=("udp",), only_new=only_new)
        street.apply(None, state([scoped(scope)], {"scoped-8": NETS}))
        with (
            closing(bound(street.inner, INNER4, 80)) as receiver,
            closing(bound(street.peer, BAD4)) as sender,
            closing(bound(street.peer, GOOD4)) as herald,
        ):
            sender.sendto(b"asked", (GUARD4, 8080))
            herald.sendto(b"last", (GUARD4, 8080))
            assert (receiver.recv(16) == b"asked") is arrives


@pytest.mark.parametrize("source", BAD)
def test_a_datagram_in_fragments_is_dropped_as_a_whole(street: Street, source: str) -> None:
    street.apply(None, state([scoped(DNS)], {"scoped-8": NETS}))
    v6 = ":" in source
    place = (GUARD6 if v6 else GUARD4, 53)
    with (
        closing(bound(street.guard, *place)) as receiver,
        closing(bound(street.peer, source)) as sender,
        closing(bound(street.peer, GOOD6 if v6 else GOOD4)) as herald,
    ):
        for one in (sender, herald):
            one.sendto(bytes(4000), place)
        assert receiver.recvfrom(8000)[1][0] == herald.getsockname()[0]


@pytest.mark.parametrize("source", BAD)
def test_what_answers_the_hosts_and_its_guests_connections_passes_and_nothing_else(street: Street, source: str) -> None:
    held = state([scoped(Scope(only_new=True))], {"scoped-8": NETS})
    street.apply(None, held)
    v6 = ":" in source
    for home, address in ((street.guard, GUARD6 if v6 else GUARD4), (street.inner, INNER6 if v6 else INNER4)):
        with closing(bound(street.peer, source, 53)) as server, closing(bound(home, address)) as client:
            client.sendto(b"question", (source, 53))
            question, place = server.recvfrom(16)
            assert question == b"question"
            server.sendto(b"answer", place)
            assert client.recv(16) == b"answer"
    assert not reaches(street, source, 53)
    assert not reaches(street, source, 53, INNER6 if v6 else INNER4)
    assert street.counted() == {8: 2}


def test_a_connection_that_another_one_announced_passes_to_its_end(street: Street) -> None:
    """A transfer by TFTP: the server answers from a port of its own, in a connection that the helper expects."""
    street.apply(None, state([scoped(Scope(only_new=True))], {"scoped-8": HOSTS}))
    street.guard.run(lambda: nft("-f", "-", given=HELPING))
    with (
        closing(bound(street.peer, BAD4, 69)) as server,
        closing(bound(street.peer, BAD4)) as transfer,
        closing(bound(street.guard, GUARD4)) as client,
    ):
        client.sendto(b"\0\1name\0octet\0", (BAD4, 69))
        _, place = server.recvfrom(64)
        for number in range(3):
            transfer.sendto(b"\0\3\0%d" % number, place)
            assert client.recv(64) == b"\0\3\0%d" % number
            client.sendto(b"\0\4\0%d" % number, transfer.getsockname())
            assert transfer.recv(64) == b"\0\4\0%d" % number
    assert street.counted() == {8: 0}


def test_a_connection_that_a_banned_address_opened_before_is_not_an_answer(street: Street) -> None:
    street.apply(None, state([scoped(Scope(only_new=True))], {}))
    with closing(bound(street.guard, GUARD4, 53)) as server, closing(bound(street.peer, BAD4)) as client:
        client.sendto(b"question", (GUARD4, 53))
        _, place = server.recvfrom(16)
        server.sendto(b"answer", place)
        assert client.recv(16) == b"answer"
        empty = state([scoped(Scope(only_new=True))], {})
        street.apply(empty, state([scoped(Scope(only_new=True))], {"scoped-8": HOSTS}))
        client.sendto(b"more", (GUARD4, 53))
        with closing(bound(street.peer, GOOD4)) as herald:
            herald.sendto(b"last", (GUARD4, 53))
        assert server.recv(16) == b"last"


@pytest.mark.parametrize("scope", [DNS, Scope(only_new=True)], ids=str)
def test_what_is_allowed_passes(street: Street, scope: Scope) -> None:
    street.apply(None, state([scoped(scope)], {"scoped-8": NETS}, allowed=[BAD4]))
    assert reaches(street, BAD4, 53)


def test_an_ipv4_address_within_an_ipv6_one_is_looked_up_in_the_scope(street: Street) -> None:
    within = "64:ff9b::c633:6407"
    street.peer.command("ip", "address", "add", within, "dev", "lo", "nodad")
    street.guard.command("ip", "route", "add", "64:ff9b::/96", "via", "fd00:9::2")
    street.apply(None, state([scoped(DNS)], {"scoped-8": addresses(BAD4)}))
    assert not reaches(street, within, 53)
    assert reaches(street, within, 54)


MANY = [
    state([ALPHA, scoped(DNS), COUNTED, BOTH], {"alpha": NETS, "scoped-8": HOSTS, "counted": NETS}),
    state([ALPHA, scoped(SSH), scoped(DNS, 2, 9, Direction.BOTH)], {"alpha": NETS, "scoped-8": HOSTS, "scoped-9": NETS}),
    state([scoped(DNS, 1, 9, Direction.BOTH), scoped(Scope(only_new=True), 2, 10)], {"scoped-9": NETS, "scoped-10": NETS}),
    state([scoped(Scope(only_new=True), 1, 10, Direction.BOTH)], {"scoped-10": NETS}),
    state([scoped(Scope(except_interfaces=("a", "b.7")), 16, 10, Direction.BOTH)], {"scoped-10": HOSTS}),
    state([ALPHA], {"alpha": NETS}),
]


@in_network_namespace
async def test_every_change_of_scopes_is_found_whole_and_leaves_nothing_behind() -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, MANY[-1]))
    plain = nft("list", "ruleset")
    assert "scope" not in plain
    present = MANY[-1]
    for wanted in (*MANY, *reversed(MANY)):
        await firewall.apply(difference(present, wanted))
        assert (await firewall.verify(wanted)).sound
        present = wanted
        # nft reads back what it lists.
        nft("--check", "--file", "-", given="flush ruleset\n" + nft("list", "ruleset"))
    await firewall.apply(difference(present, MANY[-1]))
    assert sorted(nft("list", "ruleset").split("\n")) == sorted(plain.split("\n"))
    await firewall.teardown()
    assert nft("list", "ruleset") == ""
    await firewall.close()


SCOPED = state(
    [ALPHA, scoped(DNS, 1, 8, Direction.BOTH), scoped(Scope(interfaces=("g0", "g1"), only_new=True), 2, 9, Direction.BOTH)],
    {"alpha": MIXED, "scoped-8": MIXED, "scoped-9": MIXED},
)
CONDITIONS = next(name for name in structure_of(SCOPED.sources, form=RuleForm()) if name.startswith("scope-1-"))

FOREIGN_CHANGES = {
    "conditions are gone": f"flush chain inet banlistd {CONDITIONS}",
    "conditions were exchanged": f"flush chain inet banlistd {CONDITIONS}; "
    f"add rule inet banlistd {CONDITIONS} meta l4proto tcp th dport 53 jump scoped-1-in",
    "a condition came": f"insert rule inet banlistd {CONDITIONS} accept",
    "lookups of a scope are gone": "flush chain inet banlistd scoped-2-out",
    "a scope is not asked": "flush chain inet banlistd tracked-in",
    "addresses within are not asked": "flush chain inet banlistd scoped-1-in-within-nat64",
    "a base chain is gone": "flush chain inet banlistd inbound-tracked; delete chain inet banlistd inbound-tracked",
    "a base chain is at another priority": "flush chain inet banlistd outbound-tracked; "
    "delete chain inet banlistd outbound-tracked; "
    "add chain inet banlistd outbound-tracked { type filter hook output priority -300; }; "
    'add rule inet banlistd outbound-tracked oif "lo" return; add rule inet banlistd outbound-tracked jump asked; '
    "add rule inet banlistd outbound-tracked jump tracked-out",
    "an element is gone": "delete element inet banlistd scope1_in_hosts4 { 198.51.100.1 }",
    "a map was emptied": "flush map inet banlistd scope2_out_nets6",
    "everything is gone": "flush ruleset",
}


@pytest.mark.parametrize("what", FOREIGN_CHANGES)
@in_network_namespace
async def test_a_foreign_change_of_a_scope_is_found_and_repaired_exactly(what: str) -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, SCOPED))
    assert (await firewall.verify(SCOPED)).sound
    before = sorted(nft("list", "ruleset").split("\n"))
    nft(FOREIGN_CHANGES[what])
    verdict = await firewall.verify(SCOPED)
    assert not verdict.sound
    present = SCOPED if await firewall.markers() else None
    await firewall.apply(difference(present, SCOPED, verdict))
    assert (await firewall.verify(SCOPED)).sound
    assert sorted(nft("list", "ruleset").split("\n")) == before
    await firewall.close()


@in_network_namespace
async def test_a_program_that_finds_the_table_reads_the_bans_of_scopes() -> None:
    first = NftablesFirewall()
    await first.apply(difference(None, SCOPED))
    await first.close()
    second = NftablesFirewall()
    assert (await second.verify(SCOPED)).sound
    found = await second.contents()
    assert {int(mark) for mark in found} == {1, 8, 9}
    assert all(content == MIXED for content in found.values())
    await second.close()


TCP, UDP = Scope(protocols=("tcp",)), Scope(protocols=("udp",))
ELSEWHERE = addresses("203.0.113.1")
TURNS: Mapping[str, tuple[Mapping[Scope, AddressSet], Mapping[Scope, AddressSet]]] = {
    "another scope comes and goes": ({SSH: NETS, UDP: HOSTS}, {UDP: HOSTS}),
    "they change places": ({SSH: NETS, UDP: HOSTS}, {UDP: HOSTS, SSH: NETS}),
    "one takes the place of the other": ({UDP: HOSTS}, {Scope(protocols=("tcp", "udp")): HOSTS}),
    "the other is no longer asked first": ({TCP: ELSEWHERE, SSH: NETS, UDP: HOSTS}, {UDP: HOSTS, TCP: HOSTS}),
}
"""What is banned of each scope, in turns; of the addresses that send, always all datagrams."""


def under_their_numbers(present: FirewallState | None, wanted: Mapping[Scope, AddressSet]) -> FirewallState:
    """The state that follows upon another one; each scope has the same mark always."""
    marks = {scope: 8 + sorted({SSH, TCP, UDP, *wanted}, key=str).index(scope) for scope in wanted}
    numbers = numbers_for(dict.fromkeys(wanted, 0), numbers_of(present.sources) if present else {})
    sources = [scoped(scope, number, marks[scope]) for scope, number in numbers.items()]
    return state(sources, {f"scoped-{marks[scope]}": content for scope, content in wanted.items()})


def take_turns(street: Street, present: FirewallState, turns: Sequence[Mapping[Scope, AddressSet]]) -> None:
    for turn in turns:
        wanted = under_their_numbers(present, turn)
        street.apply(present, wanted)
        present = wanted


@pytest.mark.parametrize("turn", TURNS)
def test_no_packet_passes_while_scopes_come_and_go(street: Street, turn: str) -> None:
    one, other = TURNS[turn]
    before = under_their_numbers(None, one)
    street.apply(None, before)
    with flooded(street) as flood:
        take_turns(street, before, [other, one] * 5)
    assert flood.arrived == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({TCP: HOSTS, UDP: ELSEWHERE}, {UDP: ELSEWHERE, TCP: HOSTS}),
        ({TCP: HOSTS, UDP: ELSEWHERE}, {UDP: ELSEWHERE}),
        ({TCP: HOSTS}, {UDP: ELSEWHERE}),
    ],
    ids=["they change places", "one comes and goes", "one takes the place of the other"],
)
def test_no_packet_meets_the_bans_of_another_scope_while_they_come_and_go(
    street: Street, one: Mapping[Scope, AddressSet], other: Mapping[Scope, AddressSet]
) -> None:
    before = under_their_numbers(None, one)
    street.apply(None, before)
    with flooded(street) as flood:
        take_turns(street, before, [other, one] * 5)
    assert flood.arrived > 0
    assert sum(street.counted().values()) == 0


@in_network_namespace
async def test_a_program_that_finds_the_table_reads_the_numbers_of_scopes() -> None:
    first = NftablesFirewall()
    assert await first.scope_numbers() == {}
    await first.apply(difference(None, SCOPED))
    await first.close()
    second = NftablesFirewall()
    assert await second.scope_numbers() == numbers_of(SCOPED.sources)
    await second.apply(difference(SCOPED, MANY[4]))
    assert await second.scope_numbers() == {Scope(except_interfaces=("a", "b.7")).digest: 16}
    await second.close()


def test_a_kernel_without_kinds_of_interfaces_gets_no_rule_about_them() -> None:
    sources = [scoped(Scope(except_interfaces=("wg0",)))]
    (whole,) = _conditions(sources, RuleForm())
    (partial,) = _conditions(sources, RuleForm(lacking=frozenset({KernelPart.INTERFACE_KIND})))
    assert whole == 'meta iifkind != "vrf" iifname != { "wg0" } jump scoped-1-in'
    assert partial == 'iifname != { "wg0" } jump scoped-1-in'


def _conditions(sources: list[SourceSlot], form: RuleForm) -> tuple[str, ...]:
    (rules,) = (chain.rules for name, chain in structure_of(sources, form=form).items() if name.startswith("scope-"))
    assert rules is not None
    return rules


@pytest.mark.parametrize(
    "scope", [Scope(interfaces=('a" accept',)), Scope(except_interfaces=("a b",)), Scope(protocols=("tcp } accept",))], ids=str
)
def test_what_could_not_be_configured_never_gets_into_a_script(scope: Scope) -> None:
    with pytest.raises(FirewallError):
        structure_of([scoped(scope)], form=RuleForm())
