"""Which connections end with a change."""

import socket
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address

import numpy as np
import pytest

from adapters.firewalls.contract import addresses, state
from banlistd.core.addresses.sets import from_numbers
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.newly_banned import (
    PacketEnds,
    TrackedConnections,
    bans_any,
    bans_any_ipv4,
    families_banned,
    newly_banned,
)
from banlistd.model import Action, AnswerPort, Direction, Family, Mark, ServiceEndpoint, SourceId, SourceSlot
from banlistd.scopes.names import SCOPE_PROTOCOLS
from banlistd.scopes.scope import Scope

HERE = "203.0.113.1"
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "gre": 47}


def slot(action: Action, direction: Direction = Direction.IN, scope: Scope | None = None) -> SourceSlot:
    return SourceSlot(Mark(1), SourceId("a"), action, direction, scope=scope, scope_number=1 if scope else 0)


def change_to(
    text: str,
    action: Action = Action.DROP,
    direction: Direction = Direction.IN,
    before: str | None = None,
    scope: Scope | None = None,
    allowed: Sequence[str] = (),
) -> Change:
    source = slot(action, direction, scope)
    present = state([source], {"a": addresses(*before.split())}) if before is not None else None
    return difference(present, state([source], {"a": addresses(*text.split())}, allowed))


def tracked(*texts: str, family: Family = Family.IPV4) -> TrackedConnections:
    """Each as `udp 192.0.2.1:5 > 203.0.113.1:53`, behind `|` the same of the answers where that is not the reverse."""
    rows = [_row(text) for text in texts]
    ends = []
    for way in (0, 1):
        columns = [[int(ip_address(row[1][way][end][0])) for row in rows] for end in (0, 1)]
        ports = [np.array([row[1][way][end][1] for row in rows], dtype=np.uint16) for end in (0, 1)]
        ends.append(PacketEnds(*(from_numbers(family, column) for column in columns), *ports))
    protocols = np.array([NUMBERS[row[0]] for row in rows], dtype=np.uint8)
    related = np.array(["related" in text for text in texts], dtype=np.bool_)
    return TrackedConnections(family, protocols, ends[0], ends[1], related)


def _row(text: str) -> tuple[str, list[list[tuple[str, int]]]]:
    protocol, *rest = text.removesuffix(" related").split(" ")
    ways = [[_end(end) for end in way.split(" > ")] for way in " ".join(rest).split(" | ")]
    return protocol, ways if len(ways) > 1 else [*ways, ways[0][::-1]]


def _end(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


def from_each(*sources: str) -> TrackedConnections:
    return tracked(*(f"udp {source}:5 > {HERE}:9" for source in sources))


EACH = from_each("198.51.100.1", "192.0.2.0", "192.0.2.255", "192.0.3.0")


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("action", [action for action in Action if action.blocks])
def test_addresses_of_new_elements_are_newly_banned(action: Action, direction: Direction) -> None:
    change = change_to("192.0.2.0/24", action, direction)
    assert bans_any(change)
    assert newly_banned([change], (), EACH).tolist() == [False, True, True, False]


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.NONE and not action.blocks])
def test_a_source_that_only_watches_ends_nothing(action: Action) -> None:
    assert not bans_any(change_to("192.0.2.0/24", action))


def test_only_what_comes_is_newly_banned() -> None:
    change = change_to("192.0.2.1\n192.0.2.255", before="192.0.2.1\n192.0.2.0")
    assert newly_banned([change], (), from_each("192.0.2.0", "192.0.2.1", "192.0.2.255")).tolist() == [False, False, True]


def test_services_whose_answers_pass_keep_their_connections() -> None:
    dns = ServiceEndpoint(Family.IPV4, int(ip_address("192.0.2.255")), AnswerPort("udp", 53))
    change = change_to("192.0.2.0/24")
    assert newly_banned([change], (dns,), EACH).tolist() == [False, True, False, False]


def test_what_is_allowed_within_a_banned_network_keeps_its_connections() -> None:
    change = change_to("192.0.2.0/24", allowed=["192.0.2.255/32"])
    assert newly_banned([change], (), EACH).tolist() == [False, True, False, False]


def test_ipv6_is_looked_up_among_ipv6() -> None:
    change = change_to("2001:db8::/64\n192.0.2.1")
    asked = tracked("udp [2001:db8::1]:5 > [2001:db8:1::1]:9", "udp [::1]:5 > [2001:db8:1::1]:9", family=Family.IPV6)
    assert newly_banned([change], (), asked).tolist() == [True, False]
    assert list(families_banned([change])) == [Family.IPV4, Family.IPV6]


WITHIN = tracked(
    *(
        f"udp [{source}]:5 > [2001:db8:1::1]:22"
        for source in ("64:ff9b::c000:207", "2002:c000:207:1::9", "64:ff9b::c000:208", "64:ff9b:0:1::c000:207", "::c000:207")
    ),
    "udp [2001:db8:1::1]:22 > [64:ff9b::c000:207]:5",
    "udp [2001:db8:1::1]:22 > [64:ff9b::c000:207]:5 | [2001:db8::9]:5 > [2001:db8:1::1]:22",
    family=Family.IPV6,
)


def test_an_ipv4_address_within_an_ipv6_source_is_newly_banned_where_rules_look_for_it() -> None:
    change = change_to("192.0.2.7")
    assert not newly_banned([change], (), WITHIN).any()
    assert list(families_banned([change])) == [Family.IPV4]
    assert bans_any_ipv4([change])
    assert newly_banned([change], (), WITHIN, translates=True).tolist() == [True, True, False, False, False, True, False]
    out = change_to("192.0.2.7", direction=Direction.OUT)
    assert not bans_any_ipv4([out])
    assert not newly_banned([out], (), WITHIN, translates=True).any()
    scoped = change_to("192.0.2.7", scope=Scope(ports=((23, 23),), protocols=("udp",)))
    assert not newly_banned([scoped], (), WITHIN, translates=True)[:5].any()


def test_an_ipv6_source_that_is_allowed_or_answers_keeps_its_connections_whatever_is_within() -> None:
    change = change_to("192.0.2.7")
    allowed = addresses("64:ff9b::c000:207").ranges(Family.IPV6)
    assert newly_banned([change], (), WITHIN, allowed, translates=True).tolist() == [False, True, *[False] * 5]
    dns = ServiceEndpoint(Family.IPV6, int(ip_address("64:ff9b::c000:207")), AnswerPort("udp", 5))
    assert newly_banned([change], (dns,), WITHIN, translates=True).tolist() == [False, True, *[False] * 5]


# A port of this host that a guest has; a banned guest's host behind such a port; a proxy in the place of a banned host; a host
# that leaves with the address of another.
TRANSLATED = tracked(
    "tcp 192.0.2.7:5 > 203.0.113.1:8080 | 10.0.0.2:80 > 192.0.2.7:5",
    "tcp 198.51.100.1:5 > 203.0.113.1:8080 | 192.0.2.7:80 > 198.51.100.1:5",
    "tcp 10.0.0.2:5 > 192.0.2.7:80 | 10.0.0.3:3128 > 10.0.0.2:5",
    "tcp 10.0.0.2:5 > 198.51.100.1:80 | 198.51.100.1:80 > 192.0.2.7:5",
)


def test_connections_end_by_the_addresses_that_the_rules_see() -> None:
    assert newly_banned([change_to("192.0.2.7")], (), TRANSLATED).tolist() == [True, True, False, False]
    assert newly_banned([change_to("192.0.2.7", direction=Direction.OUT)], (), TRANSLATED).all()


SERVED = tracked(
    "tcp 192.0.2.7:50000 > 203.0.113.1:22",
    "tcp 192.0.2.7:50000 > 203.0.113.1:443",
    "udp 192.0.2.7:50000 > 203.0.113.1:22",
    "tcp 203.0.113.1:22 > 192.0.2.7:50000",  # packets of the banned address go to port 22, which began it
    "tcp 203.0.113.1:50000 > 192.0.2.7:22",
    "icmp 192.0.2.7:0 > 203.0.113.1:0",
    "tcp 198.51.100.1:50000 > 203.0.113.1:22",
    "tcp 192.0.2.7:50000 > 203.0.113.1:22 related",
)
SSH = Scope(ports=((22, 22),), protocols=("tcp",))


@pytest.mark.parametrize(
    ("scope", "direction", "ended"),
    [
        (SSH, Direction.IN, "10010001"),
        (SSH, Direction.OUT, "00001000"),
        (SSH, Direction.BOTH, "10011001"),
        (Scope(ports=((1, 30), (400, 500)), protocols=("tcp", "udp")), Direction.IN, "11110001"),
        (Scope(protocols=("icmp",)), Direction.IN, "00000100"),
        (Scope(only_new=True), Direction.IN, "11100100"),
        (Scope(only_new=True), Direction.OUT, "00011000"),
        (Scope(ports=((22, 22),), protocols=("tcp",), only_new=True), Direction.IN, "10000000"),
        (Scope(interfaces=("eth0",)), Direction.IN, "00000000"),
        (Scope(except_interfaces=("wg0",), ports=((22, 22),), protocols=("tcp",)), Direction.IN, "00000000"),
    ],
)
def test_a_ban_of_some_packets_ends_the_connections_of_these(scope: Scope, direction: Direction, ended: str) -> None:
    change = change_to("192.0.2.7", direction=direction, scope=scope)
    assert newly_banned([change], (), SERVED).tolist() == [each == "1" for each in ended]
    assert bans_any(change) == ("1" in ended)


def test_the_port_of_a_scope_is_the_one_before_nat() -> None:
    published, inner = (Scope(ports=((port, port),), protocols=("tcp",)) for port in (8080, 80))
    assert newly_banned([change_to("192.0.2.7", scope=published)], (), TRANSLATED).tolist() == [True, False, False, False]
    assert not newly_banned([change_to("192.0.2.7", scope=inner)], (), TRANSLATED).any()


def test_an_address_ends_the_connections_of_each_of_its_scopes() -> None:
    web = Scope(ports=((443, 443),), protocols=("tcp",))
    sources = [
        SourceSlot(Mark(number), SourceId(name), Action.DROP, Direction.IN, scope=scope, scope_number=number)
        for number, name, scope in ((1, "a", SSH), (2, "b", web))
    ]
    change = difference(None, state(sources, {"a": addresses("192.0.2.7"), "b": addresses("192.0.2.7")}))
    assert newly_banned([change], (), SERVED).tolist() == [each == "1" for each in "11010001"]


def test_every_protocol_of_a_scope_has_a_number() -> None:
    numbers = [socket.getprotobyname({"icmpv6": "ipv6-icmp"}.get(name, name)) for name in SCOPE_PROTOCOLS]
    asked = replace(from_each(*["192.0.2.7"] * len(numbers)), protocol=np.array(numbers, dtype=np.uint8))
    for place, name in enumerate(SCOPE_PROTOCOLS):
        change = change_to("192.0.2.7", scope=Scope(protocols=(name,)))
        assert np.flatnonzero(newly_banned([change], (), asked)).tolist() == [place]
