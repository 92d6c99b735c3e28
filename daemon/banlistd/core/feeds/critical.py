"""Addresses that a list must not ban: those that half the Internet depends on, and those that the administrator names.

A list that contains one is mistaken, or was made to do harm.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from banlistd.core.addresses.arrays import without
from banlistd.core.addresses.comparison import overlapping
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, from_numbers, subtract, to_number, union_of
from banlistd.core.addresses.text import span_text
from banlistd.core.config.sections.guards import Guards
from banlistd.model import Family, Span

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


@dataclass(frozen=True, slots=True, order=True)
class CriticalReference:
    """A range of critical addresses, and why they are critical."""

    span: Span
    reason: str

    @property
    def text(self) -> str:
        return span_text(self.span)


_KNOWN = tuple(
    CriticalReference((Family.IPV4 if one.version == 4 else Family.IPV6, int(one), int(one)), reason)  # noqa: PLR2004 - IPv4
    for one, reason in ((ipaddress.ip_address(text), reason) for text, reason in CRITICAL.items())
)


def references_of(guards: Guards, allowed: Mapping[Family, Ranges]) -> Sequence[CriticalReference]:
    """What is critical for a source; `allowed`: the allowlist that is in force."""
    named = [
        CriticalReference((Family.IPV4 if first.version == 4 else Family.IPV6, int(first), int(last)), "critical_addresses")  # noqa: PLR2004
        for first, last in guards.critical_addresses
    ]
    if guards.critical_allow:
        for family in FAMILIES:
            ends = zip(allowed[family].first, allowed[family].last, strict=True)
            named += [CriticalReference((family, to_number(first), to_number(last)), "allow") for first, last in ends]
    return (*_KNOWN, *named) if named else _KNOWN


def critical_in(addresses: AddressSet, references: Sequence[CriticalReference]) -> Sequence[CriticalReference]:
    """Those of which a list contains an address, alone or in a network; in order of addresses."""
    found: list[CriticalReference] = []
    for family in FAMILIES:
        if not len(addresses.hosts(family)) and not len(addresses.nets(family)):
            continue
        mine, columns = _known_in(family) if references is _KNOWN else _in(family, references)
        found += [mine[at] for at in np.flatnonzero(overlapping(addresses, family, *columns))]
    return sorted(found)


def _in(family: Family, references: Sequence[CriticalReference]) -> tuple[list[CriticalReference], tuple[Addresses, Addresses]]:
    """Those of one family, and their ends."""
    mine = [one for one in references if one.span[0] is family]
    return mine, _columns(family, mine)


@cache
def _known_in(family: Family) -> tuple[list[CriticalReference], tuple[Addresses, Addresses]]:
    return _in(family, _KNOWN)


def without_critical(addresses: AddressSet, found: Sequence[CriticalReference]) -> AddressSet:
    """A list without these addresses."""
    columns = []
    for family in FAMILIES:
        critical = union_of(family, *_columns(family, [one for one in found if one.span[0] is family]))
        hosts = without(addresses.hosts(family), critical.first, critical.last)
        nets = subtract(addresses.nets(family), critical)
        columns += [np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last])]
    return AddressSet.of(*columns)


def _columns(family: Family, references: Sequence[CriticalReference]) -> tuple[Addresses, Addresses]:
    return (
        from_numbers(family, [one.span[1] for one in references]),
        from_numbers(family, [one.span[2] for one in references]),
    )
