"""Address space in which one's own traffic lives, and which therefore no list may ban.

From IANA's special-purpose registries (RFC 6890 and its updates). Documentation networks (RFC 5737, RFC 3849) are left to the
lists: they cannot lock anyone out. Space that is only unallocated is, too: bogon lists exist for it.
"""

import ipaddress
from collections.abc import Mapping
from functools import cache

from banlistd.core.addresses.sets import Ranges, from_numbers, union_of
from banlistd.model import Family

RESERVED: Mapping[str, str] = {
    "0.0.0.0/8": "this network (RFC 791)",
    "10.0.0.0/8": "private (RFC 1918)",
    "100.64.0.0/10": "shared by carriers (RFC 6598)",
    "127.0.0.0/8": "loopback (RFC 1122)",
    "169.254.0.0/16": "link-local (RFC 3927)",
    "172.16.0.0/12": "private (RFC 1918)",
    "192.0.0.0/24": "protocol assignments (RFC 6890)",
    "192.168.0.0/16": "private (RFC 1918)",
    "198.18.0.0/15": "benchmarks (RFC 2544)",
    "224.0.0.0/4": "multicast (RFC 5771)",
    "240.0.0.0/4": "reserved, and broadcast (RFC 1112, RFC 919)",
    "::/127": "unspecified and loopback (RFC 4291)",
    "::ffff:0:0/96": "IPv4-mapped (RFC 4291)",
    "64:ff9b:1::/48": "local translation (RFC 8215)",
    "100::/64": "discard (RFC 6666)",
    "fc00::/7": "unique local (RFC 4193)",
    "fe80::/10": "link-local (RFC 4291)",
    "fec0::/10": "site-local, once (RFC 3879)",
    "ff00::/8": "multicast (RFC 4291)",
}


@cache
def reserved_ranges() -> Mapping[Family, Ranges]:
    """The table above, merged, per family; a policy is made every 10 seconds."""
    bounds: dict[Family, tuple[list[int], list[int]]] = {Family.IPV4: ([], []), Family.IPV6: ([], [])}
    for text in RESERVED:
        network = ipaddress.ip_network(text)
        first, last = bounds[Family.IPV4 if network.version == 4 else Family.IPV6]  # noqa: PLR2004 - IP version four
        first.append(int(network.network_address))
        last.append(int(network.broadcast_address))
    return {
        family: union_of(family, from_numbers(family, first), from_numbers(family, last))
        for family, (first, last) in bounds.items()
    }
