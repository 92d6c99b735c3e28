"""Whatever another process changes in our table is noticed, found wrong and repaired exactly; what we do, and what others do
elsewhere, is not.
"""

import asyncio
import subprocess
import sys
from collections.abc import Awaitable
from dataclasses import replace

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
    NETS4,
    addresses,
    owner,
    services,
    state,
)
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.structure import MARKED, RuleForm
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.errors import FirewallError
from banlistd.model import ExternalChange
from banlistd.scopes.scope import Scope
from support.network_namespace import in_network_namespace, nft, skip_without_large_buffers

EVERYONE = [ALPHA, BETA, DROP, LOGGED, COUNTED, BOTH]
EVERYTHING = {str(source.source_id): MIXED for source in EVERYONE}
HELD = state(EVERYONE, EVERYTHING, allowed=["9.0.0.0/8"], answers=services("198.51.100.1 udp 53", "2001:db8::1 tcp 443"))
# No test measures it: it ends one that would wait for ever.
PATIENCE = 60.0


async def firewall_with(held: FirewallState) -> NftablesFirewall:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))
    return firewall


def generation() -> int:
    with NetlinkSocket() as wire:
        return wire.generation()


def listing() -> str:
    """The ruleset; its chains and sets may stand in another order after a repair."""
    blocks = nft("-s", "list", "ruleset").split("\n\n")
    return "\n".join(sorted(line for block in blocks for line in block.splitlines()))


async def next_change(firewall: NftablesFirewall) -> ExternalChange:
    async with asyncio.timeout(PATIENCE):
        return await firewall.wait_for_external_change()


async def is_quiet(waiting: Awaitable[ExternalChange]) -> bool:
    """Whether there is no report, once notices that are there have been read: the kernel queues them before nft returns."""
    task = asyncio.ensure_future(waiting)
    done, _ = await asyncio.wait([task], timeout=0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return not done


FOREIGN_CHANGES = {
    "the ruleset was flushed": "flush ruleset",
    "the table was deleted": "delete table inet banlistd",
    "the table was put to sleep": "add table inet banlistd { flags dormant; }",
    "a chain was deleted": "flush chain inet banlistd inbound; delete chain inet banlistd inbound",
    "a chain was hooked elsewhere": "flush chain inet banlistd inbound; delete chain inet banlistd inbound; "
    "add chain inet banlistd inbound { type filter hook input priority 7; }; add rule inet banlistd inbound iif lo return; "
    "add rule inet banlistd inbound jump lookup-in",
    "a chain was emptied": "flush chain inet banlistd banned",
    "a rule was exchanged": "flush chain inet banlistd from-alpha; add rule inet banlistd from-alpha accept",
    "the lookups were exchanged": "flush chain inet banlistd forwarded; add rule inet banlistd forwarded accept",
    "a rule came": "insert rule inet banlistd inbound accept",
    "rules have changed places": "flush chain inet banlistd outbound; "
    + "".join(f"add rule inet banlistd outbound {rule}; " for rule in ("jump lookup-out", "jump asked", "oif lo return")),
    "a jump leads elsewhere": "flush chain inet banlistd forwarded; add rule inet banlistd forwarded jump asked",
    "what is found in a map is accepted": "flush chain inet banlistd hosts4; "
    "add rule inet banlistd hosts4 meta mark set ip saddr map @hosts4 accept",
    "the other end is looked up": "flush chain inet banlistd nets6; "
    "add rule inet banlistd nets6 meta mark set ip6 daddr map @nets6 goto banned",
    "an element is gone": "delete element inet banlistd hosts4 { 198.51.100.1 }",
    "an element was exchanged": "delete element inet banlistd hosts4 { 198.51.100.1 }; "
    "add element inet banlistd hosts4 { 198.51.100.2 : 1 }",
    "an element has another owner": "delete element inet banlistd hosts6 { 2001:db8::1 }; "
    "add element inet banlistd hosts6 { 2001:db8::1 : 2 }",
    "a network was exchanged": "delete element inet banlistd nets4 { 203.0.113.0/24 }; "
    "add element inet banlistd nets4 { 192.0.2.0/24 : 1 }",
    "a map was emptied": "flush map inet banlistd nets6",
    "a service is gone": "flush set inet banlistd answers6",
    "a service was exchanged": "delete element inet banlistd answers4 { 198.51.100.1 . udp . 53 }; "
    "add element inet banlistd answers4 { 198.51.100.1 . udp . 54 }",
    "answers are no longer asked for": "flush chain inet banlistd answers",
    "a program that knew no answers wrote the table": "flush chain inet banlistd banned; add rule inet banlistd banned drop; "
    "flush chain inet banlistd answers; delete chain inet banlistd answers; flush chain inet banlistd outbound; "
    "flush chain inet banlistd marked-answers; "
    "add rule inet banlistd outbound jump lookup-out; flush chain inet banlistd asked; delete chain inet banlistd asked; "
    "delete set inet banlistd answers4; delete set inet banlistd answers6",
    "everything answers": "insert rule inet banlistd answers accept",
    "a watching source is gone from the map of marks": "flush map inet banlistd watching",
    "a watching source has another chain": "delete element inet banlistd watching { 4 }; "
    "add element inet banlistd watching { 4 : goto from-counted }",
    "a program that knew no marks of others wrote the table": "".join(
        f"flush chain inet banlistd {name}; " for name in ("lookup-in", "lookup-out", "within-nat64", "within-6to4", *MARKED)
    )
    + "".join(f"delete chain inet banlistd {name}; " for name in MARKED)
    + "delete map inet banlistd watching",
    "what is asked was exchanged": "flush chain inet banlistd asked; add rule inet banlistd asked accept; "
    "add rule inet banlistd asked accept",
    "a counter is gone": "flush chain inet banlistd from-alpha; delete counter inet banlistd from-alpha",
    "the map of marks is of another type": "".join(f"flush chain inet banlistd {name}; " for name in MARKED)
    + "delete map inet banlistd watching; add set inet banlistd watching { type ipv4_addr; }",
    **{
        f"{name} was hooked": f"flush table inet banlistd; delete chain inet banlistd {name}; "
        f"add chain inet banlistd {name} {{ type filter hook prerouting priority 0; }}"
        for name in ("banned", "from-alpha", "hosts4")
    },
    "allowed networks are gone": "flush set inet banlistd allowed4",
    "an allowed network was exchanged": "flush set inet banlistd allowed4; add element inet banlistd allowed4 { 8.0.0.0/8 }",
}


@pytest.mark.parametrize("what", FOREIGN_CHANGES)
@in_network_namespace
async def test_a_foreign_change_is_noticed_and_repaired_exactly(what: str) -> None:
    firewall = await firewall_with(HELD)
    before = listing()
    assert await is_quiet(firewall.wait_for_external_change())
    nft(FOREIGN_CHANGES[what])
    change_seen = await next_change(firewall)
    assert change_seen.ours
    assert change_seen.culprit.startswith("nft[")
    verdict = await firewall.verify(HELD)
    assert not verdict.sound
    assert await firewall.verify(HELD) == verdict
    present = HELD if await firewall.markers() else state(EVERYONE, {})
    await firewall.apply(difference(present, HELD, await firewall.verify(present)))
    assert (await firewall.verify(HELD)).sound
    assert await firewall.markers() == HELD.markers
    assert listing() == before
    assert await is_quiet(firewall.wait_for_external_change())
    await firewall.close()


@pytest.mark.parametrize("chain", ["banned", "hosts4", "inbound", "lookup-in", "from-beta", "answers"])
@in_network_namespace
async def test_a_chain_that_another_program_renames_is_written_anew(chain: str) -> None:
    firewall = await firewall_with(HELD)
    before = listing()
    nft(f"rename chain inet banlistd {chain} renamed")
    for _ in range(2):
        verdict = await firewall.verify(HELD)
        assert verdict.structure
        await firewall.apply(difference(HELD, HELD, verdict))
        assert (await firewall.verify(HELD)).sound
        nft("flush chain inet banlistd from-alpha")
    await firewall.apply(difference(HELD, HELD, await firewall.verify(HELD)))
    rest = nft("-s", "list", "ruleset").split("\n\n")
    assert sorted(line for block in rest if "chain renamed {" not in block for line in block.splitlines()) == before.split("\n")
    assert ("chain renamed {" in "".join(rest)) is (chain != "inbound")
    await firewall.close()


@pytest.mark.parametrize(
    "rule",
    [
        *(f"jump {name}" for name in ("out_hosts4", "lookup-out", "scope1_in_hosts4", "scoped-1-in")),
        "meta mark set ip daddr map @out_hosts4 accept",
    ],
)
@in_network_namespace
async def test_a_lookup_that_a_foreign_rule_uses_goes_as_far_as_it_can(rule: str) -> None:
    scoped = replace(owner(20, "scoped"), scope=Scope(ports=((22, 22),), protocols=("tcp",)), scope_number=1)
    before = state([*EVERYONE, scoped], {**EVERYTHING, "scoped": MIXED}, allowed=["9.0.0.0/8"])
    firewall = await firewall_with(before)
    nft(f"add chain inet banlistd mine; add rule inet banlistd mine {rule}")
    after = state([ALPHA], EVERYTHING, allowed=["9.0.0.0/8"])
    await firewall.apply(difference(before, after, await firewall.verify(before)))
    verdict = await firewall.verify(after)
    if not verdict.sound:  # a look at what the foreign rule has led to may repair it
        await firewall.apply(difference(after, after, verdict))
    assert (await firewall.verify(after)).sound
    left = nft("-s", "list", "table", "inet", "banlistd")
    assert ("map out_" in left) is ("@" in rule)
    assert "map scope" not in left
    await firewall.apply(difference(after, before))
    assert (await firewall.verify(before)).sound
    await firewall.close()


@in_network_namespace
async def test_only_the_map_that_was_touched_is_written_anew() -> None:
    firewall = await firewall_with(HELD)
    nft("delete element inet banlistd hosts4 { 198.51.100.1 }; add element inet banlistd hosts4 { 198.51.100.1 : 1 }")
    assert await firewall.verify(HELD) == Verification(structure=False, maps=frozenset({HOSTS4}))
    assert await firewall.apply(difference(HELD, HELD, await firewall.verify(HELD))) == len(HELD.map_entries[HOSTS4])
    assert (await firewall.verify(HELD)).sound
    await firewall.close()


@in_network_namespace
async def test_what_was_touched_stays_wrong_until_it_is_written_anew() -> None:
    firewall = await firewall_with(HELD)
    nft("delete element inet banlistd nets4 { 203.0.113.0/24 }; add element inet banlistd nets4 { 203.0.113.0/24 : 1 }")
    first = await firewall.verify(HELD)
    other = state(EVERYONE, EVERYTHING, allowed=["9.0.0.0/8"], content_hash="b" * 64)
    await firewall.apply(difference(HELD, other))
    assert await firewall.verify(other) == first == Verification(structure=False, maps=frozenset({NETS4}))
    await firewall.close()


@in_network_namespace
async def test_our_own_changes_are_never_reported() -> None:
    firewall = await firewall_with(HELD)
    waiting = asyncio.create_task(firewall.wait_for_external_change())
    held = HELD
    for number, sources in enumerate(([ALPHA], EVERYONE, [COUNTED, BOTH], EVERYONE)):
        wanted = state(sources, EVERYTHING | {"alpha": addresses(f"192.0.2.{number}")}, content_hash=f"{number:064x}")
        await firewall.apply(difference(held, wanted))
        assert (await firewall.verify(wanted)).sound
        held = wanted
    await firewall.teardown()
    await firewall.apply(difference(None, held))
    assert await is_quiet(asyncio.shield(waiting))
    assert (await firewall.verify(held)).sound
    waiting.cancel()
    await firewall.close()


@in_network_namespace
async def test_changes_of_other_tables_are_no_business_of_ours() -> None:
    firewall = await firewall_with(HELD)
    waiting = asyncio.create_task(firewall.wait_for_external_change())
    before = generation()
    nft("add table inet other; add chain inet other banlistd; add set inet other s { type ipv4_addr; }")
    nft("add table ip banlistd; add set ip banlistd hosts4 { type ipv4_addr; }; add element ip banlistd hosts4 { 1.1.1.1 }")
    nft("delete table inet other; delete table ip banlistd")
    assert await is_quiet(asyncio.shield(waiting))
    assert (await firewall.verify(HELD)).sound
    assert generation() == before + 3
    waiting.cancel()
    await firewall.close()


@in_network_namespace
async def test_what_others_keep_in_our_table_is_theirs() -> None:
    firewall = await firewall_with(HELD)
    nft("add chain inet banlistd mine; add rule inet banlistd mine accept; add set inet banlistd own { type ipv4_addr; }")
    assert (await firewall.verify(HELD)).sound
    await firewall.close()


@in_network_namespace
async def test_lost_notices_count_as_a_change() -> None:
    skip_without_large_buffers()  # nft's own, for the foreign load
    firewall = NftablesFirewall(receive_buffer=4096)
    await firewall.apply(difference(None, HELD))
    nft("add table inet other; add set inet other s { type ipv4_addr; }")
    assert await is_quiet(firewall.wait_for_external_change())
    elements = ", ".join(f"10.{n >> 8}.{n & 255}.1" for n in range(20_000))
    stolen = "delete element inet banlistd hosts4 { 198.51.100.1 }"
    nft("-f", "/dev/stdin", given=f"add element inet other s {{ {elements} }}\n{stolen}\n")
    assert await next_change(firewall) == ExternalChange()
    verdict = await firewall.verify(HELD)
    assert HOSTS4 in verdict.maps
    await firewall.apply(difference(HELD, HELD, verdict))
    assert (await firewall.verify(HELD)).sound
    nft("add element inet banlistd hosts4 { 1.1.1.1 : 1 }")
    assert (await next_change(firewall)).culprit.startswith("nft[")
    await firewall.close()


@in_network_namespace
async def test_an_exchange_in_a_large_map_is_noticed_though_numbers_fit() -> None:
    content = AddressSet.of(np.arange(50_000, dtype=np.uint32) * np.uint32(4099))
    held = state([ALPHA], {"alpha": content})
    firewall = await firewall_with(held)
    nft("delete element inet banlistd hosts4 { 0.0.16.3 }; add element inet banlistd hosts4 { 0.0.16.4 : 1 }")
    await next_change(firewall)
    assert await firewall.verify(held) == Verification(structure=False, maps=frozenset({HOSTS4}))
    await firewall.apply(difference(held, held, await firewall.verify(held)))
    assert "0.0.16.3 :" in nft("get", "element", "inet", "banlistd", "hosts4-b", "{ 0.0.16.3 }")
    await firewall.close()


@in_network_namespace
async def test_a_change_between_our_own_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    firewall = await firewall_with(HELD)
    one = "banlistd.adapters.firewalls.nftables.changing.applying.settlement"

    def meddling(*_: object, form: RuleForm) -> str:
        nft("delete element inet banlistd hosts4 { 198.51.100.1 }")
        return ""

    monkeypatch.setattr(one, meddling)
    wanted = state([ALPHA], EVERYTHING, allowed=["9.0.0.0/8"])
    await firewall.apply(difference(HELD, wanted))
    assert await next_change(firewall) == ExternalChange()
    assert HOSTS4 in (await firewall.verify(wanted)).maps
    await firewall.close()


@in_network_namespace
async def test_a_change_that_our_own_repairs_before_it_is_asked_for_is_reported_all_the_same() -> None:
    firewall = await firewall_with(HELD)
    assert await is_quiet(firewall.wait_for_external_change())
    nft("flush ruleset")
    await firewall.apply(difference(None, HELD))
    assert (await firewall.verify(HELD)).sound
    assert (await next_change(firewall)).culprit.startswith("nft[")
    assert (await firewall.verify(HELD)).sound
    assert await is_quiet(firewall.wait_for_external_change())
    await firewall.close()


@in_network_namespace
async def test_two_writers_see_each_other() -> None:
    one = await firewall_with(HELD)
    other = NftablesFirewall()
    assert (await other.verify(HELD)).sound
    changed = state(EVERYONE, EVERYTHING | {"alpha": addresses("192.0.2.1")}, allowed=["9.0.0.0/8"], content_hash="b" * 64)
    await other.apply(difference(HELD, changed))
    assert (await next_change(one)).ours
    assert await is_quiet(other.wait_for_external_change())
    await one.apply(difference(changed, HELD, await one.verify(changed)))
    assert (await next_change(other)).ours
    assert (await one.verify(HELD)).sound
    await one.close()
    await other.close()


@in_network_namespace
async def test_a_wait_that_is_given_up_loses_nothing() -> None:
    firewall = await firewall_with(HELD)
    for _ in range(3):
        assert await is_quiet(firewall.wait_for_external_change())
    nft("flush map inet banlistd nets4")
    assert (await next_change(firewall)).ours
    await firewall.close()


@in_network_namespace
async def test_bans_work_without_a_monitor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("banlistd.adapters.netlink.nft_monitor.NFNLGRP_NFTABLES", 4711)
    firewall = await firewall_with(HELD)
    with pytest.raises(FirewallError, match="cannot listen for changes"):
        await firewall.wait_for_external_change()
    nft("flush map inet banlistd nets4")
    assert await firewall.verify(HELD) == Verification(structure=False, maps=frozenset({NETS4}))
    await firewall.close()


# Only notices show an exchange of elements, or of fields of a packet, that keeps their number.
EXCHANGES = {
    "the other end is looked up",
    "an allowed network was exchanged",
    "a watching source has another chain",
}


@pytest.mark.parametrize("what", sorted(FOREIGN_CHANGES.keys() - EXCHANGES))
@in_network_namespace
async def test_what_was_found_sound_is_looked_at_anew_after_a_change_that_was_not_heard(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banlistd.adapters.netlink.nft_monitor.NFNLGRP_NFTABLES", 4711)
    firewall = await firewall_with(HELD)
    assert (await firewall.verify(HELD)).sound
    assert (await firewall.verify(HELD)).sound
    nft(FOREIGN_CHANGES[what])
    assert not (await firewall.verify(HELD)).sound
    assert not (await firewall.verify(HELD)).sound
    await firewall.close()


RENAMED = """
import sys
from banlistd.adapters.firewalls.nftables.sets import table_body
from banlistd.adapters.netlink.messages import NFT_MSG_DELTABLE, NLM_F_ACK, Batch
from banlistd.adapters.netlink.socket import NetlinkSocket
with open("/proc/self/comm", "w") as comm:
    comm.write("a\\n\\x1b[2Jb")
batch = Batch(None)
batch.add(NFT_MSG_DELTABLE, NLM_F_ACK, table_body(None))
batch.end()
with NetlinkSocket() as wire:
    wire.commit(batch)
"""


@in_network_namespace
async def test_a_culprit_with_a_hostile_name_is_printable() -> None:
    firewall = await firewall_with(HELD)
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", RENAMED], check=True)
    assert done.returncode == 0
    culprit = (await next_change(firewall)).culprit
    assert culprit.isprintable()
    assert culprit.startswith("a??[2Jb[")
    await firewall.close()


@in_network_namespace
async def test_of_many_culprits_some_are_named() -> None:
    firewall = await firewall_with(HELD)
    for number in range(1, 7):
        nft("add", "element", "inet", "banlistd", "hosts4", f"{{ 7.0.0.{number} : 1 }}")
    assert (await next_change(firewall)).culprit.count("nft[") == 3
    assert await is_quiet(firewall.wait_for_external_change())
    await firewall.close()
