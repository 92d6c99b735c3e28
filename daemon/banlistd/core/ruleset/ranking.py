"""Who has most of what is banned: by country, by network operator, by list. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from banlistd.core.addresses.sets import Addresses
from banlistd.core.geo.countries import NAMES
from banlistd.core.geo.tables import GeoTable, country_of, tally
from banlistd.core.geo.types import By
from banlistd.core.ruleset.state import FirewallState, Hook, hooks_of
from banlistd.model import Family
from banlistd.scopes.names import is_by_hand

_MARKS = 2**16


@dataclass(frozen=True, slots=True)
class Rank:
    """One line. `key`: `NO`, `AS64496`, the id of a source, or empty for what is unknown. `addresses`: of IPv4."""

    key: str
    name: str
    bans: int
    addresses: int


def rank(state: FirewallState, table: GeoTable, by: By) -> Sequence[Rank]:
    """Bans by country or ASN, most of them first. A network that belongs to several is a ban of each."""
    bans = [(family, first, last) for family, first, last, _ in _bans(state)]
    ranks = []
    for one in tally(table, bans):
        key = "" if not one.code else country_of(one.code) if by is By.COUNTRY else f"AS{one.code}"
        name = table.names.get(one.code, "") or (NAMES.get(key, "") if by is By.COUNTRY else "")
        ranks.append(Rank(key, name, one.bans, one.addresses))
    return _ordered(ranks)


def rank_sources(state: FirewallState) -> Sequence[Rank]:
    """Bans by the source that owns them; what is banned by hand is named where there is any."""
    bans = np.zeros(_MARKS, dtype=np.int64)
    addresses = np.zeros(_MARKS, dtype=np.int64)
    for family, first, last, mark in _bans(state):
        bans += np.bincount(mark, minlength=_MARKS)
        if family is Family.IPV4:
            widths = last.astype(np.int64) - first.astype(np.int64) + 1
            # Floats are exact up to 2^53; there are 2^32 addresses of IPv4.
            addresses += np.bincount(mark, weights=widths, minlength=_MARKS).astype(np.int64)
    return _ordered(
        [
            Rank(owner.source_id, "", int(bans[owner.mark]), int(addresses[owner.mark]))
            for owner in state.sources
            if owner.action.blocks and (not is_by_hand(owner.source_id) or bans[owner.mark])
        ]
    )


def count(state: FirewallState) -> int:
    """How many bans there are, each once."""
    if any(owner.scope_number for owner in state.sources):
        return sum(len(first) for _, first, _, _ in _bans(state))
    return _count(state, Hook.IN, Hook.OUT, blocks=True)


def count_watched(state: FirewallState) -> int:
    """How many elements only log or count packets, each once."""
    if any(owner.shadow for owner in state.sources):
        return sum(len(first) for _, first, _, _ in _elements(state, blocks=False))
    return _count(state, Hook.WATCH_IN, Hook.WATCH_OUT, blocks=False)


def owned_by_mark(state: FirewallState | None) -> Mapping[int, int]:
    """How many elements each source owns. What bans in both directions is counted once."""
    if state is None:
        return {}
    by_hook: dict[Hook, NDArray[np.int64]] = {}
    for map_id, entries in state.map_entries.items():
        by_hook[map_id.hook] = by_hook.get(map_id.hook, 0) + np.bincount(entries.mark, minlength=1 << 16)
    return {owner.mark: int(by_hook[hooks_of(owner)[0]][owner.mark]) for owner in state.sources}


def _count(state: FirewallState, into: Hook, out: Hook, *, blocks: bool) -> int:
    if not any(map_id.hook is out for map_id in state.map_entries):
        return sum(len(map_entries) for map_id, map_entries in state.map_entries.items() if map_id.hook is into)
    return sum(len(first) for _, first, _, _ in _elements(state, blocks=blocks))


def _bans(state: FirewallState) -> Sequence[tuple[Family, Addresses, Addresses, NDArray[np.uint16]]]:
    return _elements(state, blocks=True)


def _elements(state: FirewallState, *, blocks: bool) -> Sequence[tuple[Family, Addresses, Addresses, NDArray[np.uint16]]]:
    """What blocks, or what does not. An entry for both directions is in two maps, and counts in the first."""
    owners = [owner for owner in state.sources if owner.action.blocks is blocks]
    first_hook: Mapping[int, object] = {int(owner.mark): hooks_of(owner)[0] for owner in owners}
    parts = []
    for map_id, map_entries in state.map_entries.items():
        chosen = np.zeros(_MARKS, dtype=np.bool_)
        chosen[[mark for mark, hook in first_hook.items() if hook is map_id.hook]] = True
        mine = map_entries.where(chosen[map_entries.mark])
        if len(mine):
            parts.append((map_id.family, mine.first, mine.last, mine.mark))
    return parts


def _ordered(ranks: Sequence[Rank]) -> Sequence[Rank]:
    return sorted(ranks, key=lambda one: (-one.bans, -one.addresses, one.key))
