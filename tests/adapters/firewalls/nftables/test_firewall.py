"""The nftables backend keeps the contract on the real kernel, and what only it promises."""

import asyncio
import re
import threading
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
    NETS4,
    AfterKill,
    Counting,
    FirewallContract,
    Promises,
    RangeForm,
    Story,
    addresses,
    owner,
    state,
)
from banlistd.adapters.firewalls.nftables.changing.batch import compose
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.structure import RuleForm
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.backends import BackendName
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.errors import FirewallError, StaleGenerationError
from support.network_namespace import NetworkNamespace, in_network_namespace, nft

EVERYONE = [ALPHA, BETA, DROP, LOGGED, COUNTED, BOTH]
EVERYTHING = {str(source.source_id): MIXED for source in EVERYONE}


class TestNftablesFirewall(FirewallContract):
    promises = Promises(AfterKill.OLD_OR_NEW, Counting.BY_SOURCE, RangeForm.RANGES)
    backend = BackendName.NFTABLES

    def traces(self) -> str:
        return nft("list", "ruleset")

    def run(self, story: Story) -> None:
        with NetworkNamespace() as namespace:
            namespace.run(partial(_tell, story))


async def _tell(story: Story) -> None:
    firewall = NftablesFirewall()
    try:
        await story(firewall)
    finally:
        await firewall.close()


def generation() -> int:
    with NetlinkSocket() as wire:
        return wire.generation()


async def firewall_with(held: FirewallState) -> NftablesFirewall:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))
    return firewall


@in_network_namespace
async def test_an_empty_change_leaves_the_generation_alone() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    before = generation()
    await firewall.apply(difference(held, held))
    assert (await firewall.verify(held)).sound
    assert generation() == before
    await firewall.close()


@in_network_namespace
async def test_changed_elements_and_their_marker_are_one_transaction() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    before = generation()
    await firewall.apply(difference(held, state([ALPHA], {"alpha": addresses("9.9.9.9")}, content_hash="b" * 64)))
    assert generation() == before + 1
    await firewall.close()


@pytest.mark.parametrize("translated", [True, False])
@in_network_namespace
async def test_a_listed_ruleset_loads_again(tmp_path: Path, translated: bool) -> None:
    held = state(EVERYONE, EVERYTHING | {"logged": addresses("192.0.2.99")}, allowed=["1.2.0.0/16", "2001:db8::/64"])
    firewall = NftablesFirewall(translated=translated)
    await firewall.apply(difference(None, held))
    listing = nft("list", "ruleset")
    saved = tmp_path / "saved.nft"
    saved.write_text(listing, encoding="utf-8")
    nft("flush", "ruleset")
    nft("-f", str(saved))
    await firewall.close()
    assert nft("list", "ruleset") == listing
    firewall = NftablesFirewall(translated=translated)
    assert await firewall.markers() == held.markers
    # What nft cannot write is written again, and nothing else.
    verdict = await firewall.verify(held)
    assert verdict == Verification(structure=True)
    assert await firewall.apply(difference(held, held, verdict)) == 0
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_more_than_a_thousand_sources_fit_into_one_change() -> None:
    sources = [owner(number, f"list-{number}") for number in range(1, 1_101)]
    held = state(
        sources, {f"list-{source.mark}": addresses(f"203.0.{source.mark >> 8}.{source.mark & 255}") for source in sources}
    )
    firewall = await firewall_with(held)
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_nft_prints_what_a_person_can_read() -> None:
    firewall = await firewall_with(state([ALPHA, DROP], {"alpha": addresses("192.0.2.1", "198.51.100.0/24")}))
    listing = nft("list", "table", "inet", "banlistd")
    for line in (
        "type ipv4_addr : mark",
        "elements = { 192.0.2.1 : 0x00000001 }",
        "elements = { 198.51.100.0/24 : 0x00000001 }",
        "meta mark set ip saddr map @hosts4 goto banned",
        "meta mark vmap { 0x00000001 : jump from-alpha, 0x00000003 : jump from-drop }",
        'counter name "from-alpha" drop',
        f'0x00000001 comment "v1 alpha sha256={"a" * 64} 0123456789abcdef" : 0x00000001',
    ):
        assert line in listing
    await firewall.close()


@in_network_namespace
async def test_a_removed_source_leaves_no_chain_and_no_counter() -> None:
    held = state([ALPHA, LOGGED, COUNTED], EVERYTHING)
    firewall = await firewall_with(held)
    await firewall.apply(difference(held, state([ALPHA], EVERYTHING)))
    listing = nft("list", "ruleset")
    assert "from-alpha" in listing
    for word in ("from-logged", "from-counted", "watch", "out_", "outbound", "lookup-out"):
        assert word not in listing
    await firewall.close()


@in_network_namespace
async def test_foreign_chain_in_our_table_is_left_alone() -> None:
    held = state([ALPHA, BETA], EVERYTHING)
    firewall = await firewall_with(held)
    nft("add", "chain", "inet", "banlistd", "mine")
    await firewall.apply(difference(held, state([ALPHA], EVERYTHING)))
    assert "chain mine" in nft("list", "ruleset")
    await firewall.close()


@in_network_namespace
async def test_a_rule_of_another_program_that_jumps_to_a_removed_source_is_no_obstacle() -> None:
    held, fewer = state([ALPHA, BETA], EVERYTHING), state([ALPHA], EVERYTHING)
    firewall = await firewall_with(held)
    nft("add chain inet banlistd mine; add rule inet banlistd mine jump from-beta")
    await firewall.apply(difference(held, fewer))
    assert (await firewall.verify(fewer)).sound
    listed = nft("list", "chain", "inet", "banlistd", "from-beta")
    assert " ".join(listed.split()) == "table inet banlistd { chain from-beta { } }"
    nft("flush chain inet banlistd mine")
    await firewall.apply(difference(fewer, held))
    await firewall.apply(difference(held, fewer))
    assert "from-beta" not in nft("list", "ruleset")
    assert (await firewall.verify(fewer)).sound
    await firewall.close()


@in_network_namespace
async def test_a_map_that_is_outgrown_is_rebuilt_with_its_rules() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    rules = nft("list", "chain", "inet", "banlistd", "lookup-in")
    assert all(f"jump {name}\n" in rules for name in ("hosts4", "nets4", "hosts6", "nets6"))
    more = state([ALPHA], {"alpha": AddressSet.of(np.arange(70_000, dtype=np.uint32) * np.uint32(7))})
    await firewall.apply(difference(held, more))
    assert (await firewall.verify(more)).sound
    rules = nft("list", "chain", "inet", "banlistd", "lookup-in")
    assert re.findall("jump (.*[46].*)", rules) == ["hosts4-b"]  # the other maps are empty now
    assert "map @hosts4-b goto banned" in nft("list", "chain", "inet", "banlistd", "hosts4-b")
    assert "chain hosts4 {" not in nft("list", "ruleset")
    assert nft("list", "maps").count("map hosts4") == 1
    assert "size 98304" in nft("list", "maps")
    await firewall.close()


@in_network_namespace
async def test_no_rule_looks_into_a_map_that_nft_emptied() -> None:
    empty = state([ALPHA], {})
    firewall = await firewall_with(empty)
    # nft adds an element of its own before the first range, and leaves it behind.
    nft("add", "element", "inet", "banlistd", "nets4", "{ 203.0.113.0/24 : 1 }")
    nft("delete", "element", "inet", "banlistd", "nets4", "{ 203.0.113.0/24 : 1 }")
    await firewall.apply(difference(empty, state([ALPHA], {"alpha": addresses("198.51.100.1")})))
    assert re.findall("jump (.*[46].*)", nft("list", "chain", "inet", "banlistd", "lookup-in")) == ["hosts4"]
    await firewall.close()


@in_network_namespace
async def test_a_million_hosts_are_written_in_commits_of_ten_thousand() -> None:
    empty = state([ALPHA], {})
    firewall = await firewall_with(empty)
    content = AddressSet.of(np.arange(1_000_000, dtype=np.uint32) * np.uint32(4099))
    held = state([ALPHA], {"alpha": content})
    before = generation()
    assert await firewall.apply(difference(empty, held)) == 1_000_000
    made, filled, used, removed = 1, 100, 1, 1
    assert generation() == before + made + filled + used + removed
    assert (await firewall.verify(held)).sound
    await firewall.close()


FOREIGN_CHANGES = {
    "a host is missing": ("delete element inet banlistd hosts4 { 198.51.100.1 : 1 }", {HOSTS4}, False),
    "a network is missing": ("delete element inet banlistd nets4 { 203.0.113.0/24 : 1 }", {NETS4}, False),
    "a host came": ("add element inet banlistd hosts4 { 4.4.4.4 : 1 }", {HOSTS4}, False),
    "a map was emptied": ("flush map inet banlistd nets4", {NETS4}, False),
    "allowed networks are gone": ("flush set inet banlistd allowed4", set(), True),
    "a service came": ("add element inet banlistd answers4 { 198.51.100.1 . tcp . 22 }", set(), True),
    "a chain was emptied": ("flush chain inet banlistd from-alpha", set(), True),
    "the lookups are gone": ("flush chain inet banlistd lookup-in", set(), True),
    "a rule was put first": ("insert rule inet banlistd inbound accept", set(), True),
    "a chain drops what no rule drops": ("chain inet banlistd inbound { policy drop; }", set(), True),
    "another network is allowed": (
        "delete element inet banlistd allowed4 { 9.0.0.0/8 }; add element inet banlistd allowed4 { 11.0.0.0/8 }",
        set(),
        True,
    ),
}


@pytest.mark.parametrize("what", FOREIGN_CHANGES)
@in_network_namespace
async def test_a_foreign_change_is_found_and_repaired(what: str) -> None:
    command, maps, structure = FOREIGN_CHANGES[what]
    held = state([ALPHA], {"alpha": MIXED}, allowed=["9.0.0.0/8"])
    firewall = await firewall_with(held)
    nft(command)
    verdict = await firewall.verify(held)
    assert verdict == Verification(structure, frozenset(maps))
    await firewall.apply(difference(held, held, verdict))
    assert (await firewall.verify(held)).sound
    await firewall.close()


@pytest.mark.parametrize(
    "dormant",
    [
        "flush ruleset; add table inet banlistd { flags dormant; }",
        "add table inet banlistd { flags dormant; }; flush chain inet banlistd inbound; delete chain inet banlistd inbound",
    ],
    ids=["an empty table", "without its base chain"],
)
@in_network_namespace
async def test_a_dormant_table_without_chains_gets_them(dormant: str) -> None:
    """The kernel takes no base chain in the transaction that wakes the table up."""
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    nft(dormant)
    await firewall.apply(difference(held, held, await firewall.verify(held)))
    assert (await firewall.verify(held)).sound
    assert "dormant" not in nft("list", "ruleset")
    await firewall.close()


@pytest.mark.parametrize("what", FOREIGN_CHANGES)
@in_network_namespace
async def test_what_another_process_changed_while_the_daemon_was_down_is_found_at_the_start(what: str) -> None:
    command, maps, structure = FOREIGN_CHANGES[what]
    held = state([ALPHA], {"alpha": MIXED}, allowed=["9.0.0.0/8"])
    await (await firewall_with(held)).close()
    nft(command)
    firewall = NftablesFirewall()
    assert await firewall.verify(held) == Verification(structure, frozenset(maps))
    await firewall.apply(difference(held, held, await firewall.verify(held)))
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_a_flushed_ruleset_is_found_and_written_anew() -> None:
    held = state(EVERYONE, EVERYTHING)
    firewall = await firewall_with(held)
    nft("flush", "ruleset")
    assert await firewall.markers() == ()
    verdict = await firewall.verify(held)
    assert verdict == Verification(structure=True, maps=frozenset(held.map_entries))
    nothing = state(EVERYONE, {})
    await firewall.apply(difference(nothing, held, await firewall.verify(nothing)))
    assert (await firewall.verify(held)).sound
    assert await firewall.markers() == held.markers
    await firewall.close()


@in_network_namespace
async def test_a_change_of_elements_without_a_table_is_refused() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = NftablesFirewall()
    with pytest.raises(FirewallError, match="lacks"):
        await firewall.apply(difference(held, state([ALPHA], {"alpha": addresses("1.1.1.1")})))
    assert nft("list", "ruleset") == ""
    await firewall.close()


@in_network_namespace
async def test_a_marker_that_does_not_read_is_left_out() -> None:
    firewall = await firewall_with(state([ALPHA], {"alpha": MIXED}))
    nft('add element inet banlistd applied { 9 comment "v1 x sha256=short y" : 1, 10 : 1 }')
    assert [marker.mark for marker in await firewall.markers()] == [ALPHA.mark]
    await firewall.close()


@pytest.mark.parametrize(
    "elements",
    [
        ["add element inet banlistd applied { * : 1 }"],
        [
            "delete map inet banlistd applied",
            "add map inet banlistd applied { type ipv6_addr : mark; }",
            "add element inet banlistd applied { 2001:db8::1 : 1 }",
        ],
    ],
    ids=["an element for all marks", "a map of other keys"],
)
@in_network_namespace
async def test_what_has_no_mark_among_the_markers_is_no_obstacle(elements: list[str]) -> None:
    held = state([ALPHA], {"alpha": MIXED})
    await (await firewall_with(held)).close()
    nft("; ".join(elements))
    firewall = NftablesFirewall()
    markers = await firewall.markers()
    assert markers in (held.markers, ())
    present = held if markers else None
    await firewall.apply(difference(present, held, await firewall.verify(held)))
    assert await firewall.markers() == held.markers
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_a_rule_of_another_program_that_looks_into_a_map_stops_no_large_change() -> None:
    few = state([ALPHA], {"alpha": MIXED}, content_hash="0" * 64)
    firewall = await firewall_with(few)
    nft("add chain inet banlistd mine { type filter hook input priority 0; }")
    nft("add rule inet banlistd mine meta mark set ip saddr map @hosts4")
    present = few
    for turn in range(1, 5):
        many = AddressSet.of(np.arange(20_000, dtype=np.uint32) * np.uint32(7 + turn))
        wanted = state([ALPHA], {"alpha": many}, content_hash=f"{turn}" * 64)
        await firewall.apply(difference(present, wanted))
        assert (await firewall.verify(wanted)).sound
        present = wanted
    assert nft("list", "maps").count("map hosts4") == 2
    nft("flush chain inet banlistd mine")
    await firewall.apply(difference(present, few))
    await firewall.apply(difference(few, present))
    assert nft("list", "maps").count("map hosts4") == 1
    await firewall.close()


@in_network_namespace
async def test_foreign_table_stays() -> None:
    nft("add", "table", "inet", "other")
    firewall = await firewall_with(state([ALPHA], {"alpha": MIXED}))
    await firewall.teardown()
    assert nft("list", "ruleset") == "table inet other {\n}\n"
    await firewall.close()


@in_network_namespace
async def test_foreign_write_causes_a_new_look(monkeypatch: pytest.MonkeyPatch) -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    wanted = state([ALPHA], {"alpha": addresses("9.9.9.9")})
    meddled = _meddle(monkeypatch, times=2)
    await firewall.apply(difference(held, wanted))
    assert len(meddled) == 2
    assert (await firewall.verify(wanted)).sound
    await firewall.close()


@in_network_namespace
async def test_endless_foreign_writes_are_an_error_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    _meddle(monkeypatch, times=1000)
    with pytest.raises(StaleGenerationError):
        await firewall.apply(difference(held, state([ALPHA], {"alpha": addresses("9.9.9.9")})))
    assert (await firewall.verify(held)).sound
    await firewall.close()


def _meddle(monkeypatch: pytest.MonkeyPatch, times: int) -> list[str]:
    """Write with nft between our look and our batch."""
    done: list[str] = []

    def meddling(*arguments: object, form: RuleForm, switches: bool) -> object:
        if len(done) < times:
            done.append(nft("add", "table", "inet", f"other{len(done)}"))
        return compose(*arguments, form=form, switches=switches)  # type: ignore[arg-type]

    monkeypatch.setattr("banlistd.adapters.firewalls.nftables.changing.applying.compose", meddling)
    return done


@in_network_namespace
async def test_a_cancelled_change_is_carried_out_whole() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    wanted = state([ALPHA], {"alpha": AddressSet.of(np.arange(60_000, dtype=np.uint32) * np.uint32(9))})
    task = asyncio.create_task(firewall.apply(difference(held, wanted)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The next one waits for the thread.
    assert {(await firewall.verify(wanted)).sound, (await firewall.verify(held)).sound} == {True, False}
    await firewall.close()


@in_network_namespace
async def test_an_id_or_a_mark_that_is_none_never_reaches_nft() -> None:
    firewall = NftablesFirewall()
    bad_ids = [owner(1, bad_id) for bad_id in ("x; flush ruleset", "Übel", "a\nb", "", "-a", "A")]
    for bad in (*bad_ids, owner(70_000, "x"), owner(0, "x")):
        with pytest.raises(FirewallError, match="cannot"):
            await firewall.apply(difference(None, state([bad], {})))
    assert nft("list", "ruleset") == ""
    await firewall.close()


@in_network_namespace
async def test_a_missing_nft_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    firewall = NftablesFirewall()
    with pytest.raises(FirewallError, match="install the nftables package"):
        await firewall.apply(difference(None, state([ALPHA], {})))
    await firewall.close()


@in_network_namespace
async def test_counters_markers_and_remarks_wait_for_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    writing, go_on = threading.Event(), threading.Event()

    def stopped(*arguments: object, form: RuleForm, switches: bool) -> object:
        writing.set()
        assert go_on.wait(60)
        return compose(*arguments, form=form, switches=switches)  # type: ignore[arg-type]

    monkeypatch.setattr("banlistd.adapters.firewalls.nftables.changing.applying.compose", stopped)
    wanted = state([ALPHA], {"alpha": addresses("9.9.9.9")})
    change = asyncio.create_task(firewall.apply(difference(held, wanted)))
    assert await asyncio.to_thread(writing.wait, 60)
    async with asyncio.timeout(60):
        assert await firewall.markers() == held.markers
        assert (await firewall.counters()).keys() == {ALPHA.mark}
        assert await firewall.remarks() == []
    go_on.set()
    await change
    await firewall.close()
