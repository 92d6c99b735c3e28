"""What others do to the sets and rules of the ipset backend, and what a killed process leaves: found, repaired, or let be."""

import asyncio
import os
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from adapters.firewalls.holdings import (
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
    change_of,
    large,
    services,
    state,
)
from banlistd.adapters.firewalls.ipset.changing import compose
from banlistd.adapters.firewalls.ipset.firewall import IpsetFirewall
from banlistd.adapters.firewalls.ipset.iptables import script
from banlistd.adapters.firewalls.ipset.sets import wanted_sets
from banlistd.adapters.firewalls.ipset.signs import SIGNS_EVERY
from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.ruleset.diff import MapChange, difference
from banlistd.core.ruleset.state import FirewallState, MapEntries, Verification
from banlistd.errors import FirewallError
from banlistd.model import Family
from support.ipset_host import Iptables, command, ipset, members, set_names
from support.network_namespace import in_network_namespace

EVERYONE = [ALPHA, BETA, DROP, LOGGED, COUNTED, BOTH]
EVERYTHING = {str(source.source_id): MIXED for source in EVERYONE}
NFT = Iptables("nft")
VARIANTS = pytest.mark.parametrize("iptables", [NFT, Iptables("legacy")], ids=lambda iptables: iptables.variant)


async def firewall_with(held: FirewallState, iptables: Iptables = NFT) -> IpsetFirewall:
    iptables.skip_if_missing()
    firewall = IpsetFirewall(iptables.variant)
    await firewall.apply(difference(None, held))
    return firewall


FOREIGN_SETS = {
    "a host is missing": (("del", "banlistd-hosts4", "198.51.100.1"), {HOSTS4}, False),
    "a network is missing": (("del", "banlistd-nets4", "203.0.113.0/24"), {NETS4}, False),
    "a host came": (("add", "banlistd-hosts4", "4.4.4.4"), {HOSTS4}, False),
    "a set was emptied": (("flush", "banlistd-nets4"), {NETS4}, False),
    "allowed networks are gone": (("flush", "banlistd-allowed4"), set(), True),
    "a service is gone": (("del", "banlistd-answers4", "198.51.100.1,udp:53"), set(), True),
    "a service came": (("add", "banlistd-answers6", "2001:db8::1,tcp:22"), set(), True),
    "a set of ours came": (("create", "banlistd-out_hosts4", "hash:ip"), set(), True),
}


@pytest.mark.parametrize("what", FOREIGN_SETS)
@in_network_namespace
async def test_a_foreign_change_of_a_set_is_found_and_repaired(what: str) -> None:
    words, maps, structure = FOREIGN_SETS[what]
    held = state([ALPHA], {"alpha": MIXED}, allowed=["9.0.0.0/8"], answers=services("198.51.100.1 udp 53"))
    firewall = await firewall_with(held)
    before = ipset("save", "-s").splitlines()
    ipset(*words)
    verdict = await firewall.verify(held)
    assert verdict == Verification(structure, frozenset(maps))
    await firewall.apply(difference(held, held, verdict))
    assert (await firewall.verify(held)).sound
    assert sorted(ipset("save", "-s").splitlines()) == sorted(before)
    await firewall.close()


FOREIGN_RULES = {
    "a chain was emptied": ("-t", "raw", "-F", "banlistd-from-1"),
    "the jump is gone": ("-t", "raw", "-D", "PREROUTING", "-j", "banlistd-in"),
    "a rule was put before ours": ("-t", "raw", "-I", "PREROUTING", "-s", "192.0.2.9", "-j", "ACCEPT"),
    "we are asked twice": ("-t", "raw", "-A", "PREROUTING", "-j", "banlistd-in"),
    "all rules of a table are gone": ("-t", "raw", "-F"),
    "a rule of ours was turned": ("-t", "raw", "-R", "banlistd-from-1", "1", "-j", "ACCEPT"),
    "a chain of ours came": ("-N", "banlistd-out"),
    "rejecting ended": ("-D", "INPUT", "-j", "banlistd-refused"),
}


@VARIANTS
@pytest.mark.parametrize("what", FOREIGN_RULES)
@in_network_namespace
async def test_a_foreign_change_of_rules_is_found_and_repaired(what: str, iptables: Iptables) -> None:
    iptables.skip_if_missing()
    held = state([ALPHA, BETA], {"alpha": MIXED, "beta": MIXED})
    firewall = await firewall_with(held, iptables)
    before = iptables.saved()
    iptables(*FOREIGN_RULES[what])
    verdict = await firewall.verify(held)
    assert verdict == Verification(structure=True)
    await firewall.apply(difference(held, held, verdict))
    assert (await firewall.verify(held)).sound
    after = [line for line in iptables.saved() if "192.0.2.9" not in line]
    assert after == list(before)
    await firewall.close()


@VARIANTS
@pytest.mark.parametrize("family", ["iptables", "ip6tables"])
@in_network_namespace
async def test_a_chain_that_a_foreign_rule_jumps_to_stays_without_rules_and_stops_no_change(
    iptables: Iptables, family: str
) -> None:
    iptables.skip_if_missing()
    contents = {"alpha": MIXED, "both": MIXED}
    before, after = state([ALPHA, BOTH], contents), state([ALPHA], contents)
    firewall = await firewall_with(before, iptables)
    iptables("-A", "FORWARD", "-j", "banlistd-out", "-m", "comment", "--comment", "mine", program=family)
    iptables("-t", "raw", "-E", "banlistd-in", "renamed", program=family)
    for held, wanted in ((before, after), (after, before), (before, after)):
        await firewall.apply(difference(held, wanted, await firewall.verify(held)))
        assert (await firewall.verify(wanted)).sound
        assert await firewall.markers() == wanted.markers
    assert not [line for line in iptables.saved() if " -A banlistd-out" in line]
    await firewall.close()


FLUSHES = {
    "all rules of a table are gone": ("-t", "raw", "-F"),
    "the rules that reject are gone": ("-F",),
    "a chain was emptied": ("-t", "raw", "-F", "banlistd-in"),
}


@VARIANTS
@pytest.mark.parametrize("what", FLUSHES)
@in_network_namespace
async def test_flushed_rules_are_noticed_and_are_a_gap_until_they_are_written_again(what: str, iptables: Iptables) -> None:
    iptables.skip_if_missing()
    held = state([ALPHA, BETA, BOTH], {"alpha": MIXED, "beta": MIXED, "both": MIXED})
    firewall = await firewall_with(held, iptables)
    assert (await firewall.verify(held)).sound
    assert await firewall.gaps() == ()
    assert not await has_changed(firewall)
    iptables(*FLUSHES[what])
    (gap,) = await firewall.gaps()
    assert "another program" in gap.message
    assert await has_changed(firewall)
    await firewall.apply(difference(held, held, await firewall.verify(held)))
    assert await firewall.gaps() == ()
    assert not await has_changed(firewall)
    await firewall.close()


@pytest.mark.parametrize("name", ["banlistd-hosts4", "banlistd-nets6"])
@in_network_namespace
async def test_an_emptied_set_is_noticed(name: str) -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    for _ in range(2):
        ipset("flush", name)
        assert await has_changed(firewall)
        await firewall.apply(difference(held, held, await firewall.verify(held)))
    assert (await firewall.verify(held)).sound
    less = state([ALPHA], {"alpha": addresses("198.51.100.1", "2001:db8:1::/64")})
    await firewall.apply(difference(held, less))
    assert not await has_changed(firewall)
    ipset("flush", name)
    assert await has_changed(firewall)
    await firewall.close()


@in_network_namespace
async def test_sources_that_go_and_a_first_start_are_no_change_by_others() -> None:
    NFT.skip_if_missing()
    firewall = IpsetFirewall("nft")
    assert not await has_changed(firewall)
    held = state(EVERYONE, EVERYTHING)
    for wanted in (held, state([ALPHA], EVERYTHING), state([], {})):
        await firewall.apply(difference(None, wanted))
        assert not await has_changed(firewall)
        assert (await firewall.verify(wanted)).sound
        assert not await has_changed(firewall)
        assert await firewall.gaps() == ()
    await firewall.close()


async def has_changed(firewall: IpsetFirewall) -> bool:
    """Whether the next look, or the one after it, reports a change."""
    try:
        async with asyncio.timeout(2.5 * SIGNS_EVERY):
            return (await firewall.wait_for_external_change()).ours
    except TimeoutError:
        return False


@VARIANTS
@in_network_namespace
async def test_when_everything_is_gone_it_is_found_and_written_anew(iptables: Iptables) -> None:
    iptables.skip_if_missing()
    held = state(EVERYONE, EVERYTHING, allowed=["9.0.0.0/8"])
    firewall = await firewall_with(held, iptables)
    before = sorted(ipset("save", "-s").splitlines()), iptables.saved()
    for program in ("iptables", "ip6tables"):
        for table in ("raw", "filter"):
            iptables("-t", table, "-F", program=program)
            iptables("-t", table, "-X", program=program)
    for name in set_names():
        _destroy(name)
    assert await firewall.markers() == ()
    nothing = state(EVERYONE, {})
    verdict = await firewall.verify(nothing)
    assert verdict == Verification(structure=True, maps=frozenset(held.map_entries))
    await firewall.apply(difference(nothing, held, verdict))
    assert (await firewall.verify(held)).sound
    assert await firewall.markers() == held.markers
    assert (sorted(ipset("save", "-s").splitlines()), iptables.saved()) == before
    await firewall.close()


def _destroy(name: str) -> None:
    """nf_tables lets go of a set a moment after its rules are gone."""
    for _ in range(1000):
        try:
            ipset("destroy", name)
        except AssertionError as busy:
            assert "in use" in str(busy)  # noqa: PT017 - the loop goes on
        else:
            return
    pytest.fail(f"{name} stays in use")


@in_network_namespace
async def test_markers_are_not_believed_where_a_set_is_gone() -> None:
    firewall = await firewall_with(state([ALPHA], {"alpha": MIXED}))
    NFT("-t", "raw", "-F", program="ip6tables")
    _destroy("banlistd-nets6")
    assert await firewall.markers() == ()
    await firewall.close()


@in_network_namespace
async def test_a_change_of_elements_without_sets_is_refused_and_nothing_happens() -> None:
    NFT.skip_if_missing()
    held = state([ALPHA], {"alpha": MIXED})
    firewall = IpsetFirewall("nft")
    with pytest.raises(FirewallError, match="there is no set"):
        await firewall.apply(difference(held, state([ALPHA], {"alpha": addresses("1.1.1.1")})))
    assert (set_names(), NFT.saved()) == ([], [])
    await firewall.close()


@in_network_namespace
async def test_unreadable_record_line_is_ignored() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    for number, words in (("0.0.0.9", "v1 x sha256=short y"), ("0.0.0.10", "x"), ("0.1.0.2", "banlistd-hosts4 2 of many x")):
        ipset("add", "-exist", "banlistd-applied", number, "comment", words)
    assert [marker.mark for marker in await firewall.markers()] == [ALPHA.mark]
    verdict = await firewall.verify(held)
    assert verdict.maps == {HOSTS4}
    await firewall.apply(difference(held, held, verdict))
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_elements_that_are_not_as_they_were_believed_to_be_are_all_written() -> None:
    held = large(0)
    firewall = await firewall_with(held)
    gone, came = held.map_entries[HOSTS4].where(np.arange(10)), from_numbers(Family.IPV4, [77])
    ipset("restore", given="".join(f"del banlistd-hosts4 {address}\n" for address in _texts(gone)))
    new = MapEntries(Family.IPV4, came, came, np.array([1], dtype=np.uint16))
    whole = AddressSet.of(np.concatenate([held.map_entries[HOSTS4].first[10:], came]))
    wanted = state([ALPHA], {"alpha": whole})
    change = change_of(held, MapChange(HOSTS4, wanted.map_entries[HOSTS4], new, gone, replace=False))
    assert await firewall.apply(change) == len(wanted.map_entries[HOSTS4])
    assert (await firewall.contents())[ALPHA.mark].hosts4.tolist() == whole.hosts4.tolist()
    await firewall.close()


def _texts(map_entries: MapEntries) -> list[str]:
    return [".".join(str(address >> shift & 255) for shift in (24, 16, 8, 0)) for address in map_entries.first.tolist()]


@in_network_namespace
async def test_zero_address_is_not_a_set_element() -> None:
    content = addresses("0.0.0.0", "::", "192.0.2.1")
    held = state([ALPHA], {"alpha": content})
    firewall = await firewall_with(held)
    assert (await firewall.verify(held)).sound
    assert members("banlistd-hosts4") == ["192.0.2.1 packets 1"]
    then = state([ALPHA], {"alpha": addresses("192.0.2.1")})
    await firewall.apply(difference(held, then))
    assert (await firewall.verify(then)).sound
    await firewall.close()


@VARIANTS
@in_network_namespace
def test_a_script_that_is_cut_short_does_nothing(iptables: Iptables) -> None:
    """As when a daemon is killed while it writes one: iptables carries out nothing of a table before its COMMIT."""
    iptables.skip_if_missing()
    for name in sorted(wanted_sets(EVERYONE)):
        ipset("create", name, "hash:net", *(["family", "inet6"] if name.endswith("6") else []), "counters")
    whole = script(EVERYONE, Family.IPV4, {})
    first = whole.index("COMMIT\n")
    for end in (first // 3, first // 2, first - 1, first, first + 3):
        cut = subprocess.run(iptables.restore, input=whole[:end], capture_output=True, text=True, check=False)
        assert cut.returncode, f"cut at {end}"
        assert iptables.saved() == [], f"cut at {end}"
    command(*iptables.restore, given=whole)
    assert iptables.saved()


OTHERS = (
    ("-N", "docker"),
    ("-A", "FORWARD", "-j", "docker"),
    ("-A", "docker", "-s", "192.0.2.0/24", "-j", "ACCEPT"),
    ("-P", "FORWARD", "DROP"),
    ("-t", "raw", "-A", "PREROUTING", "-p", "udp", "-j", "NOTRACK"),
)


@VARIANTS
@in_network_namespace
async def test_sets_and_rules_of_others_are_left_alone(iptables: Iptables) -> None:
    iptables.skip_if_missing()
    ipset("create", "other", "hash:ip")
    for words in OTHERS:
        iptables(*words)
    before = set_names(), iptables.saved(), iptables("-S", "FORWARD")
    held = state(EVERYONE, EVERYTHING)
    firewall = await firewall_with(held, iptables)
    assert set(before[1]) < set(iptables.saved())
    await firewall.apply(difference(held, state([ALPHA], EVERYTHING)))
    await firewall.teardown()
    assert (set_names(), iptables.saved(), iptables("-S", "FORWARD")) == before
    await firewall.close()


@in_network_namespace
async def test_referenced_set_cannot_be_removed_and_is_reported() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    NFT("-A", "INPUT", "-m", "set", "--match-set", "banlistd-hosts4", "src", "-j", "DROP")
    with pytest.raises(FirewallError, match="in use") as refused:
        await firewall.teardown()
    assert "iptables-save shows them" in refused.value.hint
    await firewall.close()


@in_network_namespace
async def test_referenced_set_of_a_removed_hook_is_emptied() -> None:
    contents = dict.fromkeys(("alpha", "counted"), MIXED)
    held, less = state([ALPHA, COUNTED], contents), state([ALPHA], contents)
    firewall = await firewall_with(held)
    NFT("-A", "INPUT", "-m", "set", "--match-set", "banlistd-watch_out_hosts4", "src", "-j", "DROP")
    await firewall.apply(difference(held, less))
    assert (await firewall.verify(less)).sound
    assert members("banlistd-watch_out_hosts4") == []
    await firewall.apply(difference(less, held))
    assert (await firewall.verify(held)).sound
    await firewall.close()


@in_network_namespace
async def test_what_one_who_was_killed_has_gathered_is_no_fault_and_goes_with_the_next_change() -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    before = set_names()
    ipset("create", "banlistd-new-hosts4", "hash:ip")
    assert (await firewall.verify(held)).sound
    assert await firewall.markers() == held.markers
    await firewall.apply(difference(held, state([ALPHA], {"alpha": addresses("1.1.1.1")})))
    assert set_names() == before
    await firewall.close()


@pytest.mark.parametrize(
    ("words", "remark"),
    [("-j REJECT", "packets of beta are dropped and not rejected"), ("-j LOG", "packets of logged are counted and not logged")],
)
@in_network_namespace
async def test_a_refused_rule_costs_a_source_its_action_and_no_source_its_bans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, remark: str
) -> None:
    NFT.skip_if_missing()
    for program in ("iptables-nft-restore", "ip6tables-nft-restore"):
        refusing = tmp_path / program
        refusing.write_text(
            "#!/bin/sh\n"
            f'script=$(cat); case "$script" in *"{words}"*) echo "line 9: RULE_APPEND failed" >&2; exit 4;;\n'
            f'esac; echo "$script" | exec {shutil.which(program)} "$@"\n'
        )
        refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    held, other = state(EVERYONE, EVERYTHING), state([BETA, LOGGED, ALPHA], EVERYTHING)
    firewall = IpsetFirewall(NFT.variant)
    await firewall.apply(difference(None, held))
    for before, after in ((held, other), (other, held)):
        assert (await firewall.verify(before)).sound
        assert [remark in found.message for found in await firewall.remarks()] == [True]
        await firewall.apply(difference(before, after))
    assert (await firewall.verify(held)).sound
    assert not any(words in line for line in NFT.saved())
    await firewall.close()


@in_network_namespace
async def test_rules_that_are_refused_for_a_moment_cost_no_source_its_action(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    NFT.skip_if_missing()
    refusing, notes = tmp_path / "iptables-nft-restore", tmp_path / "notes"
    notes.touch()
    refusing.write_text(
        "#!/bin/sh\n"
        f'if [ "$(wc -l <{notes})" -lt 2 ]; then echo refused >>{notes}; echo "line 2: RULE_DELETE failed" >&2; exit 4; fi\n'
        f'exec {shutil.which("iptables-nft-restore")} "$@"\n'
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    held = state(EVERYONE, EVERYTHING)
    firewall = IpsetFirewall(NFT.variant)
    await firewall.apply(difference(None, held))
    assert (await firewall.verify(held)).sound
    assert await firewall.remarks() == []
    for words in ("-j REJECT", "-j LOG"):
        assert any(words in line for line in NFT.saved())
    await firewall.close()


@in_network_namespace
async def test_markers_wait_for_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    held = state([ALPHA], {"alpha": MIXED})
    firewall = await firewall_with(held)
    writing, go_on = threading.Event(), threading.Event()

    def stopped(*arguments: object) -> object:
        writing.set()
        assert go_on.wait(60)
        return compose(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("banlistd.adapters.firewalls.ipset.firewall.compose", stopped)
    change = asyncio.create_task(firewall.apply(difference(held, state([ALPHA], {"alpha": addresses("9.9.9.9")}))))
    assert await asyncio.to_thread(writing.wait, 60)
    async with asyncio.timeout(60):
        assert await firewall.markers() == held.markers
    go_on.set()
    await change
    await firewall.close()
