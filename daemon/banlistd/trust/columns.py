"""The arrays of a list, as a program hands them to the daemon: in a file in memory, one after the other."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A pull without news does not wait for numpy.
    from banlistd.core.addresses.sets import AddressSet


def write_columns(descriptor: int, addresses: "AddressSet") -> tuple[int, int, int, int]:
    """Their lengths: addresses and networks of IPv4, then of IPv6. Raises OSError."""
    nets4, nets6 = addresses.nets4, addresses.nets6
    with os.fdopen(descriptor, "wb", closefd=False) as result:
        result.seek(0)
        for column in (addresses.hosts4, nets4.first, nets4.last, addresses.hosts6, nets6.first, nets6.last):
            result.write(column.tobytes())
    return len(addresses.hosts4), len(nets4), len(addresses.hosts6), len(nets6)
