"""Single addresses in ranges, held against sets of integers; the ways for few and for many give the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses import arrays as hosts
from banlistd.core.addresses.sets import from_numbers, to_number, union_of
from banlistd.model import Family

family_numbers_spans = st.tuples(
    st.sampled_from(Family),
    st.sets(st.integers(0, 60), max_size=40),
    st.lists(st.builds(lambda first, more: (first, first + more), st.integers(0, 60), st.integers(0, 6)), max_size=12),
)


@given(family_numbers_spans)
@pytest.mark.parametrize("few", [4096, 0], ids=["slice by slice", "with a mask"])
def test_hosts_are_within_the_ranges_or_without(few: int, case: tuple[Family, set[int], list[tuple[int, int]]]) -> None:
    family, numbers, spans = case
    ranges = union_of(family, *(from_numbers(family, [span[end] for span in spans]) for end in (0, 1)))
    inside = {number for number in numbers if any(first <= number <= last for first, last in spans)}
    every = from_numbers(family, sorted(numbers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hosts, "_FEW", few)
        within, without = (way(every, ranges.first, ranges.last) for way in (hosts.within, hosts.without))
    assert [*map(to_number, within)] == sorted(inside)
    assert [*map(to_number, without)] == sorted(numbers - inside)
    assert hosts.count_in(every, ranges.first, ranges.last) == len(inside)
    assert [*hosts.are_in(every, ranges.first, ranges.last)] == [number in inside for number in sorted(numbers)]


def test_hosts_of_which_none_goes_are_the_same_array() -> None:
    every = np.arange(10, 1000, dtype=np.uint32)
    first, last = np.array([0, 2000], dtype=np.uint32), np.array([9, 3000], dtype=np.uint32)
    assert hosts.without(every, first, last) is every


numbers = st.sets(st.integers(0, 30))


@given(st.sampled_from(Family), numbers, numbers)
def test_difference_of_two_sorted_arrays(family: Family, left: set[int], right: set[int]) -> None:
    one, other = (from_numbers(family, sorted(some)) for some in (left, right))
    assert [*map(to_number, hosts.symmetric_difference(one, other))] == sorted(left ^ right)
    assert [*map(to_number, hosts.missing_from(one, other))] == sorted(right - left)
