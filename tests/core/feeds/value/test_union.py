"""The union of lists, some at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import FAMILIES, AddressSet, from_numbers
from banlistd.core.feeds.value import report
from banlistd.core.feeds.value.report import together
from banlistd.model import Family

V4, V6 = Family.IPV4, Family.IPV6


@pytest.mark.parametrize("at_once", [1, 5, 1 << 16])
@given(lists=st.lists(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=4), max_size=9))
def test_the_union_of_lists_is_that_of_all_their_ranges(at_once: int, lists: list[list[tuple[int, int]]]) -> None:
    def made(spans: list[tuple[int, int]]) -> AddressSet:
        ends = [[start for start, _ in spans], [start + more for start, more in spans]]
        return AddressSet.of(*(from_numbers(family, one) for family in (V4, V6) for one in ends))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "_PASS", at_once)
        found = together([made(spans) for spans in lists])
    whole = made([span for spans in lists for span in spans])
    assert found == AddressSet.of_ranges({family: whole.ranges(family) for family in FAMILIES})
