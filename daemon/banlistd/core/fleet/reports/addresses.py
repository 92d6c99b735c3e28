"""The addresses of reports: single IPv4 addresses, and the /64 of an IPv6 address, which one host has to itself. Pure."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from banlistd.core.addresses.sets import AddressSet, Ranges, from_numbers
from banlistd.model import Family

ReportedAddress = bytes
"""An IPv4 address, 4 octets, or the first 8 octets of an IPv6 address: its /64."""

_FOUR, _SIX = 4, 8
_BELOW = (1 << 64) - 1
_GLOBAL_UNICAST = 0b001
"""The first three bits of every IPv6 address that is routed (RFC 4291 2.4, IANA's registry)."""


def reported_address(text: str) -> ReportedAddress:
    """A single address. Raises ValueError for anything else: a network, a range, an address with a zone."""
    address = ipaddress.ip_address(text)
    if "%" in text:
        raise ValueError("an address with a zone")
    return address.packed[: _FOUR if address.version == 4 else _SIX]  # noqa: PLR2004 - IP version four


def address_within(family: Family, first: int, last: int) -> ReportedAddress | None:
    """What is reported of a ban of a range: a single IPv4 address, or a part of one /64; None: nothing, as it is wider."""
    if family is Family.IPV4:
        return first.to_bytes(_FOUR, "big") if first == last else None
    return (first >> 64).to_bytes(_SIX, "big") if first >> 64 == last >> 64 else None


def address_text(seen: ReportedAddress) -> str:
    """For a person: `203.0.113.7`, or `2001:db8::/64`."""
    if len(seen) == _FOUR:
        return str(ipaddress.IPv4Address(seen))
    return f"{ipaddress.IPv6Address(seen.ljust(16, bytes(1)))}/64"


def written(seen: ReportedAddress) -> str:
    """As a report has it: one address, the first of a /64."""
    return address_text(seen).removesuffix("/64")


def bounds_of(seen: ReportedAddress) -> tuple[Family, int, int]:
    """The addresses, as integers, both inclusive."""
    number = int.from_bytes(seen, "big")
    return (Family.IPV4, number, number) if len(seen) == _FOUR else (Family.IPV6, number << 64, number << 64 | _BELOW)


def as_set(addresses: Iterable[ReportedAddress]) -> AddressSet:
    """As the content of a list."""
    bounds: dict[Family, list[tuple[int, int]]] = {Family.IPV4: [], Family.IPV6: []}
    for family, first, last in map(bounds_of, addresses):
        bounds[family].append((first, last))
    four, six = (bounds[family] for family in (Family.IPV4, Family.IPV6))
    singles = from_numbers(Family.IPV4, [first for first, _ in four])
    return AddressSet.of(
        singles,
        singles,
        from_numbers(Family.IPV6, [first for first, _ in six]),
        from_numbers(Family.IPV6, [last for _, last in six]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Exempt:
    """What a hub lists never: what is allowed or protected there, and what is not public."""

    ranges: Mapping[Family, Ranges]

    def has(self, seen: ReportedAddress) -> bool:
        """Whether any address of it is exempt."""
        family, first, last = bounds_of(seen)
        if family is Family.IPV6 and first >> 125 != _GLOBAL_UNICAST:
            return True
        ranges = self.ranges[family]
        low, high = from_numbers(family, [first]), from_numbers(family, [last])
        return bool(ranges.last.searchsorted(low)[0] < ranges.first.searchsorted(high, side="right")[0])
