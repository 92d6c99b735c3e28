import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.reserved import RESERVED
from banlistd.core.download.reachability import is_metadata, is_public

# https://www.iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry, every row. Not here:
# ::ffff:0:0/96 and 64:ff9b::/96, which count as the IPv4 address in them.
IANA = [
    "0.0.0.0/8",
    "0.0.0.0/32",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/32",
    "192.0.0.171/32",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.88.99.2/32",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::1/128",
    "::/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
]
# Multicast, once site-local, and everything in ::/8 that IANA reserves.
BESIDE_IT = ["224.0.0.0/4", "ff00::/8", "fec0::/10", "::/96", "::ffff:0:0:0/96"]


def inside(network: IPv4Network | IPv6Network) -> st.SearchStrategy[str]:
    first, last = int(network[0]), int(network[-1])
    kind = type(network[0])
    return st.one_of(st.sampled_from([first, last]), st.integers(first, last)).map(lambda number: str(kind(number)))


@given(st.sampled_from(IANA + BESIDE_IT).map(ipaddress.ip_network).flatmap(inside))
def test_no_special_purpose_address_is_public(address: str) -> None:
    assert not is_public(address)


@given(st.sampled_from(sorted(set(RESERVED) - {"::ffff:0:0/96"})).map(ipaddress.ip_network).flatmap(inside))
def test_no_address_that_lists_may_not_ban_is_public(address: str) -> None:
    assert not is_public(address)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_an_ipv4_address_is_as_public_mapped_and_behind_nat64(address: IPv4Address) -> None:
    for prefix in ("::ffff:0:0", "64:ff9b::"):
        assert is_public(str(IPv6Address(int(IPv6Address(prefix)) + int(address)))) is is_public(str(address))


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_only_global_unicast_can_be_public(address: IPv6Address) -> None:
    if is_public(str(address)):
        assert address in IPv6Network("2000::/3") or address in IPv6Network("64:ff9b::/96") or address.ipv4_mapped


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"],
)
def test_what_everybody_reaches_is_public(address: str) -> None:
    assert is_public(address)
    assert not is_metadata(address)


@pytest.mark.parametrize("address", ["168.63.129.16", "192.0.0.192", "fec0::1", "fe80::1%eth0", "64:ff9b:1::a00:1"])
def test_addresses_that_python_takes_for_global_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "100.100.100.200",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
    ],
)
def test_the_places_of_a_clouds_secrets_are_known_in_every_form(address: str) -> None:
    assert is_metadata(address)
    assert not is_public(address)


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "127.0.0.1", "::1", "fd00::1", "100.64.0.1"])
def test_a_private_address_is_no_metadata_address(address: str) -> None:
    assert not is_metadata(address)
