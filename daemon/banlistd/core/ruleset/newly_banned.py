"""Which addresses a change bans that were not banned before: their connections end. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.arrays import are_in
from banlistd.core.addresses.sets import Addresses, from_numbers
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import Hook
from banlistd.model import Family, ServiceEndpoint

_BLOCKING = frozenset({Hook.IN, Hook.OUT})


def bans_any(change: Change) -> bool:
    """Whether a change adds elements that block."""
    return any(len(item.add) for item in change.maps if item.map.hook in _BLOCKING)


def newly_banned(change: Change, answers: Sequence[ServiceEndpoint], family: Family, addresses: Addresses) -> NDArray[np.bool_]:
    """For each of `addresses`, in any order, whether it is in an element that the change adds and that blocks.

    What is allowed, protected or reserved is in no element. The addresses of `answers` are in elements, but this host talks to
    them: their connections stay.
    """
    banned = np.zeros(len(addresses), dtype=np.bool_)
    for item in change.maps:
        if item.map.hook in _BLOCKING and item.map.family is family and len(item.add):
            banned |= are_in(addresses, item.add.first, item.add.last)
    asked = sorted({endpoint.address for endpoint in answers if endpoint.family is family})
    if asked:
        hosts = from_numbers(family, asked)
        banned &= ~are_in(addresses, hosts, hosts)
    return banned
