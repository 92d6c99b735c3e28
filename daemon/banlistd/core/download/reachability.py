"""Which addresses everybody reaches, and which only this machine or its network does.

The Python version decides nothing here: what `ipaddress` calls global has changed between releases, and it counts fec0::/10 and
5f00::/16 as global.
"""

import ipaddress
from collections.abc import Iterator, Sequence

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> Sequence[_Network]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# IANA's registries of special-purpose addresses, whole: no list is published from a relay, an anycast helper or a document.
# Beside them multicast (RFC 5771) and Azure's host, 168.63.129.16.
_SPECIAL4 = _networks(
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
)

# Everything outside is special, reserved or unallocated (RFC 4291, IANA).
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_SPECIAL6 = _networks("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")

# Link-local, and other places where clouds keep secrets of a machine: Azure, Oracle, Alibaba; AWS, Google, Oracle, Scaleway.
_METADATA = _networks(
    "169.254.0.0/16",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "100.100.100.200/32",
    "fe80::/10",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fd00:c1::a9fe:a9fe/128",
    "fd00:42::42/128",
)

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052

# Their last 32 bits are an IPv4 address: compatible (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052, RFC 8215).
_EMBEDDING = _networks("::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/96")


def is_public(address: str) -> bool:
    """Whether an address is one that everybody reaches. A mapped (RFC 4291) or NAT64 one counts as its IPv4 address."""
    parsed = _plain(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        translated = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF) if parsed in _NAT64 else parsed.ipv4_mapped
        if translated is None:
            return parsed in _GLOBAL_UNICAST and not _is_in(_SPECIAL6, parsed)
        parsed = translated
    return not _is_in(_SPECIAL4, parsed)


def is_metadata(address: str) -> bool:
    """Whether an address is link-local, or where a cloud keeps a machine's secrets, however it is embedded in IPv6."""
    return any(_is_in(_METADATA, form) for form in _forms(_plain(address)))


def _forms(address: _Address) -> Iterator[_Address]:
    """An address, and every IPv4 address that it may lead to."""
    yield address
    if isinstance(address, ipaddress.IPv6Address):
        yield from (inner for inner in (address.ipv4_mapped, address.sixtofour) if inner is not None)
        if address.teredo is not None:
            yield from address.teredo
        if _is_in(_EMBEDDING, address):
            yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _plain(address: str) -> _Address:
    """Without a scope (fe80::1%eth0), which takes no part in containment tests."""
    return ipaddress.ip_address(address.partition("%")[0])


def _is_in(networks: Sequence[_Network], address: _Address) -> bool:
    return any(address in network for network in networks)
