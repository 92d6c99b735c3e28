"""Addresses as the system writes them: octets or text, with a scope, with an IPv4 address mapped into IPv6."""

import ipaddress

from banlistd.model import Family, Span


def read_span(address: bytes | str, bits: int | None = None) -> Span | None:
    """An address, or the network of so many bits that it is in; None for what is no address, or the unspecified one.

    None as well for a network of link-local, multicast or loopback addresses, which are reserved anyway.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0] if isinstance(address, str) else address)
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found, bits = found.ipv4_mapped, bits if bits is None else max(0, bits - 96)
        family = Family.IPV4 if found.version == 4 else Family.IPV6  # noqa: PLR2004 - IP version four
        if bits is None:
            return None if found.is_unspecified else (family, int(found), int(found))
        network = ipaddress.ip_network((found, bits), strict=False)
    except ValueError:
        return None
    if network.is_link_local or network.is_multicast or network.is_loopback:
        return None
    return family, int(network[0]), int(network[-1])


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
