"""A firewall in memory, for rehearsals and tests: it holds what it is told and blocks nothing."""

import asyncio
from collections.abc import Mapping

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import Holding, MapId, Owned, Verdict, contents_of, maps_of
from banlistd.model import Counter, Disturbance, Family, Mark, Marker, Owner


class MemoryFirewall:
    """The Firewall of ports.py. Nothing is stored: a new one is empty."""

    def __init__(self) -> None:
        self._roster: tuple[Owner, ...] | None = None
        self._maps: dict[MapId, Owned] = {}
        self._allowed: dict[Family, Ranges] = {}
        self._markers: dict[Mark, Marker] = {}

    @property
    def held(self) -> Mapping[MapId, Owned]:
        """What each map holds."""
        return self._maps

    async def markers(self) -> tuple[Marker, ...]:
        return tuple(self._markers[mark] for mark in sorted(self._markers))

    async def verify(self, holding: Holding) -> Verdict:
        shaped = self._roster == holding.roster and all(
            self._allowed.get(family) == ranges for family, ranges in holding.allowed.items()
        )
        wrong = [map_id for map_id, owned in holding.owned.items() if not _equal(self._maps.get(map_id), owned)]
        return Verdict(not shaped, frozenset(wrong))

    async def apply(self, change: Change) -> int:
        if change.is_empty:
            return 0
        if change.replace:
            await self.teardown()
        self._roster = change.roster
        told = {item.map: item.whole for item in change.maps}
        self._maps = {
            map_id: told.get(map_id, self._maps.get(map_id, Owned.none(map_id.family))) for map_id in maps_of(change.roster)
        }
        if change.allowed is not None:
            self._allowed = {family: change.allowed[family] for family in FAMILIES}
        for mark in change.retired:
            self._markers.pop(mark, None)
        self._markers |= {marker.mark: marker for marker in change.markers}
        return change.added + change.removed

    async def contents(self) -> Mapping[Mark, AddressSet]:
        return contents_of(self._maps)

    async def disturbed(self) -> Disturbance:
        await asyncio.Event().wait()
        return Disturbance()

    async def counters(self) -> Mapping[Mark, Counter]:
        return {}

    async def teardown(self) -> None:
        self._roster = None
        self._maps.clear()
        self._allowed.clear()
        self._markers.clear()

    async def close(self) -> None:
        return None


def _equal(held: Owned | None, owned: Owned) -> bool:
    return (
        held is not None
        and np.array_equal(held.first, owned.first)
        and np.array_equal(held.last, owned.last)
        and np.array_equal(held.mark, owned.mark)
    )
