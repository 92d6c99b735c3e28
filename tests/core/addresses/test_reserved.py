"""Addresses in which one's own traffic lives, at both ends of each network."""

import ipaddress

import pytest

from banlistd.core.addresses.reserved import RESERVED, reserved_ranges
from banlistd.core.addresses.sets import from_numbers, union_of
from banlistd.model import Family


def is_reserved(text: str) -> bool:
    address = ipaddress.ip_address(text)
    family = Family.IPV4 if address.version == 4 else Family.IPV6
    return bool(reserved_ranges()[family].contains(from_numbers(family, [int(address)]))[0])


@pytest.mark.parametrize("text", RESERVED)
def test_a_network_is_reserved_from_its_first_address_to_its_last(text: str) -> None:
    network = ipaddress.ip_network(text)  # raises where host bits are set
    assert is_reserved(str(network[0]))
    assert is_reserved(str(network[-1]))


@pytest.mark.parametrize("text", RESERVED)
def test_the_neighbours_of_a_network_are_not_reserved_unless_they_are_named_too(text: str) -> None:
    network = ipaddress.ip_network(text)
    others = [ipaddress.ip_network(other) for other in RESERVED]
    for number in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= number < 2**network.max_prefixlen:
            neighbour = type(network[0])(number)
            assert is_reserved(str(neighbour)) is any(neighbour in other for other in others)


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1",
        "10.255.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:8.8.8.8",
    ],
)
def test_what_a_machine_needs_to_live_is_reserved(text: str) -> None:
    assert is_reserved(text)


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "172.32.0.0", "100.128.0.0", "192.0.2.1", "203.0.113.7", "223.255.255.255", "2001:db8::7", "2000::", "::2"],
)
def test_what_a_list_may_name_is_not_reserved(text: str) -> None:
    assert not is_reserved(text)


@pytest.mark.parametrize("family", Family)
def test_the_ranges_are_in_normal_form(family: Family) -> None:
    ranges = reserved_ranges()[family]
    assert ranges == union_of(family, ranges.first, ranges.last)


def test_every_network_says_by_which_document() -> None:
    for reason in RESERVED.values():
        assert "RFC" in reason
