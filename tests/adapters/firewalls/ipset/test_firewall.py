"""The ipset backend keeps the contract on the real kernel, under both kinds of iptables, and what only it promises."""

import asyncio
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from adapters.firewalls.contract import (
    ALPHA,
    BETA,
    BOTH,
    COUNTED,
    DROP,
    HOSTS4,
    LOGGED,
    MIXED,
    AfterKill,
    Counting,
    FirewallContract,
    Promises,
    RangeForm,
    Story,
    addresses,
    large,
    owner,
    state,
)
from banlistd.adapters.firewalls.ipset.firewall import IpsetFirewall
from banlistd.adapters.netlink import wire
from banlistd.backends import BackendName
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState
from banlistd.errors import FirewallError
from banlistd.model import Action
from support.ipset_host import Iptables, command, ipset, members, set_names
from support.network_namespace import NetworkNamespace, in_network_namespace

EVERYONE = [ALPHA, BETA, DROP, LOGGED, COUNTED, BOTH]
EVERYTHING = {str(source.source_id): MIXED for source in EVERYONE}
VARIANTS = pytest.mark.parametrize("iptables", [Iptables("nft"), Iptables("legacy")], ids=lambda iptables: iptables.variant)
NFT = Iptables("nft")


class OnIptables(FirewallContract):
    backend = BackendName.IPSET
    promises = Promises(AfterKill.OLD_OR_NEW, Counting.BY_SOURCE, RangeForm.NETWORKS)
    iptables = Iptables("")

    def run(self, story: Story) -> None:
        with NetworkNamespace() as namespace:
            namespace.run(self.iptables.skip_if_missing)
            namespace.run(partial(_tell, story, self.iptables))

    def traces(self) -> object:
        return set_names(), self.iptables.saved()


class TestOnIptablesNft(OnIptables):
    iptables = Iptables("nft")
    arguments = ("nft",)


class TestOnIptablesLegacy(OnIptables):
    iptables = Iptables("legacy")
    arguments = ("legacy",)


async def _tell(story: Story, iptables: Iptables) -> None:
    firewall = IpsetFirewall(iptables.variant)
    try:
        await story(firewall)
    finally:
        await firewall.close()


async def firewall_with(held: FirewallState, iptables: Iptables = NFT) -> IpsetFirewall:
    iptables.skip_if_missing()
    firewall = IpsetFirewall(iptables.variant)
    await firewall.apply(difference(None, held))
    return firewall


@in_network_namespace
async def test_ipset_prints_what_a_person_can_read() -> None:
    contents = {"alpha": addresses("192.0.2.1", "198.51.100.0/24", "2001:db8::1"), "drop": addresses("192.0.2.2")}
    firewall = await firewall_with(state([ALPHA, DROP], contents, allowed=["203.0.113.0/25"]))
    assert members("banlistd-hosts4") == ["192.0.2.1 packets 1", "192.0.2.2 packets 3"]
    assert members("banlistd-nets4") == ["198.51.100.0/24 packets 1"]
    assert members("banlistd-hosts6") == ["2001:db8::1 packets 1"]
    assert members("banlistd-allowed4") == ["203.0.113.0/25"]
    assert f'0.0.0.1 comment "v1 alpha sha256={"a" * 64} 0123456789abcdef"' in members("banlistd-applied")
    assert [line for line in members("banlistd-applied") if "hosts4 2 of 65536" in line]
    await firewall.close()


@VARIANTS
@in_network_namespace
async def test_rules_are_in_raw_and_in_filter_only_if_they_must(iptables: Iptables) -> None:
    iptables.skip_if_missing()
    firewall = await firewall_with(state([ALPHA], {"alpha": MIXED}), iptables)
    saved = iptables.saved()
    for program, version in (("iptables", 4), ("ip6tables", 6)):
        assert f"{program} *raw -A PREROUTING -j banlistd-in" in saved
        looks_up = f"-A banlistd-in -m set --match-set banlistd-hosts{version} src ! --update-counters -g banlistd-in-hosts"
        assert f"{program} *raw {looks_up}" in saved
        assert f"{program} *raw -A banlistd-from-1 -m comment --comment alpha -j DROP" in saved
    assert not [line for line in saved if "*filter" in line]
    await firewall.close()


@in_network_namespace
async def test_an_empty_change_and_a_look_leave_everything_alone() -> None:
    held = state(EVERYONE, EVERYTHING)
    firewall = await firewall_with(held)
    before = ipset("save", "-s"), NFT.saved()
    await firewall.apply(difference(held, held))
    assert (await firewall.verify(held)).sound
    assert await firewall.markers() == held.markers
    assert (ipset("save", "-s"), NFT.saved()) == before
    await firewall.close()


@in_network_namespace
async def test_a_changed_element_of_many_is_written_in_place() -> None:
    held = large(0)
    firewall = await firewall_with(held)
    assert "maxelem 120000" in ipset("list", "-t", "banlistd-hosts4")
    content = AddressSet.of(held.map_entries[HOSTS4].first[1:])
    await firewall.apply(difference(held, state([ALPHA], {"alpha": content})))
    # Made anew, it would be as large as it must be, and not as it was for one more.
    after = ipset("list", "-t", "banlistd-hosts4")
    assert "maxelem 120000" in after
    assert "Number of entries: 59999" in after
    await firewall.close()


@in_network_namespace
async def test_a_set_that_is_outgrown_is_made_anew_and_the_rules_look_into_it() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    rules = NFT.saved()
    more = state([ALPHA], {"alpha": AddressSet.of(np.arange(1, 70_001, dtype=np.uint32) * np.uint32(7))})
    await firewall.apply(difference(held, more))
    assert (await firewall.verify(more)).sound
    assert "maxelem 140000" in ipset("list", "-t", "banlistd-hosts4")
    assert "References: 2" in ipset("list", "-t", "banlistd-hosts4")
    assert NFT.saved() == rules
    await firewall.close()


@in_network_namespace
async def test_a_million_hosts() -> None:
    empty = state([ALPHA], {})
    firewall = await firewall_with(empty)
    held = state([ALPHA], {"alpha": AddressSet.of(np.arange(1, 1_000_001, dtype=np.uint32) * np.uint32(4099))})
    assert await firewall.apply(difference(empty, held)) == 1_000_000
    assert "Number of entries: 1000000" in ipset("list", "-t", "banlistd-hosts4")
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_a_change_that_fits_into_no_send_buffer_is_gathered_and_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    held, wanted = large(0), large(1)
    firewall = await firewall_with(held)
    # As in a user namespace, where no larger buffer is given.
    monkeypatch.setattr(wire, "widen", lambda *_: None)
    await firewall.close()
    await firewall.apply(difference(held, wanted))
    assert (await firewall.verify(wanted)).sound
    assert await firewall.markers() == wanted.markers
    await firewall.close()


@VARIANTS
@in_network_namespace
async def test_more_owners_than_one_chain_asks_for_are_found_by_groups(iptables: Iptables) -> None:
    iptables.skip_if_missing()
    sources = [owner(7 * number, f"list-{number}", Action.DROP) for number in range(1, 41)]
    contents = {str(source.source_id): addresses(f"198.51.100.{source.mark % 250}") for source in sources}
    held = state(sources, contents)
    firewall = await firewall_with(held, iptables)
    saved = iptables.saved()
    for chain, rules in (("banlistd-in-hosts", 5), ("banlistd-in-hosts-0", 17), ("banlistd-in-hosts-2", 9)):
        assert len([line for line in saved if line.startswith(f"iptables *raw -A {chain} ")]) == rules
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_what_was_saved_and_restored_by_ipset_is_taken_for_ours() -> None:
    held = state(EVERYONE, EVERYTHING, allowed=["9.0.0.0/8"])
    firewall = await firewall_with(held)
    saved, rules, rules6 = ipset("save"), command("iptables-nft-save"), command("ip6tables-nft-save")
    await firewall.teardown()
    ipset("restore", given=saved)
    command("iptables-nft-restore", given=rules)
    command("ip6tables-nft-restore", given=rules6)
    assert await firewall.markers() == held.markers
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_a_cancelled_change_is_carried_out_whole() -> None:
    held, wanted = large(0), large(1)
    firewall = await firewall_with(held)
    task = asyncio.create_task(firewall.apply(difference(held, wanted)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The next one waits for the thread.
    assert {(await firewall.verify(wanted)).sound, (await firewall.verify(held)).sound} == {True, False}
    await firewall.close()


@in_network_namespace
async def test_an_id_or_a_mark_that_is_none_never_reaches_iptables() -> None:
    firewall = IpsetFirewall("nft")
    bad_ids = [owner(1, bad_id) for bad_id in ('x" -j ACCEPT', "Übel", "a\nCOMMIT", "", "-a", "A")]
    for bad in (*bad_ids, owner(70_000, "x"), owner(0, "x")):
        with pytest.raises(FirewallError, match="cannot"):
            await firewall.apply(difference(None, state([bad], {})))
    assert (set_names(), NFT.saved()) == ([], [])
    await firewall.close()


@in_network_namespace
async def test_a_missing_iptables_says_what_to_install_and_has_nothing_to_remove(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    firewall = IpsetFirewall()
    await firewall.teardown()
    with pytest.raises(FirewallError, match="install the iptables package"):
        await firewall.apply(difference(None, state([ALPHA], {})))
    await firewall.close()
