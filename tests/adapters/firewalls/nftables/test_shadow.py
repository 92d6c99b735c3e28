"""Sources in shadow count real packets before other sources take them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from adapters.firewalls.holdings import ALPHA, COUNTED, owner, state
from adapters.firewalls.street import BAD, BAD4, GOOD4, GOOD6, HOSTS, INNER4, INNER6, NETS, Street, bound, laid_out
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.core.ruleset.diff import difference
from banlistd.model import Action, Direction
from support.network_namespace import in_network_namespace, nft

TRIED = replace(owner(8, "tried", Action.COUNT), shadow=True)
SECOND = replace(owner(6, "second", Action.COUNT), shadow=True)
BOTH_WAYS = replace(owner(7, "both-ways", Action.COUNT, Direction.BOTH), shadow=True)


@pytest.fixture
def street() -> Iterator[Street]:
    with laid_out("nftables", NftablesFirewall) as street:
        yield street


@pytest.mark.parametrize("content", [HOSTS, NETS], ids=["hosts", "nets"])
@pytest.mark.parametrize("source", BAD)
def test_what_another_source_drops_is_counted_first(street: Street, source: str, content: object) -> None:
    listed = HOSTS if content is HOSTS else NETS
    street.apply(None, state([ALPHA, TRIED], {"alpha": NETS, "tried": listed}))
    assert not street.arrives(source)
    assert street.counted() == {1: 1, 8: 1}


@pytest.mark.parametrize("mark", [0, 8, 77, 0xFFFF0001])
@pytest.mark.parametrize("source", BAD)
def test_what_no_other_source_takes_arrives_with_the_mark_that_it_had(street: Street, source: str, mark: int) -> None:
    street.apply(None, state([ALPHA, TRIED], {"tried": NETS}))
    script = f"""
        add table inet other
        add chain inet other before {{ type filter hook prerouting priority -400; }}
        add rule inet other before meta mark set {mark}
        add chain inet other after {{ type filter hook input priority 0; }}
        add rule inet other after meta mark != {mark} drop
    """
    street.guard.command("nft", "-f", "-", given=script)
    assert street.arrives(source)
    assert street.counted() == {8: 1}


def test_a_packet_counts_for_the_first_of_two_sources_in_shadow(street: Street) -> None:
    street.apply(None, state([SECOND, TRIED], {"tried": NETS, "second": HOSTS}))
    assert street.arrives(BAD4)
    assert street.counted() == {8: 0, 6: 1}


def test_an_allowed_address_is_not_counted(street: Street) -> None:
    street.apply(None, state([TRIED], {"tried": NETS}, allowed=[BAD4]))
    assert street.arrives(BAD4)
    assert street.counted() == {8: 0}


@pytest.mark.parametrize("target", BAD)
def test_what_is_forwarded_to_a_listed_address_is_counted(street: Street, target: str) -> None:
    street.apply(None, state([BOTH_WAYS], {"both-ways": NETS}))
    inner, good = (INNER6, GOOD6) if ":" in target else (INNER4, GOOD4)
    with (
        closing(bound(street.peer, target)) as receiver,
        closing(bound(street.peer, good)),
        closing(bound(street.inner, inner)) as sender,
    ):
        sender.sendto(b"asked", receiver.getsockname())
        assert receiver.recv(16) == b"asked"
    assert street.counted() == {7: 1}


@in_network_namespace
async def test_without_a_shadow_the_rules_are_those_of_a_source_that_never_had_one() -> None:
    everything = {"alpha": NETS, "tried": HOSTS, "counted": HOSTS}
    plain = state([ALPHA, replace(TRIED, shadow=False), COUNTED], everything)
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, plain))
    never = nft("list", "ruleset")
    assert "shadow" not in never
    shadowed = state([ALPHA, TRIED, COUNTED], everything)
    await firewall.apply(difference(plain, shadowed))
    assert (await firewall.verify(shadowed)).sound
    assert not (await firewall.verify(plain)).sound
    assert "jump shadow-in" in nft("list", "chain", "inet", "banlistd", "lookup-in")
    await firewall.apply(difference(shadowed, plain))
    assert (await firewall.verify(plain)).sound
    assert sorted(nft("list", "ruleset").split("\n")) == sorted(never.split("\n"))
    await firewall.teardown()
    assert nft("list", "ruleset") == ""
    await firewall.close()


@in_network_namespace
async def test_a_flushed_shadow_is_found_and_repaired() -> None:
    held = state([ALPHA, TRIED], {"alpha": NETS, "tried": HOSTS})
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))
    nft("flush", "chain", "inet", "banlistd", "shadow-in")
    verdict = await firewall.verify(held)
    assert not verdict.sound
    await firewall.apply(difference(held, held, verdict))
    assert (await firewall.verify(held)).sound
    await firewall.close()
