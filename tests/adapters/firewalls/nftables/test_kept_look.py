"""What was read of the table is read again after commits of other processes, and not after small ones of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from adapters.firewalls.holdings import ALPHA, BOTH, MIXED, addresses, owner, state
from adapters.firewalls.nftables.test_staging import holding, hosts
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.inspection import look_at, markers_of
from banlistd.adapters.firewalls.nftables.lookups.matching import NFTA_RULE_CHAIN
from banlistd.adapters.firewalls.nftables.set_chains import wanted_chains
from banlistd.adapters.firewalls.nftables.sets import APPLIED
from banlistd.adapters.netlink.messages import (
    NFPROTO_INET,
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETRULE,
    NFT_MSG_GETSETELEM,
    attributes,
    text_attribute,
)
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState
from banlistd.scopes.scope import Scope
from support.network_namespace import in_network_namespace, nft

_NAMED = text_attribute(2, APPLIED)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of all sources: chains, rules, markers."""
    found: list[str] = []
    dump = NetlinkSocket.dump

    def dumped(
        self: NetlinkSocket, kind: int, body: bytes, family: int = NFPROTO_INET, having: bytes = b""
    ) -> Sequence[Mapping[int, bytes]]:
        found.extend(["chains"] if kind == NFT_MSG_GETCHAIN else [])
        found.extend(["rules"] if kind == NFT_MSG_GETRULE and NFTA_RULE_CHAIN not in attributes(body) else [])
        found.extend(["markers"] if kind == NFT_MSG_GETSETELEM and _NAMED in body else [])
        return dump(self, kind, body, family, having)

    monkeypatch.setattr(NetlinkSocket, "dump", dumped)
    return found


async def _step(firewall: NftablesFirewall, before: FirewallState, wanted: FirewallState) -> None:
    """As an import does it."""
    assert {*await firewall.markers()} == {*before.markers}
    assert (await firewall.verify(before)).sound
    await firewall.apply(difference(before, wanted))


@in_network_namespace
async def test_of_thousands_of_sources_nothing_is_read_between_small_changes_of_our_own(read: list[str]) -> None:
    firewall = NftablesFirewall()
    states = [holding(hosts(20 + number), str(number)) for number in range(4)]
    await firewall.apply(difference(None, states[0]))
    await _step(firewall, states[0], states[1])
    assert {*read} == {"chains", "rules", "markers"}
    read.clear()
    for before, wanted in pairwise(states[1:]):
        await _step(firewall, before, wanted)
    assert {*await firewall.markers()} == {*states[3].markers}
    assert read == []
    with NetlinkSocket() as wire:
        assert markers_of(wire) == await firewall.markers()
        assert look_at(wire) == firewall._kept.at(wire, look_at)
    await firewall.close()


@in_network_namespace
async def test_after_a_commit_of_another_process_all_is_read_again(read: list[str]) -> None:
    firewall = NftablesFirewall()
    first, second = holding(hosts(20)), holding(hosts(21), "b")
    await firewall.apply(difference(None, first))
    await _step(firewall, first, second)
    for foreign, sound in (("add table inet other", True), ("flush chain inet banlistd from-alpha", False)):
        read.clear()
        nft(foreign)
        assert (await firewall.verify(second)).sound is sound
        assert await firewall.markers()
        assert {*read} == {"chains", "rules", "markers"}
    await firewall.apply(difference(second, second, await firewall.verify(second)))
    assert (await firewall.verify(second)).sound
    await firewall.close()


@in_network_namespace
async def test_a_source_that_becomes_empty_and_full_again_is_looked_up_again() -> None:
    firewall = NftablesFirewall()
    full, empty = holding(hosts(20)), holding(addresses(), "b")
    await firewall.apply(difference(None, full))
    for before, wanted in ((full, empty), (empty, full), (full, empty)):
        await _step(firewall, before, wanted)
        assert (await firewall.verify(wanted)).sound
    with NetlinkSocket() as wire:
        assert look_at(wire) == firewall._kept.at(wire, look_at)
    await firewall.close()


@in_network_namespace
async def test_the_lookups_that_we_wrote_are_taken_for_ours() -> None:
    """A kernel that listed a rule otherwise than it was written would have each of them written again and again."""
    sources = [ALPHA, BOTH, replace(owner(20, "scoped"), scope=Scope(ports=((22, 22),), protocols=("tcp",)), scope_number=1)]
    held = state(sources, dict.fromkeys(("alpha", "both", "scoped"), MIXED))
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))
    with NetlinkSocket() as wire:
        look = look_at(wire)
    wanted = {chain.name for chain in wanted_chains(sources, look.names, translated=True)}
    assert any(name.startswith("within-") for name in wanted)
    assert look.set_chains == wanted
    assert not look.copies
    await firewall.close()
