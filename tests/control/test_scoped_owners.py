"""Which sources ban some packets of an address."""

import ipaddress
from dataclasses import replace

import pytest

from adapters.firewalls.holdings import ALPHA, addresses, owner, state
from banlistd.control.lookups import owner_of, read_address, scoped_owners
from banlistd.model import Action, Direction
from banlistd.scopes.scope import Scope

SSH = replace(owner(7, "ssh", direction=Direction.BOTH), scope=Scope(ports=((22, 22),)), scope_number=1)
WEB = replace(owner(8, "web"), scope=Scope(ports=((80, 80),)), scope_number=2)
MORE = replace(owner(9, "more", direction=Direction.BOTH), scope=SSH.scope, scope_number=1)
WATCHING = owner(5, "watching", Action.COUNT)
HELD = state(
    [ALPHA, MORE, SSH, WEB, WATCHING],
    {
        "alpha": addresses("203.0.113.1"),
        "ssh": addresses("192.0.2.0/24", "2001:db8::/32"),
        "more": addresses("192.0.2.1"),
        "web": addresses("192.0.2.1"),
        "watching": addresses("192.0.2.1"),
    },
)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        # A single address comes before the network around it, as in the firewall.
        ("192.0.2.1", [("more", "in"), ("more", "out"), ("web", "in")]),
        ("192.0.2.2", [("ssh", "in"), ("ssh", "out")]),
        ("2001:db8::1", [("ssh", "in"), ("ssh", "out")]),
        ("64:ff9b::192.0.2.2", [("ssh", "in")]),
        ("203.0.113.1", []),
    ],
)
def test_each_scope_and_direction_has_its_source(address: str, found: list[tuple[str, str]]) -> None:
    family, number = read_address(str(ipaddress.ip_address(address)))
    owners = scoped_owners(HELD, family, number, translates=True)
    assert sorted((one.owner.source_id, str(one.direction)) for one in owners) == found


def test_what_all_packets_meet_is_apart_from_scopes() -> None:
    family, number = read_address("192.0.2.1")
    watching = owner_of(HELD, family, number)
    assert watching is not None
    assert watching.source_id == "watching"
    assert scoped_owners(None, family, number, translates=True) == []
    family, number = read_address("64:ff9b::c000:202")
    assert scoped_owners(HELD, family, number, translates=False) == []
