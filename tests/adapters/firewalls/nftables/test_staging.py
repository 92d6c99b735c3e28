"""Large changes are written beside the sets in use, in small commits; small ones in place."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from adapters.firewalls.holdings import ALPHA, BETA, HOSTS4, NETS4, addresses, services, state
from banlistd.adapters.firewalls.nftables.changing import applying
from banlistd.adapters.firewalls.nftables.changing.batch import fillings
from banlistd.adapters.firewalls.nftables.changing.staging import MOST_ELEMENTS, Limit, Staging, distrusting, staging_of
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.firewalls.nftables.inspection import look_at
from banlistd.adapters.firewalls.nftables.look import Look, TableState
from banlistd.adapters.firewalls.nftables.sets import ALLOWED, APPLIED, BASES, SERVICES, SetShape, SetState, shape_of
from banlistd.adapters.netlink.messages import Batch
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.state import FirewallState, maps_of
from banlistd.errors import FirewallError
from support.network_namespace import in_network_namespace, nft

LIMIT = Limit(MOST_ELEMENTS, 1 << 20)
# The largest commit of 10,000 elements: 5,000 ranges of IPv6, and messages about rules and markers.
MOST_OCTETS = 5_000 * 76 + 65_536


def hosts(count: int, step: int = 7) -> AddressSet:
    return AddressSet.of(np.arange(1, count + 1, dtype=np.uint32) * np.uint32(step))


def nets(count: int) -> AddressSet:
    first = np.arange(1, count + 1, dtype=np.uint32) * np.uint32(1024)
    return AddressSet.of(first, first + np.uint32(255))


def mixed(single: int, ranges: int) -> AddressSet:
    one, other = hosts(single).hosts4, nets(ranges).nets4
    return AddressSet.of(np.concatenate([one, other.first]), np.concatenate([one, other.last]))


def holding(content: AddressSet, content_hash: str = "a", **more: object) -> FirewallState:
    return state([ALPHA, BETA], {"alpha": content, "beta": addresses("203.0.113.9")}, content_hash=content_hash * 64, **more)  # type: ignore[arg-type]


def look_of(present: FirewallState, second: str = "", *, counts: bool = True) -> Look:
    """The kernel with this state. `second`: the first names of the sets that have the second name."""
    shapes = {map_id.name: shape_of(map_id, len(entries)) for map_id, entries in present.map_entries.items()}
    shapes |= {name: SetShape(name, family, mapped=False, interval=True) for family, name in ALLOWED.items()}
    shapes |= {name: SetShape(name, family, mapped=False, interval=False, services=True) for family, name in SERVICES.items()}
    numbers = {map_id.name: len(entries) for map_id, entries in present.map_entries.items()}
    names = {base: f"{base}-b" if base in second.split() else base for base in shapes}
    sets = {
        names[base]: SetState(names[base], shape.size, numbers.get(base, 0) if counts else None, shape.form, empty=False)
        for base, shape in shapes.items()
    }
    markers = SetShape(APPLIED, None, mapped=True, interval=False)
    sets[APPLIED] = SetState(APPLIED, 0, 2, markers.form, empty=False)
    return Look(1, TableState(0, 0), frozenset(), frozenset(), sets, [*names.values()], frozenset(), frozenset())


def beside(change: Change, look: Look, limit: Limit = LIMIT) -> dict[str, str]:
    return {base: staged.shape.name for base, staged in staging_of(change, look, limit).sets.items()}


SMALL, LARGE = holding(hosts(20)), holding(hosts(60_000))


def test_a_small_change_is_made_in_place() -> None:
    assert beside(difference(SMALL, holding(hosts(9_000))), look_of(SMALL)) == {}


def test_more_than_ten_thousand_elements_are_written_beside() -> None:
    assert beside(difference(SMALL, holding(hosts(10_100))), look_of(SMALL)) == {"hosts4": "hosts4-b"}
    assert beside(difference(LARGE, holding(hosts(60_000, step=9))), look_of(LARGE)) == {"hosts4": "hosts4-b"}


def test_names_alternate() -> None:
    change = difference(LARGE, holding(hosts(60_000, step=9)))
    assert beside(change, look_of(LARGE, "hosts4")) == {"hosts4": "hosts4"}


def test_a_range_counts_as_two_elements() -> None:
    assert beside(difference(SMALL, holding(nets(4_900))), look_of(SMALL)) == {}
    assert "nets4" in beside(difference(SMALL, holding(nets(5_100))), look_of(SMALL))


def test_a_map_that_is_outgrown_is_written_beside_although_little_changes() -> None:
    full = holding(hosts(49_152 - 1))
    look = look_of(SMALL)
    look = replace(look, sets={**look.sets, "hosts4": replace(look.sets["hosts4"], count=49_152)})
    assert beside(difference(full, holding(hosts(49_152 + 3))), look) == {"hosts4": "hosts4-b"}


def test_what_costs_most_is_written_beside_and_the_rest_in_place() -> None:
    networks = [f"2001:db8:{number:x}::/48" for number in range(0, 1200, 2)]
    other = state([ALPHA, BETA], {"alpha": hosts(9_000), "beta": addresses("2001:db8::1", *networks)})
    assert beside(difference(SMALL, other), look_of(SMALL)) == {"hosts4": "hosts4-b"}


def test_hosts_and_networks_that_both_change_go_together() -> None:
    """An address may move between them."""
    both = mixed(20_000, 10)
    assert beside(difference(SMALL, holding(both)), look_of(SMALL)).keys() == {"hosts4", "nets4"}


def test_a_map_that_is_not_trusted_is_emptied_only_while_it_is_small() -> None:
    maps = frozenset({HOSTS4})
    for present, expected in ((SMALL, {}), (LARGE, {"hosts4": "hosts4-b"})):
        change = distrusting(replace_one(present), maps)
        assert beside(change, look_of(present)) == expected
    # A kernel that counts no elements: it may be large.
    assert beside(distrusting(replace_one(SMALL), maps), look_of(SMALL, counts=False)) == {"hosts4": "hosts4-b"}


def replace_one(present: FirewallState) -> Change:
    count = len(present.map_entries[HOSTS4]) - 1
    return difference(present, holding(hosts(count + 1)))


def test_a_small_send_buffer_leaves_less_in_place() -> None:
    change = difference(SMALL, holding(hosts(9_000)))
    assert beside(change, look_of(SMALL), Limit(MOST_ELEMENTS, 208_000)) == {"hosts4": "hosts4-b"}


@pytest.mark.parametrize("content", [hosts(33_333), nets(12_345)], ids=["hosts", "ranges"])
@pytest.mark.parametrize("limit", [LIMIT, Limit(MOST_ELEMENTS, 208_000), Limit(1, 1)], ids=["usual", "small buffer", "tiny"])
def test_no_batch_exceeds_the_limit_and_together_they_are_everything(content: AddressSet, limit: Limit) -> None:
    present = holding(hosts(3))
    wanted = holding(content if limit.elements > 1 else AddressSet.of(content.hosts4[:9], content.hosts4[:9]))
    staging = staging_of(difference(None, wanted), look_of(present, counts=False), limit)
    batches = [*fillings(staging, limit)]
    if limit.elements > 1:
        assert max(batch.octets for batch in batches) <= limit.octets + 1024
    assert sum(len(staged) for base, staged in staging.sets.items() if base in BASES) == len(wanted)
    assert staging.names(look_of(present)).keys() == {*BASES.values()} & {map_id.name for map_id in maps_of(wanted.sources)} | {
        *ALLOWED.values(),
        *SERVICES.values(),
    }


# From here on in a kernel.


@pytest.fixture
def octets(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Of each batch that is committed."""
    sent: list[int] = []
    commit = NetlinkSocket.commit

    def committed(wire: NetlinkSocket, batch: Batch) -> None:
        sent.append(batch.octets)
        commit(wire, batch)

    monkeypatch.setattr(NetlinkSocket, "commit", committed)
    return iter([sent])


@in_network_namespace
async def test_import_replacement_repair_and_a_change_of_sources_keep_commits_small(octets: Iterator[list[int]]) -> None:
    (sent,) = octets
    firewall = NftablesFirewall()
    both = mixed(40_000, 9_000)
    first, second = holding(hosts(60_000)), holding(both, "b", answers=services("198.51.100.1 udp 53"), allowed=["1.2.0.0/16"])
    fewer = state([ALPHA], {"alpha": both}, content_hash="b" * 64)
    present: FirewallState | None = None
    for wanted in (SMALL, first, second, fewer, first):
        await firewall.apply(difference(present, wanted))
        assert (await firewall.verify(wanted)).sound
        present = wanted
    name = re.findall(r"map (hosts4\S*)", nft("list", "maps"))
    assert len(name) == 1
    nft(f"flush map inet banlistd {name[0]}")
    await firewall.apply(difference(first, first, await firewall.verify(first)))
    nft("flush ruleset")
    await firewall.apply(difference(None, second))
    assert (await firewall.verify(second)).sound
    await firewall.close()
    assert max(sent) <= MOST_OCTETS


@in_network_namespace
async def test_a_small_send_buffer_loads_as_much(octets: Iterator[list[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    (sent,) = octets
    monkeypatch.setattr(NetlinkSocket, "room", lambda _: 100_000)
    firewall = NftablesFirewall()
    for wanted in (SMALL, LARGE):
        await firewall.apply(difference(None, wanted))
        assert (await firewall.verify(wanted)).sound
    await firewall.close()
    assert max(sent) <= 100_000 + 4096  # which `room` keeps free


@in_network_namespace
async def test_contents_are_read_from_the_sets_in_use() -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, SMALL))
    await firewall.apply(difference(SMALL, LARGE))
    assert (await firewall.contents())[ALPHA.mark] == hosts(60_000)
    await firewall.close()


def without_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a kernel before 6.16."""

    def looked(wire: NetlinkSocket) -> Look:
        look = look_at(wire)
        return replace(look, sets={name: replace(found, count=None) for name, found in look.sets.items()})

    monkeypatch.setattr(applying, "look_at", looked)


@in_network_namespace
async def test_the_table_is_looked_at_once_for_a_small_change(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def looked(wire: NetlinkSocket) -> Look:
        look = look_at(wire)
        looks.append(look.generation)
        return look

    firewall = NftablesFirewall()
    await firewall.apply(difference(None, SMALL))
    monkeypatch.setattr(applying, "look_at", looked)
    wanted = holding(hosts(21))
    await firewall.apply(difference(SMALL, wanted))
    assert len(looks) == 1
    assert (await firewall.verify(wanted)).sound
    await firewall.close()


@in_network_namespace
async def test_what_a_kill_left_beside_is_no_drift_and_goes_at_the_next_start() -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, SMALL))
    await firewall.close()
    before = nft("list", "ruleset")
    nft("add map inet banlistd hosts4-b { type ipv4_addr : mark; size 98304; }")
    nft("add element inet banlistd hosts4-b { 9.9.9.9 : 1 }")
    firewall = NftablesFirewall()
    assert (await firewall.verify(SMALL)).sound
    waiting = asyncio.create_task(firewall.wait_for_external_change())
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    assert nft("list", "ruleset") == before
    assert (await firewall.verify(SMALL)).sound
    waiting.cancel()
    await firewall.close()


@pytest.mark.parametrize("counts", [True, False], ids=["a kernel with counts", "a kernel without counts"])
@in_network_namespace
async def test_what_another_process_does_to_a_set_that_is_filled_is_made_good(
    monkeypatch: pytest.MonkeyPatch, *, counts: bool
) -> None:
    if not counts:
        without_counts(monkeypatch)
    chains = ("hosts4-b", "within-nat64-hosts4-b", "within-6to4-hosts4-b")
    deletion = [*(f"flush chain inet banlistd {chain}" for chain in chains), "delete map inet banlistd hosts4-b"]
    for meddling in ("flush map inet banlistd hosts4-b", "; ".join(deletion), "add table inet other"):
        firewall = NftablesFirewall()
        await firewall.apply(difference(None, SMALL))
        scripts = [meddling]

        def meddled(staging: Staging, limit: Limit, scripts: list[str] = scripts) -> Iterator[Batch]:
            for number, batch in enumerate(fillings(staging, limit)):
                if number == 3 and scripts:
                    nft(scripts.pop())
                yield batch

        monkeypatch.setattr(applying, "fillings", meddled)
        await firewall.apply(difference(SMALL, LARGE))
        assert not scripts
        assert (await firewall.verify(LARGE)).sound
        assert nft("list", "maps").count("map hosts4") == 1
        await firewall.close()
        nft("flush ruleset")


@pytest.mark.parametrize("meddling", ["", "flush set inet banlistd allowed4"])
@in_network_namespace
async def test_allowed_addresses_and_services_are_filled_beside_on_a_kernel_without_counts(
    monkeypatch: pytest.MonkeyPatch, meddling: str
) -> None:
    without_counts(monkeypatch)
    scripts = [meddling] if meddling else []

    def meddled(staging: Staging, limit: Limit) -> Iterator[Batch]:
        yield from fillings(staging, limit)
        while scripts:
            nft(scripts.pop())

    monkeypatch.setattr(applying, "fillings", meddled)
    allowed = ["1.2.0.0/16", "1.3.0.0", "192.0.2.7", "2001:db8::/32", "2001:db9::"]
    wanted = holding(hosts(60_000), answers=services("198.51.100.1 udp 53"), allowed=allowed)
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, wanted))
    assert (await firewall.verify(wanted)).sound
    await firewall.close()


@in_network_namespace
async def test_a_table_that_goes_while_a_set_is_filled_is_an_error_without_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, SMALL))

    def meddled(staging: Staging, limit: Limit) -> Iterator[Batch]:
        for batch in fillings(staging, limit):
            nft("flush ruleset")
            yield batch

    monkeypatch.setattr(applying, "fillings", meddled)
    with pytest.raises(FirewallError, match="lacks"):
        await firewall.apply(difference(SMALL, LARGE))
    monkeypatch.undo()
    await firewall.apply(difference(None, LARGE))
    assert (await firewall.verify(LARGE)).sound
    await firewall.close()


@in_network_namespace
async def test_rules_that_look_into_two_sets_of_one_map_are_repaired() -> None:
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, SMALL))
    await firewall.apply(difference(SMALL, LARGE))
    nft("add map inet banlistd hosts4 { type ipv4_addr : mark; size 98304; }")
    rules = nft("-a", "list", "chain", "inet", "banlistd", "within-nat64")
    handle = next(line.rpartition(" ")[2] for line in rules.splitlines() if "hosts4-b" in line)
    nft(
        "add chain inet banlistd within-nat64-hosts4;"
        "add rule inet banlistd within-nat64-hosts4 meta mark set ip saddr map @hosts4 goto banned;"
        f"replace rule inet banlistd within-nat64 handle {handle} jump within-nat64-hosts4"
    )
    verdict = await firewall.verify(LARGE)
    assert verdict.structure
    await firewall.apply(difference(LARGE, LARGE, verdict))
    assert (await firewall.verify(LARGE)).sound
    with NetlinkSocket() as wire:
        look = look_at(wire)
        assert look.surplus(LARGE.sources) == look.unfinished == []
    assert "hosts4-b" not in nft("list", "ruleset")
    assert NETS4 not in verdict.maps
    await firewall.close()
