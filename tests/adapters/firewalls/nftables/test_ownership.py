"""A table that belongs to us alone: what others try does nothing, and we can still do everything."""

import asyncio

import pytest

from adapters.firewalls.contract import ALPHA, BETA, BOTH, COUNTED, DROP, LOGGED, MIXED, addresses, state
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.ownership import OWNED, found, nft_knows_the_flags
from banlistd.adapters.netlink.messages import text_attribute
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.ruleset.diff import difference
from banlistd.errors import FirewallError
from banlistd.model import Ownership
from support.network_namespace import in_network_namespace, nft, run_nft

EVERYONE = [ALPHA, BETA, DROP, LOGGED, COUNTED, BOTH]
EVERYTHING = {str(source.source_id): MIXED for source in EVERYONE}
HELD = state(EVERYONE, EVERYTHING, allowed=["9.0.0.0/8"])


async def owning() -> NftablesFirewall:
    """A firewall that owns its table; skips where the kernel cannot."""
    firewall = NftablesFirewall(Ownership.YES)
    try:
        await firewall.apply(difference(None, HELD))
    except FirewallError as error:
        await firewall.close()
        pytest.skip(error.message)
    return firewall


@in_network_namespace
async def test_what_others_try_does_nothing() -> None:
    firewall = await owning()
    nft("flush", "ruleset")
    for command in ("delete table inet banlistd", "flush map inet banlistd nets4", "add chain inet banlistd x"):
        assert "not permitted" in run_nft(command).stderr
    assert (await firewall.verify(HELD)).sound
    assert await firewall.markers() == HELD.markers
    await firewall.close()


@in_network_namespace
async def test_structure_and_elements_still_change_and_nothing_is_reported() -> None:
    firewall = await owning()
    waiting = asyncio.create_task(firewall.wait_for_external_change())
    held = HELD
    for number, sources in enumerate(([ALPHA], EVERYONE, [COUNTED, BOTH], EVERYONE)):
        wanted = state(sources, EVERYTHING | {"alpha": addresses(f"192.0.2.{number}")}, content_hash=f"{number:064x}")
        await firewall.apply(difference(held, wanted))
        assert (await firewall.verify(wanted)).sound
        nft("flush", "ruleset")
        assert (await firewall.verify(wanted)).sound
        held = wanted
    assert not waiting.done()
    waiting.cancel()
    await firewall.teardown()
    assert nft("list", "ruleset") == ""
    await firewall.close()


@in_network_namespace
async def test_bans_outlive_the_process_and_the_next_one_takes_them_over() -> None:
    first = await owning()
    await first.close()
    second = NftablesFirewall(Ownership.YES)
    assert (await second.verify(HELD)).sound
    waiting = asyncio.create_task(second.wait_for_external_change())
    await asyncio.wait([waiting], timeout=0.1)
    nft("flush", "ruleset")
    assert (await second.verify(HELD)).sound
    waiting.cancel()
    await second.close()


@in_network_namespace
async def test_second_daemon_learns_who_owns_the_table() -> None:
    first = await owning()
    for ownership in Ownership:
        second = NftablesFirewall(ownership)
        assert (await second.verify(HELD)).sound
        for change in (difference(None, HELD), difference(HELD, state([ALPHA], EVERYTHING))):
            with pytest.raises(FirewallError, match="another process owns table inet banlistd"):
                await second.apply(change)
        with pytest.raises(FirewallError, match="another process owns table inet banlistd"):
            await second.teardown()
        await second.close()
    assert (await first.verify(HELD)).sound
    await first.close()


@in_network_namespace
async def test_table_without_an_owner_stays_without_one() -> None:
    plain = NftablesFirewall(Ownership.NO)
    await plain.apply(difference(None, HELD))
    await plain.close()
    firewall = NftablesFirewall(Ownership.YES)
    wanted = state([ALPHA], EVERYTHING)
    await firewall.apply(difference(HELD, wanted))
    assert (await firewall.verify(wanted)).sound
    assert "flags" not in nft("list", "table", "inet", "banlistd").partition("map")[0]
    await firewall.close()


@in_network_namespace
async def test_an_orphan_serves_a_daemon_that_wants_no_ownership() -> None:
    await (await owning()).close()
    firewall = NftablesFirewall(Ownership.NO)
    wanted = state([ALPHA], EVERYTHING)
    await firewall.apply(difference(HELD, wanted))
    assert (await firewall.verify(wanted)).sound
    await firewall.teardown()
    assert nft("list", "ruleset") == ""
    await firewall.close()


@pytest.mark.parametrize("owned", [True, False])
@in_network_namespace
def test_auto_asks_nft_whether_it_knows_the_flags(owned: bool) -> None:
    with NetlinkSocket() as wire:
        try:
            assert found(wire, Ownership.YES, bool)
        except FirewallError as error:
            pytest.skip(error.message)
        wire.reopen()
        nft("flush", "ruleset")
        assert found(wire, Ownership.AUTO, lambda: owned) is owned
        flags = [int.from_bytes(table[2], "big") for table in wire.dump(1, text_attribute(1, "banlistd"))]
        assert flags == ([OWNED] if owned else [])


@in_network_namespace
def test_asking_nft_leaves_nothing_behind() -> None:
    with NetlinkSocket() as wire:
        before = wire.generation()
        nft_knows_the_flags()
        assert (nft("list", "ruleset"), wire.generation()) == ("", before)
