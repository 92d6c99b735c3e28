"""Lists and hits over time, in slots."""

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.feeds.value.over_time import BEFORE, SLOTS, HitSpan, ListSizes, Slots, hits_of, sizes_of, summed, time_lines
from support.sources import ONE, THREE, TWO


def test_a_size_stays_until_the_next_one_and_is_unknown_before_the_first() -> None:
    sizes = sizes_of([ListSizes(ONE, {9: 20, 2: 10}), ListSizes(TWO, {BEFORE: 5})])
    assert sizes[ONE] == [None] * 2 + [10] * 7 + [20] * (SLOTS - 9)
    assert sizes[TWO] == [5] * SLOTS


def test_what_is_not_known_counts_as_nothing_in_a_sum() -> None:
    assert summed(sizes_of([ListSizes(ONE, {1: 3}), ListSizes(TWO, {2: 4})]).values()) == [0, 3, *[7] * (SLOTS - 2)]
    assert summed([]) == [0] * SLOTS


@given(st.lists(st.tuples(st.integers(-3, SLOTS + 3), st.integers(0, 9), st.integers(1, 4)), max_size=9))
def test_a_hit_is_under_way_from_the_slot_of_its_first_sample_to_that_of_its_last(made: list[tuple[int, int, int]]) -> None:
    rows = [HitSpan(ONE, first, first + more, hits) for first, more, hits in made]
    found = hits_of(rows).get(ONE, [0] * SLOTS)

    def place(slot: int) -> int:
        return min(max(slot, 0), SLOTS - 1)

    assert found == [sum(row.hits for row in rows if place(row.first) <= at <= place(row.last)) for at in range(SLOTS)]


def test_slots_have_a_width_although_the_clock_was_set_back() -> None:
    assert Slots.between(100.0, 160.0) == Slots(100.0, 1.0)
    assert Slots.between(100.0, 50.0).width > 0


def test_lists_that_are_not_in_force_and_the_entries_of_combinations_are_left_out() -> None:
    sizes = [ListSizes(source_id, {BEFORE: 5}) for source_id in (ONE, TWO, THREE)]
    hits = [HitSpan(source_id, 0, 0, 2) for source_id in (ONE, TWO, THREE)]
    found = time_lines(sizes, hits, in_force={ONE, TWO}, combined={TWO})
    assert (found.entries[0], found.hits[0]) == (5, 4)
    assert (set(found.sizes), set(found.met)) == ({ONE}, {ONE, TWO})
