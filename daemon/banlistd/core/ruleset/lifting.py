"""How many bans another configuration would lift, and whether a reload may. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, Addresses, union_of
from banlistd.core.printing import counted
from banlistd.core.ruleset.state import FirewallState, Hook, Kind, MapEntries, MapId, scopes_of_hooks
from banlistd.errors import RefusedError
from banlistd.model import Family
from banlistd.scopes.scope import Scope

ALWAYS_LIFTED = 20
"""So many bans may always be lifted: the samples of a fresh installation, a list that is tried out."""

MAX_UNASKED = 1000
"""More than so many are not lifted unasked, however small a part of all they are."""


@dataclass(frozen=True, slots=True)
class Lift:
    """`lifted` of `bans` would end. A ban is a set element that blocks; one of which any address would pass is lifted."""

    lifted: int = 0
    bans: int = 0

    @property
    def is_large(self) -> bool:
        """Whether it needs the administrator's consent."""
        return self.lifted > ALWAYS_LIFTED and (self.lifted > MAX_UNASKED or 2 * self.lifted > self.bans)

    def __str__(self) -> str:
        return f"{self.lifted:,} of {counted(self.bans, 'ban', 'bans')}"


Consent = Callable[[Lift], None]
"""Raises RefusedError for what may not be lifted."""


def consent_to(named: int) -> Consent:
    """Consent to what is not large, and to as many bans as the administrator has named."""

    def consent(lift: Lift) -> None:
        if lift.is_large and lift.lifted > named:
            ways = f"banlistctl reload --lift {lift.lifted}, or banlistctl reload --confirm 2m to try it"
            raise RefusedError(f"the reload would lift {lift}", f"if that is meant: {ways}")

    return consent


def lift_of(present: FirewallState, desired: FirewallState) -> Lift:
    """What would be lifted. An address that another source bans afterwards, or a wider or narrower network, is not; one that is
    banned in a scope stays so only in the same scope, or for all packets.
    """
    lifted = bans = 0
    before, after = _scopes(present), _scopes(desired)
    for hook, scope in before.items():
        wider = [other for other, its in after.items() if other.end is hook.end and its in (None, scope)]
        for family in FAMILIES:
            first, last = _ends(present.map_entries, [hook], family)
            bans += len(first)
            same = wider == [hook] and _maps(hook, family)
            if not same or any(present.map_entries.get(map_id) is not desired.map_entries.get(map_id) for map_id in same):
                covered = union_of(family, *_ends(desired.map_entries, wider, family))
                lifted += len(first) - _count_within(first, last, covered.first, covered.last)
    return Lift(lifted, bans)


def _scopes(state: FirewallState) -> Mapping[Hook, Scope | None]:
    """The hooks whose maps ban, each with the scope in which they do; None: for all packets."""
    return {Hook.IN: None, Hook.OUT: None, **scopes_of_hooks(state.sources)}


def _maps(hook: Hook, family: Family) -> tuple[MapId, ...]:
    return tuple(MapId(hook, kind, family) for kind in Kind)


def _ends(maps: Mapping[MapId, MapEntries], hooks: Sequence[Hook], family: Family) -> tuple[Addresses, Addresses]:
    found = [maps.get(map_id, MapEntries.none(family)) for hook in hooks for map_id in _maps(hook, family)]
    return np.concatenate([each.first for each in found]), np.concatenate([each.last for each in found])


def _count_within(first: Addresses, last: Addresses, low: Addresses, high: Addresses) -> int:
    """How many ranges are wholly in one of the sorted, disjoint ranges from `low` to `high`."""
    if not len(low):
        return 0
    at = np.searchsorted(low, first, side="right") - 1
    return int(np.count_nonzero((at >= 0) & (last <= high[at])))
