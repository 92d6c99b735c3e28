"""Teredo and ISATAP addresses found in lists, held against `ipaddress`."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.embedded import ISATAP, TEREDO, isatap_of, teredo_of
from banlistd.core.addresses.sets import AddressSet, Ranges, from_numbers, intersection, to_number, union_of
from banlistd.model import Family
from support.processor_time import processor_seconds

V4, V6 = Family.IPV4, Family.IPV6


def v4(*texts: str) -> Ranges:
    networks = [IPv4Network(text) for text in texts]
    return union_of(
        V4,
        from_numbers(V4, [int(network[0]) for network in networks]),
        from_numbers(V4, [int(network[-1]) for network in networks]),
    )


def listed(networks: Sequence[IPv6Network]) -> AddressSet:
    none = from_numbers(V4, [])
    ends = (from_numbers(V6, [int(network[at]) for network in networks]) for at in (0, -1))
    return AddressSet.of(none, none, *ends)


def texts_of(ranges: Ranges) -> list[str]:
    bounds = zip(ranges.first, ranges.last, strict=True)
    return [f"{IPv6Address(to_number(first))}-{IPv6Address(to_number(last))}" for first, last in bounds]


def test_the_client_of_a_teredo_address_is_its_end_inverted() -> None:
    # The example of RFC 4380 4, with the address that ipaddress finds in it.
    address = IPv6Address("2001:0:4136:e378:8000:63bf:3fff:fdd2")
    assert address.teredo is not None
    client = address.teredo[1]
    assert texts_of(teredo_of(listed([IPv6Network(address)]), v4(f"{client}/32"))) == [f"{address}-{address}"]
    assert not len(teredo_of(listed([IPv6Network(address)]), v4(f"{client + 1}/32")))


@pytest.mark.parametrize("text", ["fe80::5efe:192.0.2.1", "2001:db8:7::200:5efe:192.0.2.1", "2001:db8::5efe:c000:201"])
def test_an_isatap_address_is_found_in_any_subnet(text: str) -> None:
    assert len(isatap_of(listed([IPv6Network(text)]), v4("192.0.2.0/24"))) == 1
    assert not len(isatap_of(listed([IPv6Network(text)]), v4("192.0.3.0/24")))


@pytest.mark.parametrize("text", ["2001:db8::1:5efe:192.0.2.1", "2001:db8::192.0.2.1", "2001:db8:5efe::192.0.2.1"])
def test_another_interface_identifier_is_none_of_isatap(text: str) -> None:
    assert not len(isatap_of(listed([IPv6Network(text)]), v4("0.0.0.0/0")))


def test_a_network_loses_the_piece_in_question_alone() -> None:
    found = teredo_of(listed([IPv6Network("2001:0:102:304:0:1:3fff:0/112")]), v4("192.0.2.0/24"))
    assert texts_of(found) == ["2001:0:102:304:0:1:3fff:fd00-2001:0:102:304:0:1:3fff:fdff"]
    found = isatap_of(listed([IPv6Network("2001:db8::5efe:0:0/96")]), v4("192.0.2.0/24", "198.51.100.7/32"))
    assert texts_of(found) == [
        "2001:db8::5efe:c000:200-2001:db8::5efe:c000:2ff",
        "2001:db8::5efe:c633:6407-2001:db8::5efe:c633:6407",
    ]


@pytest.mark.parametrize("text", ["2001::/32", "2001:0:102:304::/64", "2001:0:102:304::/91", "2001:db8::/64", "::/0"])
def test_a_wider_network_stays_whole(text: str) -> None:
    for found in (teredo_of, isatap_of):
        assert not len(found(listed([IPv6Network(text)]), v4("192.0.2.1/32")))


def test_more_pieces_than_anyone_lists_take_the_networks_out_whole() -> None:
    first = from_numbers(V6, [TEREDO << 96 | 2 * number << 32 for number in range(70_000)])
    last = from_numbers(V6, [TEREDO << 96 | 2 * number << 32 | 0xFFFF for number in range(70_000)])
    found = teredo_of(AddressSet.of(None, None, first, last), v4("255.255.255.255/32"))
    assert found == Ranges(V6, first, last)


# A small world: few prefixes, side by side and apart, and the ends of the IPv4 space.
PREFIXES = (
    *(TEREDO << 64 | number for number in (0, 1, 2, 2**32 - 1, 2**32, 2**64 - 1)),
    TEREDO - 1 << 64 | 2**64 - 1,
    TEREDO + 1 << 64,
    *(net << 32 | identifier for net in (0, 0x2001_0DB8_0000_0000) for identifier in (0x5EFD, *ISATAP, 0x5EFF, 0x0200_5EFF)),
)
LOW = st.sampled_from([0, 1, 0x5EFE, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF]) | st.integers(0, 2**32 - 1)
v6_networks = st.builds(
    lambda prefix, low, bits: IPv6Network((prefix << 32 | low, bits), strict=False),
    st.sampled_from(PREFIXES),
    LOW,
    st.integers(96, 128) | st.integers(92, 128) | st.integers(0, 128),
)
v4_networks = st.builds(lambda low, bits: IPv4Network((low, bits), strict=False), LOW, st.integers(0, 32))


def narrow(ranges: Ranges) -> list[tuple[int, int]]:
    """Those in which no more than 16 networks of /96 are."""
    bounds = [(to_number(first), to_number(last)) for first, last in zip(ranges.first, ranges.last, strict=True)]
    return [(first, last) for first, last in bounds if (last >> 32) - (first >> 32) < 16]


def is_form(number: int, wanted: Sequence[IPv4Network], entries: Ranges) -> bool:
    """By the standard library for Teredo, which may begin within an entry, and by RFC 5214 for ISATAP."""
    address, teredo = IPv6Address(number), IPv6Network("2001::/32")
    inside = intersection(entries, Ranges(V6, *(from_numbers(V6, [int(teredo[at])]) for at in (0, -1))))
    clients = [(address.teredo[1], inside)] if address.teredo else []
    hosts = [(IPv4Address(number & 0xFFFF_FFFF), entries)] if number >> 32 & 0xFFFF_FFFF in ISATAP else []
    return any(
        any(first <= number <= last for first, last in narrow(where)) and any(host in network for network in wanted)
        for host, where in clients + hosts
    )


@given(st.lists(v6_networks, max_size=6), st.lists(v4_networks, max_size=4), st.lists(LOW, max_size=3))
def test_exactly_what_is_listed_narrowly_and_carries_an_address_in_question_is_found(
    networks: list[IPv6Network], wanted: list[IPv4Network], more: list[int]
) -> None:
    content, ranges = listed(networks), v4(*map(str, wanted))
    first, last = (
        np.concatenate([getattr(found, end) for found in (teredo_of(content, ranges), isatap_of(content, ranges))])
        for end in ("first", "last")
    )
    found = union_of(V6, first, last)
    ends = {low for network in wanted for end in (network[0], network[-1]) for low in (int(end), 0xFFFF_FFFF ^ int(end))}
    probes = {prefix << 32 | low for prefix in PREFIXES for low in {0, 2**32 - 1, *more, *ends}}
    probes |= {int(network[at]) for network in networks for at in (0, -1)}
    for number in probes:
        got = bool(found.contains(from_numbers(V6, [number]))[0])
        assert got == is_form(number, wanted, content.ranges(V6)), IPv6Address(number)


def test_two_hundred_thousand_addresses_cost_no_more_than_to_make_a_set_of_them() -> None:
    chance = np.random.default_rng(7)
    words = chance.integers(0, 2**32, (200_000, 4), dtype=np.uint32).astype(">u4")
    words[:, 0] = TEREDO
    words[::2, 0], words[::2, 2] = 0x2A00_0001, ISATAP[0]
    addresses = words.view("S16").reshape(-1)
    content = AddressSet.of(None, None, addresses)
    allowed = v4("192.0.2.0/24", "10.0.0.0/8", *(f"203.0.{number}.7/32" for number in range(250)))
    assert len(teredo_of(content, allowed))
    assert len(isatap_of(content, allowed))
    # A quarter of it (measured).
    making = processor_seconds(lambda: AddressSet.of(None, None, addresses))
    assert processor_seconds(lambda: (teredo_of(content, allowed), isatap_of(content, allowed))) < 4 * making
