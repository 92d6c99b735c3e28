"""Ranges as networks, against the standard library's own."""

from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.prefixes import Networks, lasts_of, networks_of
from banlistd.core.addresses.sets import WIDTHS, Ranges, from_numbers, to_number
from banlistd.model import Family

ADDRESSES: dict[Family, Any] = {Family.IPV4: IPv4Address, Family.IPV6: IPv6Address}
FAMILIES = pytest.mark.parametrize("family", Family)


def numbers(family: Family) -> st.SearchStrategy[int]:
    """Any, and often one at an edge of a word or of everything."""
    width = WIDTHS[family]
    edges = [edge + step for edge in (0, 2 ** (width // 2), 2**width) for step in (-2, -1, 0, 1)]
    return st.sampled_from([edge for edge in edges if 0 <= edge < 2**width]) | st.integers(0, 2**width - 1)


def ranges(family: Family) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(numbers(family), min_size=2, max_size=2).map(sorted), max_size=5)


def split(family: Family, spans: list[list[int]], shortest: int = 0) -> Networks:
    first, last = (from_numbers(family, [span[end] for span in spans]) for end in (0, 1))
    return networks_of(family, first, last, shortest)


def told(networks: Networks) -> list[tuple[int, int, int]]:
    columns = zip(networks.part_of, networks.first, networks.length, strict=True)
    return [(int(part), to_number(first), int(length)) for part, first, length in columns]


@FAMILIES
@given(data=st.data())
def test_each_range_is_the_networks_that_the_standard_library_finds(family: Family, data: st.DataObject) -> None:
    spans = data.draw(ranges(family))
    found = [summarize_address_range(ADDRESSES[family](first), ADDRESSES[family](last)) for first, last in spans]
    wanted = [(part, int(network[0]), network.prefixlen) for part, networks in enumerate(found) for network in networks]
    assert told(split(family, spans)) == wanted


@FAMILIES
@given(data=st.data())
def test_a_network_ends_where_the_standard_library_says(family: Family, data: st.DataObject) -> None:
    spans = data.draw(ranges(family))
    networks = split(family, spans)
    lasts = lasts_of(family, networks.first, networks.length)
    size = WIDTHS[family]
    assert [to_number(last) for last in lasts] == [first + 2 ** (size - length) - 1 for _, first, length in told(networks)]


@given(st.lists(numbers(Family.IPV4), min_size=2, max_size=2).map(sorted), st.integers(0, 32))
def test_no_network_is_wider_than_it_may_be_and_together_they_are_the_range(ends: list[int], shortest: int) -> None:
    first, last = ends[0], min(ends[1], ends[0] + (1 << (40 - shortest)))  # not millions of them
    found = [(start, length) for _, start, length in told(split(Family.IPV4, [[first, last]], shortest))]
    assert all(length >= shortest for _, length in found)
    assert found[0][0] == first
    assert all(start + 2 ** (32 - length) == following for (start, length), (following, _) in pairwise(found))
    assert found[-1][0] + 2 ** (32 - found[-1][1]) - 1 == last


@FAMILIES
def test_everything_is_one_network_or_two_halves(family: Family) -> None:
    width = WIDTHS[family]
    everything = [[0, 2**width - 1]]
    assert told(split(family, everything)) == [(0, 0, 0)]
    assert told(split(family, everything, shortest=1)) == [(0, 0, 1), (0, 2 ** (width - 1), 1)]


@FAMILIES
def test_nothing_is_no_network(family: Family) -> None:
    nothing = Ranges.none(family)
    assert len(networks_of(family, nothing.first, nothing.last)) == 0


def test_many_ranges_are_split_at_once() -> None:
    first = np.arange(100_000, dtype=np.uint32) * np.uint32(4096) + np.uint32(5)
    networks = networks_of(Family.IPV4, first, first + np.uint32(1000))
    sizes = 2 ** (32 - networks.length.astype(np.int64))
    assert (np.bincount(networks.part_of, weights=sizes) == 1001).all()
    assert (networks.first % sizes == 0).all()
    assert (networks.first[1:] > networks.first[:-1]).all()
