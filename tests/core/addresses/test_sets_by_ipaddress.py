"""Address algebra held against the standard library's `ipaddress`, over the whole width of both families."""

import ipaddress
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.arrays import are_among
from banlistd.core.addresses.neighbours import after, before
from banlistd.core.addresses.sets import (
    FAMILIES,
    WIDTHS,
    AddressSet,
    Ranges,
    complement,
    from_numbers,
    intersection,
    subtract,
    to_number,
    to_text,
    union_of,
)
from banlistd.model import Family

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Networks = Sequence[Network]

VERSIONS = {Family.IPV4: 4, Family.IPV6: 6}
EVERYTHING = {Family.IPV4: ipaddress.ip_network("0.0.0.0/0"), Family.IPV6: ipaddress.ip_network("::/0")}

each_family = pytest.mark.parametrize("family", FAMILIES)


def numbers_of(family: Family) -> st.SearchStrategy[int]:
    """Anywhere, but often at an end, and around the bits where words and bytes of an address meet."""
    width = WIDTHS[family]
    anywhere = st.integers(0, 2**width - 1)
    marks = [2**bit for bit in range(0, width + 1, 8)]
    corners = {number for mark in marks for number in (mark - 1, mark, 2**width - mark, 2**width - mark - 1)}
    return st.sampled_from(sorted(number for number in corners if 0 <= number < 2**width)) | anywhere


def networks_of(family: Family) -> st.SearchStrategy[list[Network]]:
    width = WIDTHS[family]
    kind = ipaddress.IPv4Network if family is Family.IPV4 else ipaddress.IPv6Network
    lengths = st.integers(0, width) | st.sampled_from([0, 1, width - 1, width])
    network = st.builds(lambda number, bits: kind((number, bits), strict=False), numbers_of(family), lengths)
    return st.lists(network, max_size=10)


two_lists = st.sampled_from(FAMILIES).flatmap(
    lambda family: st.tuples(st.just(family), networks_of(family), networks_of(family))
)
Case = tuple[Family, list[Network], list[Network]]


def ranges_of(family: Family, networks: Networks) -> Ranges:
    ends = ([int(network[at]) for network in networks] for at in (0, -1))
    return union_of(family, *(from_numbers(family, numbers) for numbers in ends))


def networks_in(ranges: Ranges) -> list[Network]:
    """The fewest networks that ranges come to, as `collapse_addresses` gives them."""
    found: list[Network] = []
    for first, last in zip(ranges.first, ranges.last, strict=True):
        ends = [_address(ranges.family, to_number(end)) for end in (first, last)]
        found += ipaddress.summarize_address_range(*ends)
    return found


def _address(family: Family, number: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.IPv4Address(number) if family is Family.IPV4 else ipaddress.IPv6Address(number)


def collapsed(networks: Iterable[Network]) -> list[Network]:
    return list(ipaddress.collapse_addresses(networks))  # type: ignore[type-var] # all are of one family


def without(networks: Networks, holes: Networks) -> list[Network]:
    """What is left of networks without holes."""
    left = collapsed(networks)
    for hole in collapsed(holes):
        left = [part for network in left for part in _without(network, hole)]
    return collapsed(left)


def _without(network: Network, hole: Network) -> list[Network]:
    if not network.overlaps(hole):
        return [network]
    return [] if network.prefixlen >= hole.prefixlen else list(network.address_exclude(hole))  # type: ignore[arg-type] # as above


def common(left: Networks, right: Networks) -> list[Network]:
    """Of two networks that overlap one lies within the other."""
    narrower = (max(one, other, key=lambda each: each.prefixlen) for one in left for other in right if one.overlaps(other))
    return collapsed(narrower)


@given(two_lists)
def test_union(case: Case) -> None:
    family, left, right = case
    union = ranges_of(family, [*left, *right])
    assert networks_in(union) == collapsed([*left, *right])
    assert union.count() == sum(network.num_addresses for network in collapsed([*left, *right]))


@given(two_lists)
def test_intersection(case: Case) -> None:
    family, left, right = case
    assert networks_in(intersection(ranges_of(family, left), ranges_of(family, right))) == common(left, right)


@given(two_lists)
def test_subtraction(case: Case) -> None:
    family, left, right = case
    assert networks_in(subtract(ranges_of(family, left), ranges_of(family, right))) == without(left, right)


@given(two_lists)
def test_complement(case: Case) -> None:
    family, some, _ = case
    assert networks_in(complement(ranges_of(family, some))) == without([EVERYTHING[family]], some)


@given(two_lists)
def test_membership(case: Case) -> None:
    family, some, others = case
    asked = sorted({int(network[at]) for network in [*some, *others] for at in (0, -1)})
    wanted = [any(_address(family, number) in network for network in some) for number in asked]
    assert list(ranges_of(family, some).contains(from_numbers(family, asked))) == wanted
    held = set_of(some)
    assert list(held.holds(family, from_numbers(family, asked))) == wanted
    assert [held.contains(family, number) for number in asked] == wanted
    single = sorted({int(network[0]) for network in some if network.num_addresses == 1})
    assert list(are_among(from_numbers(family, single), from_numbers(family, asked))) == [number in single for number in asked]


def set_of(networks: Networks) -> AddressSet:
    columns = []
    for family in FAMILIES:
        mine = [network for network in networks if network.version == VERSIONS[family]]
        columns += [from_numbers(family, [int(network[at]) for network in mine]) for at in (0, -1)]
    return AddressSet.of(*columns)


def ends_of(ranges: Ranges) -> list[tuple[int, int]]:
    return [(to_number(low), to_number(high)) for low, high in zip(ranges.first, ranges.last, strict=True)]


@given(networks_of(Family.IPV4), networks_of(Family.IPV6))
def test_set_and_its_encoded_form_are_normalised(four: list[Network], six: list[Network]) -> None:
    held = set_of([*four, *six])
    for found in (held, AddressSet.decode(held.encode())):
        for family, networks in ((Family.IPV4, four), (Family.IPV6, six)):
            several = ranges_of(family, [network for network in networks if network.num_addresses > 1])
            wide = [(low, high) for low, high in ends_of(several) if high > low + 1]
            pairs = {end for low, high in ends_of(several) if high == low + 1 for end in (low, high)}
            single = {int(network[0]) for network in networks if network.num_addresses == 1}
            assert ends_of(found.nets(family)) == wide
            hosts = [to_number(host) for host in found.hosts(family)]
            assert hosts == sorted(pairs | {one for one in single if not any(low <= one <= high for low, high in wide)})
            assert networks_in(found.ranges(family)) == collapsed(networks)
    assert AddressSet.decode(held.encode()).encode() == held.encode()


@given(st.sampled_from(FAMILIES).flatmap(lambda family: st.tuples(st.just(family), numbers_of(family))))
def test_text_numbers_and_neighbours(case: tuple[Family, int]) -> None:
    family, number = case
    addresses, top = from_numbers(family, [number]), 2 ** WIDTHS[family]
    assert to_number(addresses[0]) == number
    assert ipaddress.ip_address(to_text(family, addresses[0])) == _address(family, number)
    assert to_number(after(addresses)[0]) == (number + 1) % top
    assert to_number(before(addresses)[0]) == (number - 1) % top


@each_family
def test_the_ends_of_the_address_space(family: Family) -> None:
    width = WIDTHS[family]
    top = 2**width - 1
    lowest, highest = (ipaddress.ip_network(_address(family, number)) for number in (0, top))
    both: Networks = [lowest, highest]
    everything: Networks = [EVERYTHING[family]]
    ends = ranges_of(family, both)
    assert networks_in(ends) == both
    assert ends.count() == 2
    assert networks_in(complement(ends)) == without(everything, both)
    assert networks_in(subtract(ranges_of(family, everything), ends)) == networks_in(complement(ends))
    assert networks_in(intersection(ends, ranges_of(family, everything))) == both
    assert list(ends.contains(from_numbers(family, [0, 1, top - 1, top]))) == [True, False, False, True]
    assert ranges_of(family, everything).count() == 2**width
    assert len(subtract(ends, ranges_of(family, everything))) == 0
    assert AddressSet.decode(set_of(both).encode()) == set_of([highest, lowest])
    assert [to_number(host) for host in set_of(both).hosts(family)] == [0, top]
