"""What leads from a version of a list to the one before: the very same canonical bytes, both ways."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.addresses.versions.deltas import VersionDelta, delta_between
from banlistd.model import Family

V4, V6 = Family.IPV4, Family.IPV6
HIGH = (1 << 128) - 1


def addresses(four: list[tuple[int, int]], six: list[tuple[int, int]]) -> AddressSet:
    return AddressSet.of(
        *(from_numbers(V4, [pair[end] for pair in four]) for end in (0, 1)),
        *(from_numbers(V6, [pair[end] for pair in six]) for end in (0, 1)),
    )


def pairs(top: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    near = st.integers(0, 40) | st.integers(top - 40, top) | st.integers(0, top)
    both = st.tuples(near, st.sampled_from([0, 0, 1, 5, 300])).map(lambda pair: (pair[0], min(top, sum(pair))))
    return st.lists(both, max_size=12)


SETS = st.builds(addresses, pairs((1 << 32) - 1), pairs(HIGH))


@given(SETS, SETS)
def test_a_delta_leads_back_to_the_same_canonical_bytes(before: AddressSet, after: AddressSet) -> None:
    delta = VersionDelta.read(delta_between(before, after).written())
    assert delta.other(after).encode() == before.encode()
    if not delta.whole:
        assert delta.other(before).encode() == after.encode()


@given(SETS, SETS, st.integers(0, 60))
def test_the_entries_of_an_address_lead_back_as_the_whole_does(before: AddressSet, after: AddressSet, number: int) -> None:
    delta = delta_between(before, after)
    for family in Family:
        now = entries(after, family, number)
        then = delta.entries_with(family, number) if delta.whole else now ^ delta.entries_with(family, number)
        assert then == entries(before, family, number)


def entries(content: AddressSet, family: Family, number: int) -> frozenset[tuple[int, int]]:
    return delta_between(content, AddressSet.none()).entries_with(family, number)


def test_a_list_with_little_in_common_is_stored_whole() -> None:
    before, after = addresses([(1, 1), (5, 9)], []), addresses([(n, n) for n in range(100, 120)], [])
    delta = delta_between(before, after)
    assert delta.whole
    assert len(delta) == 2
    assert delta.other(after) == before


def test_a_long_list_is_compared_piece_by_piece() -> None:
    old = np.arange(10, 3_000_000, 7, dtype=np.uint32)
    new = np.delete(np.insert(old, [1000, 200_000, 300_000], [7004, 1_400_005, 2_100_005]), [0, 70_000, len(old) + 2])
    before, after = AddressSet.of(old), AddressSet.of(new)
    delta = delta_between(before, after)
    assert len(delta) == 6
    assert len(delta.written()) < 100
    assert delta.other(after).content_hash() == before.content_hash()


def test_equal_versions_have_an_empty_delta() -> None:
    content = addresses([(1, 1), (4, 8)], [(5, 5), (9, 40)])
    delta = delta_between(content, content)
    assert len(delta) == 0
    assert VersionDelta.read(delta.written()).other(content) == content


@pytest.mark.parametrize("cut", [0, 4, 20, 24, -1])
def test_a_damaged_delta_is_an_error(cut: int) -> None:
    written = delta_between(addresses([(n * 3, n * 3) for n in range(50)], [(1, 1)]), AddressSet.none()).written()
    with pytest.raises(ValueError, match="delta"):
        VersionDelta.read(written[:cut])


def test_other_bytes_and_a_longer_body_are_an_error() -> None:
    written = delta_between(addresses([(1, 1)], []), AddressSet.none()).written()
    with pytest.raises(ValueError, match="no encoded delta"):
        VersionDelta.read(b"XXXX" + written[4:])
    with pytest.raises(ValueError, match="wrong length"):
        VersionDelta.read(written[:5] + bytes(16) + written[21:])
