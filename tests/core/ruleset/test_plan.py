"""Planning held against a model that asks for each address alone."""

from dataclasses import dataclass

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, from_numbers, union_of
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.state import FirewallState, Hook, Kind, MapEntries, MapId, Verification, contents_of
from banlistd.model import Action, ContentHash, Direction, Family, Mark, Marker, PolicyHash, SourceId, SourceSlot

V4, V6 = Family.IPV4, Family.IPV6
NOTHING = {family: Ranges.none(family) for family in FAMILIES}
SPACE = 24  # a small world, so that everything overlaps


def owner(mark: int, action: Action = Action.DROP, direction: Direction = Direction.IN) -> SourceSlot:
    return SourceSlot(Mark(mark), SourceId(f"s{mark}"), action, direction)


def four(*spans: tuple[int, int]) -> AddressSet:
    return AddressSet.of(from_numbers(V4, [span[0] for span in spans]), from_numbers(V4, [span[1] for span in spans]))


def marker(mark: int, content: str = "a", policy: str = "p") -> Marker:
    return Marker(Mark(mark), SourceId(f"s{mark}"), ContentHash(content * 64), PolicyHash(policy * 16))


@dataclass(frozen=True)
class PlanInput:
    sources: tuple[SourceSlot, ...]
    spans: dict[SourceId, list[tuple[int, int]]]
    never_banned: list[tuple[int, int]]

    def state(self) -> FirewallState:
        never_banned = ranges(self.never_banned)
        contents = {source_id: four(*spans) for source_id, spans in self.spans.items()}
        return plan(self.sources, contents, NOTHING, {V4: never_banned, V6: Ranges.none(V6)}, [])


def ranges(spans: list[tuple[int, int]]) -> Ranges:
    return union_of(V4, from_numbers(V4, [span[0] for span in spans]), from_numbers(V4, [span[1] for span in spans]))


span = st.builds(lambda first, more: (first, min(first + more, SPACE)), st.integers(0, SPACE), st.integers(0, 6))
owners = st.lists(
    st.tuples(st.sampled_from([action for action in Action if action is not Action.NONE]), st.sampled_from(Direction)),
    min_size=1,
    max_size=4,
).map(lambda kinds: tuple(owner(mark, *kind) for mark, kind in enumerate(kinds, start=1)))
worlds = owners.flatmap(
    lambda sources: st.builds(
        PlanInput,
        st.just(sources),
        st.fixed_dictionaries({one.source_id: st.lists(span, max_size=5) for one in sources}),
        st.lists(span, max_size=2),
    )
)


def owner_by_hand(world: PlanInput, number: int, direction: Direction, *, blocks: bool) -> int | None:
    """The first source in order that holds the address; watchers only get what no blocking source holds."""
    if any(first <= number <= last for first, last in world.never_banned):
        return None
    relevant = [one for one in world.sources if one.direction in {direction, Direction.BOTH}]
    holders = [one for one in relevant if any(a <= number <= b for a, b in world.spans[one.source_id])]
    holders.sort(key=lambda one: not one.action.blocks)
    first = holders[0] if holders else None
    return int(first.mark) if first is not None and first.action.blocks is blocks else None


def owner_by_lookup(state: FirewallState, number: int, hook: Hook) -> int | None:
    """As the kernel does it: single addresses first, then networks; what is banned never comes to those that watch."""
    banning = {Hook.WATCH_IN: Hook.IN, Hook.WATCH_OUT: Hook.OUT}.get(hook)
    if banning is not None and owner_by_lookup(state, number, banning) is not None:
        return None
    needle: Addresses = from_numbers(V4, [number])
    for kind in (Kind.HOSTS, Kind.NETS):
        map_entries = state.map_entries.get(MapId(hook, kind, V4))
        mark = map_entries.owner_of(needle) if map_entries is not None else None
        if mark is not None:
            return int(mark)
    return None


HOOKS = [
    (Hook.IN, Direction.IN, True),
    (Hook.WATCH_IN, Direction.IN, False),
    (Hook.OUT, Direction.OUT, True),
    (Hook.WATCH_OUT, Direction.OUT, False),
]


@given(worlds)
@example(PlanInput((owner(1, Action.LOG), owner(2)), {SourceId("s1"): [(0, 1)], SourceId("s2"): [(0, 0)]}, []))
def test_every_address_belongs_to_the_first_source_that_lists_it(world: PlanInput) -> None:
    state = world.state()
    for hook, direction, blocks in HOOKS:
        for number in range(SPACE + 1):
            assert owner_by_lookup(state, number, hook) == owner_by_hand(world, number, direction, blocks=blocks)


@given(worlds)
def test_elements_of_a_map_are_sorted_and_disjoint(world: PlanInput) -> None:
    for map_entries in world.state().map_entries.values():
        assert (map_entries.first <= map_entries.last).all()
        assert (map_entries.first[1:] > map_entries.last[:-1]).all()


def apply_to(map_entries: MapEntries, add: MapEntries, remove: MapEntries) -> set[tuple[int, int, int]]:
    held = triples(map_entries)
    assert triples(remove) <= held
    assert not triples(add) & held
    return (held - triples(remove)) | triples(add)


def triples(map_entries: MapEntries) -> set[tuple[int, int, int]]:
    return set(zip(map_entries.first.tolist(), map_entries.last.tolist(), map_entries.mark.tolist(), strict=True))


@given(worlds, worlds)
def test_difference_leads_from_present_to_desired_state(before: PlanInput, after: PlanInput) -> None:
    present, desired = before.state(), after.state()
    change = difference(present, desired)
    changed = {one.map: one for one in change.maps}
    for map_id, wanted in desired.map_entries.items():
        if map_id not in changed:
            assert triples(present.map_entries[map_id]) == triples(wanted)
        elif not changed[map_id].replace:
            one = changed[map_id]
            assert apply_to(present.map_entries[map_id], one.add, one.remove) == triples(wanted)
        else:
            assert triples(changed[map_id].add) == triples(wanted)


@given(worlds)
def test_nothing_differs_from_itself(world: PlanInput) -> None:
    assert difference(world.state(), world.state()).is_empty


def two(first: AddressSet, second: AddressSet, *markers: Marker) -> FirewallState:
    sources = (owner(1), owner(2))
    return plan(sources, {SourceId("s1"): first, SourceId("s2"): second}, NOTHING, NOTHING, markers)


def test_one_changed_entry_is_one_changed_element() -> None:
    many = [(number * 2, number * 2) for number in range(1000)]
    before = two(four(*many), four((5000, 6000)), marker(1), marker(2))
    after = two(four(*many[1:], (4001, 4001)), four((5000, 6000)), marker(1, "b"), marker(2))
    change = difference(before, after)
    assert (change.added, change.removed) == (1, 1)
    assert change.markers == (marker(1, "b"),)
    assert change.counts() == {SourceId("s1"): (1, 1), SourceId("s2"): (0, 0)}


def test_a_single_address_of_a_network_before_it_costs_nothing() -> None:
    state = two(four((0, 255)), four((7, 7), (300, 300)))
    assert triples(state.map_entries[MapId(Hook.IN, Kind.HOSTS, V4)]) == {(300, 300, 2)}


def test_an_unknown_firewall_is_written_anew() -> None:
    desired = two(four((1, 1)), four((2, 2)), marker(1), marker(2))
    change = difference(None, desired)
    assert change.replace
    assert change.reshape
    assert change.added == 2
    assert change.markers == desired.markers


def test_a_map_that_is_wrong_in_the_kernel_is_replaced_whole_and_alone() -> None:
    state = two(four((1, 1)), four((10, 20)))
    wrong = MapId(Hook.IN, Kind.NETS, V4)
    change = difference(state, state, Verification(maps=frozenset({wrong})))
    assert [(one.map, one.replace, len(one.add)) for one in change.maps] == [(wrong, True, 1)]


def test_a_source_that_goes_takes_its_marker_with_it() -> None:
    before = two(four((1, 1)), four((2, 2)), marker(1), marker(2))
    after = plan((owner(1),), {SourceId("s1"): four((1, 1))}, NOTHING, NOTHING, [marker(1)])
    change = difference(before, after)
    assert change.retired == (2,)
    assert change.reshape
    assert change.removed == 1


def test_a_change_reads_like_a_sentence() -> None:
    change: Change = difference(two(four(), four()), two(four((1, 1)), four((16, 31)), marker(1)))
    assert change.describe() == [
        "hosts4: 1 added, 0 removed, 1 element then",
        "  + 0.0.0.1",
        "nets4: 1 added, 0 removed, 1 element then",
        "  + 0.0.0.16/28",
    ]


def test_a_change_that_bans_nothing_says_nothing_of_maps_and_markers() -> None:
    first = difference(None, two(four(), four(), marker(1)))
    assert len(first.maps) == 4
    assert first.describe() == ["write tables, chains and rules"]


def test_ipv6_is_planned_like_ipv4() -> None:
    hosts = from_numbers(V6, [1 << 100, 5])
    content = AddressSet.of(first6=hosts)
    state = plan((owner(3),), {SourceId("s3"): content}, NOTHING, NOTHING, [])
    map_entries = state.map_entries[MapId(Hook.IN, Kind.HOSTS, V6)]
    assert np.array_equal(map_entries.first, np.sort(hosts))
    assert set(map_entries.mark.tolist()) == {3}


@given(worlds)
@example(PlanInput((owner(1), owner(2)), {SourceId("s1"): [(0, 4)], SourceId("s2"): [(4, 5)]}, []))
def test_planning_from_maps_is_idempotent(world: PlanInput) -> None:
    held = world.state()
    found = contents_of(held.map_entries)
    contents = {one.source_id: found[one.mark] for one in world.sources if one.mark in found}
    never_banned = {V4: ranges(world.never_banned), V6: Ranges.none(V6)}
    assert difference(held, plan(world.sources, contents, NOTHING, never_banned, [])).is_empty
