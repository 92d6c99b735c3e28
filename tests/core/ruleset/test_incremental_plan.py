"""A revised plan held equal to the whole one, and its moves to what differs."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, from_numbers, union_of
from banlistd.core.ruleset.diff import difference
from banlistd.core.ruleset.incremental_plan import Basis, plan_changes, region_between, revise
from banlistd.core.ruleset.state import MapEntries
from banlistd.model import Action, Direction, Family, Mark, SourceId, SourceSlot
from banlistd.scopes.scope import Scope

V4, V6 = Family.IPV4, Family.IPV6
SpanList = list[tuple[int, int]]
NOTHING = {family: Ranges.none(family) for family in FAMILIES}

# At both ends of the space, where there is no address before the first and none after the last.
_EDGES = {V4: (0, 2**32 - 24), V6: (0, 2**64 - 12, 2**128 - 24)}


def ends(family: Family, spans: SpanList, end: int) -> np.ndarray[tuple[int], np.dtype[np.generic]]:
    return from_numbers(family, [span[end] for span in spans])


@dataclass(frozen=True)
class PlanCase:
    """One family's spans of each source (None: no content yet), and what is barred."""

    family: Family
    sources: tuple[SourceSlot, ...]
    spans: dict[SourceId, SpanList | None]
    never_banned: SpanList

    def basis(self) -> Basis:
        contents = {source_id: self._content(spans) for source_id, spans in self.spans.items() if spans is not None}
        never_banned = union_of(self.family, ends(self.family, self.never_banned, 0), ends(self.family, self.never_banned, 1))
        return Basis(self.sources, contents, NOTHING, NOTHING | {self.family: never_banned})

    def _content(self, spans: SpanList) -> AddressSet:
        first, last = ends(self.family, spans, 0), ends(self.family, spans, 1)
        return AddressSet.of(first, last) if self.family is V4 else AddressSet.of(first6=first, last6=last)


owners = st.lists(
    st.tuples(st.sampled_from([action for action in Action if action is not Action.NONE]), st.sampled_from(Direction))
    | st.tuples(st.just(Action.COUNT), st.sampled_from(Direction), st.just(True))
    | st.sampled_from([1, 2]).flatmap(
        lambda number: st.tuples(
            st.just(Action.DROP),
            st.sampled_from(Direction),
            st.just(False),
            st.none(),
            st.just(False),
            st.just(Scope(ports=((number, number),))),
            st.just(number),
        )
    ),
    min_size=1,
    max_size=4,
).map(lambda kinds: tuple(SourceSlot(Mark(mark), SourceId(f"s{mark}"), *kind) for mark, kind in enumerate(kinds, start=1)))


def spans_of(family: Family, most: int) -> st.SearchStrategy[SpanList]:
    top = 2 ** (32 if family is V4 else 128) - 1
    first = st.builds(lambda edge, step: edge + step, st.sampled_from(_EDGES[family]), st.integers(0, 23))
    return st.lists(st.builds(lambda low, more: (low, min(low + more, top)), first, st.integers(0, 5)), max_size=most)


def worlds_of(family: Family, sources: tuple[SourceSlot, ...]) -> st.SearchStrategy[tuple[PlanCase, PlanCase]]:
    contents = st.fixed_dictionaries({one.source_id: st.none() | spans_of(family, 6) for one in sources})
    world = st.builds(PlanCase, st.just(family), st.just(sources), contents, spans_of(family, 2))
    # Often only one source, or only what is barred, is another: the rest must stay as it is.
    some = st.sets(st.sampled_from([one.source_id for one in sources]), max_size=2)

    def mixed(one: PlanCase, other: PlanCase, taken: set[SourceId], never_banned: bool) -> tuple[PlanCase, PlanCase]:
        spans = one.spans | {source_id: other.spans[source_id] for source_id in taken}
        return one, replace(one, spans=spans, never_banned=other.never_banned if never_banned else one.never_banned)

    return st.builds(mixed, world, world, some, st.booleans())


two_worlds = st.tuples(st.sampled_from(FAMILIES), owners).flatmap(lambda drawn: worlds_of(*drawn))


def alike(one: MapEntries, other: MapEntries) -> bool:
    return (
        np.array_equal(one.first, other.first) and np.array_equal(one.last, other.last) and np.array_equal(one.mark, other.mark)
    )


@given(two_worlds)
def test_a_revised_plan_is_the_whole_plan(worlds: tuple[PlanCase, PlanCase]) -> None:
    was, basis = (world.basis() for world in worlds)
    state, _ = revise(was.plan_whole([]), basis, {family: region_between(family, was, basis) for family in FAMILIES}, [])
    whole = basis.plan_whole([])
    assert state.map_entries.keys() == whole.map_entries.keys()
    for map_id, map_entries in whole.map_entries.items():
        assert alike(state.map_entries[map_id], map_entries), map_id


def test_a_part_has_no_border_within_a_network_of_another_hook() -> None:
    plain = SourceSlot(Mark(1), SourceId("s1"), Action.DROP, Direction.IN)
    shadowed = SourceSlot(Mark(2), SourceId("s2"), Action.COUNT, Direction.IN, shadow=True)
    spans: dict[SourceId, SpanList | None] = {SourceId("s1"): [(0, 2)], SourceId("s2"): [(1, 3)]}
    one = PlanCase(V4, (plain, shadowed), spans, [(4, 4)])
    test_a_revised_plan_is_the_whole_plan.hypothesis.inner_test((one, replace(one, never_banned=[])))  # type: ignore[attr-defined]


def test_networks_that_come_into_an_empty_map_come_whole() -> None:
    blocking = SourceSlot(Mark(1), SourceId("s1"), Action.DROP, Direction.IN)
    one = PlanCase(V4, (blocking,), {SourceId("s1"): None}, [])
    test_a_revised_plan_is_the_whole_plan.hypothesis.inner_test((one, replace(one, spans={SourceId("s1"): [(0, 2)]})))  # type: ignore[attr-defined]


@given(two_worlds)
def test_what_differs_is_the_same_with_moves_or_without(worlds: tuple[PlanCase, PlanCase]) -> None:
    was, basis = (world.basis() for world in worlds)
    held = was.plan_whole([])
    state, moves = revise(held, basis, {family: region_between(family, was, basis) for family in FAMILIES}, [])
    quick, slow = difference(held, state, moves=moves), difference(held, basis.plan_whole([]))
    assert [item.map for item in quick.maps] == [item.map for item in slow.maps]
    for one, other in zip(quick.maps, slow.maps, strict=True):
        assert all(alike(getattr(one, name), getattr(other, name)) for name in ("add", "remove", "whole"))


def content(*numbers: int) -> AddressSet:
    return AddressSet.of(from_numbers(V4, numbers))


def basis_of(sources: tuple[SourceSlot, ...], **contents: AddressSet) -> Basis:
    return Basis(sources, {SourceId(name): held for name, held in contents.items()}, NOTHING, NOTHING)


ROSTER = tuple(SourceSlot(Mark(mark), SourceId(f"s{mark}"), Action.DROP, Direction.IN) for mark in (1, 2))


def test_maps_that_an_update_does_not_touch_stay_the_same_objects() -> None:
    was = basis_of(ROSTER, s1=content(*range(0, 4000, 2)), s2=content(1))
    held = was.plan_whole([])
    state, moves = plan_changes(held, was, basis_of(ROSTER, s1=was.contents[SourceId("s1")], s2=content(3)), [])
    assert moves is not None
    changed = [map_id for map_id, map_entries in state.map_entries.items() if map_entries is not held.map_entries[map_id]]
    assert [map_id.name for map_id in changed] == ["hosts4"]
    assert {map_id.name: len(move) for map_id, move in moves.items() if len(move)} == {"hosts4": 2}


def test_plan_is_made_whole_if_most_of_it_or_the_sources_change() -> None:
    was = basis_of(ROSTER, s1=content(1, 2, 3), s2=content(4))
    held = was.plan_whole([])
    for basis in (basis_of(ROSTER, s1=content(7, 8, 9), s2=content(4)), basis_of(ROSTER[:1], s1=content(1, 2, 3))):
        state, moves = plan_changes(held, was, basis, [])
        assert moves is None
        assert len(state) == 4 - (basis.sources != ROSTER)
