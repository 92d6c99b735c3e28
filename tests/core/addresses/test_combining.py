"""Unions, intersections, what several sets share, and what is left without others: compared with sets of integers."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.combining import all_but, in_at_least
from banlistd.core.addresses.sets import FAMILIES, WIDTHS, AddressSet, from_numbers, to_number
from banlistd.core.feeds.parsers import parse
from banlistd.model import Family

Spans = Sequence[tuple[int, int]]

# Both ends of the space, where one past the last address does not fit the type.
_LENGTHS = st.sampled_from([0, 0, 0, 1, 2, 5, 9])
_SPANS = st.lists(st.builds(lambda first, more: (first, min(first + more, 40)), st.integers(0, 40), _LENGTHS), max_size=8)
_LISTS = st.lists(_SPANS, min_size=1, max_size=5)


def placed(number: int, family: Family) -> int:
    """The first half of the numbers are the lowest addresses of the family, the second half the highest."""
    return number if number <= 20 else 2 ** WIDTHS[family] - 41 + number


def set_of(spans: Spans) -> AddressSet:
    """The same spans in both families; one that crosses the middle is two."""
    halves = [(max(first, low), min(last, high)) for first, last in spans for low, high in ((0, 20), (21, 40))]
    kept = [(first, last) for first, last in halves if first <= last]
    columns = [from_numbers(family, [placed(span[end], family) for span in kept]) for family in FAMILIES for end in (0, 1)]
    return AddressSet.of(*columns)


def members(spans: Spans) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


def found(addresses: AddressSet, family: Family) -> set[int]:
    return {number for number in range(41) if addresses.contains(family, placed(number, family))}


@given(_LISTS, st.integers(1, 5))
def test_an_address_is_in_the_result_if_as_many_lists_have_it(lists: Sequence[Spans], number: int) -> None:
    combined = in_at_least(number, [set_of(spans) for spans in lists])
    expected = {one for one in range(41) if sum(one in members(spans) for spans in lists) >= number}
    assert [found(combined, family) for family in FAMILIES] == [expected, expected]
    assert sum(len(combined.ranges(family)) for family in FAMILIES) <= len(combined)
    assert combined == AddressSet.decode(combined.encode())


@given(_SPANS, st.lists(_SPANS, max_size=3))
def test_what_is_excluded_is_not_in_the_result(spans: Spans, others: Sequence[Spans]) -> None:
    left = all_but(set_of(spans), [set_of(other) for other in others])
    expected = members(spans) - members([span for other in others for span in other])
    assert [found(left, family) for family in FAMILIES] == [expected, expected]
    assert left == AddressSet.decode(left.encode())


@given(_LISTS)
def test_a_union_is_what_the_lists_would_be_in_one_file(lists: Sequence[Spans]) -> None:
    together, one_file = in_at_least(1, [set_of(spans) for spans in lists]), set_of([span for spans in lists for span in spans])
    assert all(together.ranges(family) == one_file.ranges(family) for family in FAMILIES)


def listed(*lines: str) -> AddressSet:
    return parse("\n".join(lines).encode()).addresses


def entries(addresses: AddressSet) -> tuple[list[int], list[tuple[int, int]]]:
    nets = addresses.nets4
    return [*map(to_number, addresses.hosts4)], [*zip(nets.first.tolist(), nets.last.tolist(), strict=True)]


def test_single_addresses_that_touch_stay_single_addresses() -> None:
    network = listed("0.0.0.0/24")
    singles = listed("0.0.0.5", "0.0.0.6", "0.0.0.7")
    assert entries(in_at_least(2, [network, singles])) == ([5, 6, 7], [])
    assert entries(in_at_least(2, [singles, singles])) == ([5, 6, 7], [])
    assert entries(in_at_least(2, [network, network, singles])) == ([], [(0, 255)])


@pytest.mark.parametrize("lists", [[], [AddressSet.none()], [AddressSet.none()] * 3])
def test_nothing_is_made_of_nothing(lists: Sequence[AddressSet]) -> None:
    assert len(in_at_least(1, lists)) == len(in_at_least(2, lists)) == len(all_but(AddressSet.none(), lists)) == 0


def test_a_network_without_an_address_of_it_is_its_two_other_parts() -> None:
    assert entries(all_but(listed("0.0.0.0/24"), [listed("0.0.0.1")])) == ([0], [(2, 255)])
