"""The address space without what is to be let through. Pure."""

from functools import cache
from ipaddress import IPv6Network

import numpy as np

from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, complement, from_numbers, subtract, union_of
from banlistd.model import Family

_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("2002::/16"))
"""Of NAT64 (RFC 6052) and 6to4 (RFC 3056): the IPv4 address in an address says where it belongs, and no database does."""


def everything_else(left: AddressSet) -> AddressSet:
    """Every address but those in `left`, reserved ones, and IPv6 addresses that have an IPv4 address in them."""
    columns = []
    for family in FAMILIES:
        rest = subtract(complement(left.ranges(family)), _never(family))
        columns += [rest.first, rest.last]
    return AddressSet.of(*columns)


@cache
def _never(family: Family) -> Ranges:
    reserved = reserved_ranges()[family]
    if family is Family.IPV4:
        return reserved
    first = from_numbers(family, [int(network.network_address) for network in _TRANSLATED])
    last = from_numbers(family, [int(network.broadcast_address) for network in _TRANSLATED])
    return union_of(family, np.concatenate([reserved.first, first]), np.concatenate([reserved.last, last]))
