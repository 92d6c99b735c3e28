"""Addresses that half the Internet depends on. A list that holds one is mistaken, or was made to do harm."""

import ipaddress
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, from_numbers, subtract, to_text, union_of
from banlistd.model import Family

CRITICAL: Mapping[str, str] = {
    **dict.fromkeys(("198.41.0.4", "2001:503:ba3e::2:30"), "root name server A"),
    **dict.fromkeys(("170.247.170.2", "2801:1b8:10::b"), "root name server B"),
    **dict.fromkeys(("192.33.4.12", "2001:500:2::c"), "root name server C"),
    **dict.fromkeys(("199.7.91.13", "2001:500:2d::d"), "root name server D"),
    **dict.fromkeys(("192.203.230.10", "2001:500:a8::e"), "root name server E"),
    **dict.fromkeys(("192.5.5.241", "2001:500:2f::f"), "root name server F"),
    **dict.fromkeys(("192.112.36.4", "2001:500:12::d0d"), "root name server G"),
    **dict.fromkeys(("198.97.190.53", "2001:500:1::53"), "root name server H"),
    **dict.fromkeys(("192.36.148.17", "2001:7fe::53"), "root name server I"),
    **dict.fromkeys(("192.58.128.30", "2001:503:c27::2:30"), "root name server J"),
    **dict.fromkeys(("193.0.14.129", "2001:7fd::1"), "root name server K"),
    **dict.fromkeys(("199.7.83.42", "2001:500:9f::42"), "root name server L"),
    **dict.fromkeys(("202.12.27.33", "2001:dc3::35"), "root name server M"),
    **dict.fromkeys(("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111", "2606:4700:4700::1001"), "resolver of Cloudflare"),
    **dict.fromkeys(("8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844"), "resolver of Google"),
    **dict.fromkeys(("9.9.9.9", "149.112.112.112", "2620:fe::fe", "2620:fe::9"), "resolver of Quad9"),
    **dict.fromkeys(("208.67.222.222", "208.67.220.220", "2620:119:35::35", "2620:119:53::53"), "resolver of OpenDNS"),
}
"""Addresses of the root name servers (the root hints of IANA, B since November 2023) and of the large public resolvers.

They are on real lists: ten of them among 3.2 million listed addresses, 8.8.8.8 on those of X4B and CleanTalk (measured)."""


def critical_in(addresses: AddressSet) -> Sequence[str]:
    """The critical addresses that a list contains, alone or in a network, as text."""
    found = []
    for family in FAMILIES:
        critical = _ranges()[family].first
        found += [to_text(family, address) for address in critical[addresses.holds(family, critical)]]
    return found


def without_critical(addresses: AddressSet) -> AddressSet:
    """A list without the critical addresses."""
    columns = []
    for family in FAMILIES:
        critical, hosts = _ranges()[family], addresses.hosts(family)
        hosts = hosts[~critical.contains(hosts)]
        nets = subtract(addresses.nets(family), critical)
        columns += [np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last])]
    return AddressSet.of(*columns)


@cache
def _ranges() -> Mapping[Family, Ranges]:
    texts = [ipaddress.ip_address(text) for text in CRITICAL]
    ranges = {}
    for family, version in ((Family.IPV4, 4), (Family.IPV6, 6)):
        ends = from_numbers(family, sorted(int(text) for text in texts if text.version == version))
        ranges[family] = union_of(family, ends, ends)
    return ranges
