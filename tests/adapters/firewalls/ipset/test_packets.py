"""What happens to packets of an address that is in a set of banlistd's in a way that banlistd would not put it there."""

from collections.abc import Iterator

import pytest

from adapters.firewalls.holdings import ALPHA, BETA, LOGGED, addresses, state
from adapters.firewalls.street import BAD4, NETS, Street, laid_out
from banlistd.adapters.firewalls.ipset.firewall import IpsetFirewall
from support.ipset_host import Iptables


@pytest.fixture(params=["nft", "legacy"])
def street(request: pytest.FixtureRequest) -> Iterator[Street]:
    with laid_out(f"ipset-{request.param}", lambda: IpsetFirewall(request.param)) as street:
        street.guard.run(Iptables(request.param).skip_if_missing)
        yield street


def test_what_is_banned_without_an_owner_that_a_rule_knows_is_dropped(street: Street) -> None:
    street.apply(None, state([ALPHA, LOGGED], {"alpha": addresses("192.0.2.1")}))
    street.guard.command("ipset", "add", "banlistd-hosts4", BAD4)
    assert not street.arrives(BAD4)
    assert street.counted() == {1: 0}


def test_what_is_watched_without_an_owner_that_a_rule_knows_passes(street: Street) -> None:
    street.apply(None, state([ALPHA, LOGGED], {"logged": addresses("192.0.2.1")}))
    street.guard.command("ipset", "add", "banlistd-watch_in_hosts4", BAD4)
    assert street.arrives(BAD4)
    assert street.counted() == {4: 0}


def test_what_others_let_pass_in_filter_is_rejected_all_the_same(street: Street) -> None:
    variant = street.firewall.removeprefix("ipset-")
    street.apply(None, state([BETA], {"beta": NETS}))
    street.guard.command(f"iptables-{variant}", "-A", "INPUT", "-j", "ACCEPT")
    assert not street.arrives(BAD4)
    assert street.counted() == {2: 1}
