"""Ranges as networks, against the standard library's own."""

from ipaddress import IPv4Address, IPv6Address, ip_network, summarize_address_range
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.prefixes import prefixes

V4, V6 = st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1)


@given(st.lists(V4, min_size=2, max_size=2).map(sorted))
def test_a_range_of_ipv4_is_the_networks_that_the_standard_library_finds(ends: list[int]) -> None:
    found = [str(ip_network((first, length))) for first, length in prefixes(ends[0], ends[1], 32)]
    assert found == [str(network) for network in summarize_address_range(*map(IPv4Address, ends))]


@given(st.lists(V6, min_size=2, max_size=2).map(sorted))
def test_a_range_of_ipv6_is_the_networks_that_the_standard_library_finds(ends: list[int]) -> None:
    found = [str(IPv6Address(first)) + f"/{length}" for first, length in prefixes(ends[0], ends[1], 128)]
    assert found == [str(network) for network in summarize_address_range(*map(IPv6Address, ends))]


@given(st.lists(V4, min_size=2, max_size=2).map(sorted), st.integers(0, 32))
def test_no_network_is_wider_than_it_may_be_and_together_they_are_the_range(ends: list[int], shortest: int) -> None:
    first, last = ends[0], min(ends[1], ends[0] + (1 << (40 - shortest)))  # not millions of them
    found = list(prefixes(first, last, 32, shortest))
    assert all(length >= shortest for _, length in found)
    assert found[0][0] == first
    assert all(start + 2 ** (32 - length) == following for (start, length), (following, _) in pairwise(found))
    assert found[-1][0] + 2 ** (32 - found[-1][1]) - 1 == last


def test_everything_is_one_network_or_two_halves() -> None:
    assert list(prefixes(0, 2**32 - 1, 32)) == [(0, 0)]
    assert list(prefixes(0, 2**32 - 1, 32, shortest=1)) == [(0, 1), (2**31, 1)]
    assert list(prefixes(0, 2**128 - 1, 128, shortest=1)) == [(0, 1), (2**127, 1)]
