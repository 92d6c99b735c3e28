"""Address algebra held against sets of integers."""

import itertools
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses import arrays as hosts
from banlistd.core.addresses import sets as addresses
from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import FAMILIES, WIDTHS, AddressSet, Ranges, from_numbers, to_number
from banlistd.model import Family

# A short stretch at each end of the address space and around the place where the 128-bit carry happens.
_EDGES = (0, 2**32 - 12, 2**64 - 6, 2**128 - 12)


def numbers_of(family: Family) -> st.SearchStrategy[int]:
    top = 2 ** WIDTHS[family]
    edges = [edge for edge in _EDGES if edge + 12 <= top]
    return st.builds(lambda edge, step: edge + step, st.sampled_from(edges), st.integers(0, 11))


def spans_of(family: Family) -> st.SearchStrategy[list[tuple[int, int]]]:
    top = 2 ** WIDTHS[family] - 1
    span = st.builds(lambda first, more: (first, min(first + more, top)), numbers_of(family), st.integers(0, 5))
    return st.lists(span, max_size=12)


def ranges_of(family: Family, spans: Iterable[tuple[int, int]]) -> Ranges:
    firsts, lasts = [span[0] for span in spans], [span[1] for span in spans]
    return addresses.union_of(family, from_numbers(family, firsts), from_numbers(family, lasts))


def members(spans: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


def spans(ranges: Ranges) -> list[tuple[int, int]]:
    return [(to_number(first), to_number(last)) for first, last in zip(ranges.first, ranges.last, strict=True)]


def in_normal_form(ranges: Ranges) -> bool:
    pairs = spans(ranges)
    return all(first <= last for first, last in pairs) and all(
        before[1] + 1 < following[0] for before, following in itertools.pairwise(pairs)
    )


family_and_two = st.sampled_from(FAMILIES).flatmap(
    lambda family: st.tuples(st.just(family), spans_of(family), spans_of(family))
)


@given(family_and_two)
def test_union(case: tuple[Family, list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    family, left, right = case
    union = ranges_of(family, left + right)
    assert members(spans(union)) == members(left) | members(right)
    assert in_normal_form(union)
    assert union.count() == len(members(left) | members(right))


@given(family_and_two)
def test_intersection(case: tuple[Family, list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    family, left, right = case
    both = addresses.intersection(ranges_of(family, left), ranges_of(family, right))
    assert members(spans(both)) == members(left) & members(right)


@given(family_and_two)
def test_subtraction(
    case: tuple[Family, list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    family, left, right = case
    rest = addresses.subtract(ranges_of(family, left), ranges_of(family, right))
    assert members(spans(rest)) == members(left) - members(right)
    assert in_normal_form(rest)


@given(family_and_two)
def test_contains_agrees_with_membership(case: tuple[Family, list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    family, left, asked = case
    questions = sorted(members(asked))
    answer = ranges_of(family, left).contains(from_numbers(family, questions))
    assert list(answer) == [number in members(left) for number in questions]


@given(family_and_two)
def test_the_widest_range_is_the_first_of_the_widest(case: tuple[Family, list[tuple[int, int]], list[tuple[int, int]]]) -> None:
    family, left, right = case
    ranges = ranges_of(family, left + right)
    if len(ranges):
        widths = [last - first for first, last in spans(ranges)]
        assert ranges.widest() == widths.index(max(widths))


@given(st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(st.just(family), spans_of(family))))
def test_the_complement_of_the_complement_is_the_same(case: tuple[Family, list[tuple[int, int]]]) -> None:
    family, some = case
    ranges = ranges_of(family, some)
    assert addresses.complement(addresses.complement(ranges)) == ranges


@given(st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(st.just(family), st.lists(numbers_of(family)))))
def test_distinct_sorts_and_keeps_each_once(case: tuple[Family, list[int]]) -> None:
    family, numbers = case
    assert [to_number(one) for one in hosts.distinct(from_numbers(family, numbers))] == sorted(set(numbers))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_whole_address_space_has_an_empty_complement(family: Family) -> None:
    top = 2 ** WIDTHS[family] - 1
    everything = ranges_of(family, [(0, top)])
    assert everything.count() == top + 1
    assert len(addresses.complement(everything)) == 0
    assert spans(addresses.complement(Ranges.none(family))) == [(0, top)]


def test_what_an_older_version_has_encoded_is_read_in_normal_form() -> None:
    """It had a range of two addresses among the networks."""
    first, last = from_numbers(Family.IPV4, [10, 20]), from_numbers(Family.IPV4, [11, 29])
    none = Ranges.none(Family.IPV6)
    older = AddressSet(from_numbers(Family.IPV4, [1, 99]), Ranges(Family.IPV4, first, last), none.first, none)
    assert AddressSet.decode(older.encode()) == AddressSet.of(
        from_numbers(Family.IPV4, [1, 10, 20, 99]), from_numbers(Family.IPV4, [1, 11, 29, 99])
    )
    assert [int(host) for host in AddressSet.decode(older.encode()).hosts4] == [1, 10, 11, 99]


@given(spans_of(Family.IPV4), spans_of(Family.IPV6))
def test_an_encoded_set_decodes_to_itself(four: list[tuple[int, int]], six: list[tuple[int, int]]) -> None:
    held = set_of(four, six)
    encoded = held.encode()
    decoded = AddressSet.decode(encoded)
    assert decoded == held
    assert held.content_hash() == hash_of(encoded)
    assert decoded.encode() == encoded
    assert members(spans(decoded.ranges(Family.IPV4))) == members(four)
    assert members(spans(decoded.ranges(Family.IPV6))) == members(six)


@given(st.permutations([(1, 1), (2, 2), (4, 9), (5, 5), (8, 12), (20, 20), (1, 1)]))
def test_the_order_of_lines_does_not_change_the_content_hash(lines: list[tuple[int, int]]) -> None:
    expected = set_of([(1, 1), (2, 2), (4, 12), (20, 20)], [])
    assert hash_of(set_of(lines, []).encode()) == hash_of(expected.encode())


def test_single_addresses_that_touch_stay_single() -> None:
    held = set_of([(1, 1), (2, 2), (3, 3)], [])
    assert list(held.hosts4) == [1, 2, 3]
    assert len(held.nets4) == 0


def test_a_single_address_inside_a_network_is_not_kept_twice() -> None:
    held = set_of([(0, 255), (7, 7), (300, 300)], [])
    assert list(held.hosts4) == [300]
    assert spans(held.nets4) == [(0, 255)]


@pytest.mark.parametrize("broken", [b"", b"BLS1", b"XXXX" + bytes(16), b"BLS1" + bytes(15), b"BLS1" + b"\1" * 16])
def test_bytes_that_are_no_encoded_set_are_refused(broken: bytes) -> None:
    with pytest.raises(ValueError, match="address set"):
        AddressSet.decode(broken)


@pytest.mark.parametrize(
    ("family", "number", "text"),
    [
        (Family.IPV4, 0xC0000201, "192.0.2.1"),
        (Family.IPV6, 0x20010DB8 << 96, "2001:db8::"),
        (Family.IPV6, 1, "::1"),
    ],
)
def test_text_is_as_the_standard_library_writes_it(family: Family, number: int, text: str) -> None:
    assert addresses.to_text(family, from_numbers(family, [number])[0]) == text


def set_of(four: list[tuple[int, int]], six: list[tuple[int, int]]) -> AddressSet:
    return AddressSet.of(
        from_numbers(Family.IPV4, [span[0] for span in four]),
        from_numbers(Family.IPV4, [span[1] for span in four]),
        from_numbers(Family.IPV6, [span[0] for span in six]),
        from_numbers(Family.IPV6, [span[1] for span in six]),
    )


def test_the_normal_form_of_bare_addresses_needs_no_second_column() -> None:
    held = AddressSet.of(np.array([3, 1, 3], dtype=np.uint32))
    assert list(held.hosts4) == [1, 3]
    assert len(held) == 2
