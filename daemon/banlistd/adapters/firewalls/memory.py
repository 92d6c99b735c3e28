"""A firewall in memory, for tests: it stores each change and blocks nothing."""

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.scoping.numbering import numbers_of
from banlistd.core.ruleset.state import FirewallState, MapEntries, MapId, Verification, contents_of, maps_of
from banlistd.model import Counter, ExternalChange, Family, Mark, Marker, Remark, ServiceEndpoint, SourceSlot


class MemoryFirewall:
    """The Firewall of `ports`. Nothing is stored: a new one is empty."""

    def __init__(self) -> None:
        self._sources: tuple[SourceSlot, ...] | None = None
        self._maps: dict[MapId, MapEntries] = {}
        self._allowed: dict[Family, Ranges] = {}
        self._answers: tuple[ServiceEndpoint, ...] = ()
        self._markers: dict[Mark, Marker] = {}

    @property
    def maps(self) -> Mapping[MapId, MapEntries]:
        """The entries of each map."""
        return self._maps

    @property
    def answers(self) -> tuple[ServiceEndpoint, ...]:
        """What passes from banned addresses."""
        return self._answers

    async def markers(self) -> tuple[Marker, ...]:
        return tuple(self._markers[mark] for mark in sorted(self._markers))

    async def verify(self, state: FirewallState) -> Verification:
        shaped = (self._sources, self._answers) == (state.sources, state.answers) and all(
            self._allowed.get(family) == ranges for family, ranges in state.allowed.items()
        )
        wrong = [map_id for map_id, map_entries in state.map_entries.items() if not _equal(self._maps.get(map_id), map_entries)]
        return Verification(not shaped, frozenset(wrong))

    async def apply(self, change: Change) -> int:
        if change.is_empty:
            return 0
        if change.replace:
            await self.teardown()
        self._sources = change.sources
        changed = {item.map: item.whole for item in change.maps}
        self._maps = {
            map_id: changed.get(map_id, self._maps.get(map_id, MapEntries.none(map_id.family)))
            for map_id in maps_of(change.sources)
        }
        if change.allowed is not None:
            self._allowed = {family: change.allowed[family] for family in FAMILIES}
        if change.answers is not None:
            self._answers = change.answers
        for mark in change.retired:
            self._markers.pop(mark, None)
        self._markers |= {marker.mark: marker for marker in change.markers}
        return change.added + change.removed

    async def contents(self) -> Mapping[Mark, AddressSet]:
        return contents_of(self._maps)

    async def scope_numbers(self) -> Mapping[str, int]:
        return numbers_of(self._sources or ())

    async def wait_for_external_change(self) -> ExternalChange:
        await asyncio.Event().wait()
        return ExternalChange()

    async def counters(self) -> Mapping[Mark, Counter]:
        return {}

    async def remarks(self, sources: Sequence[SourceSlot] | None = None) -> Sequence[Remark]:
        return ()

    async def gaps(self) -> Sequence[Remark]:
        return ()

    async def teardown(self) -> None:
        self._sources = None
        self._maps.clear()
        self._allowed.clear()
        self._answers = ()
        self._markers.clear()

    async def close(self) -> None:
        return None


def _equal(maps: MapEntries | None, map_entries: MapEntries) -> bool:
    return maps is map_entries or (
        maps is not None
        and np.array_equal(maps.first, map_entries.first)
        and np.array_equal(maps.last, map_entries.last)
        and np.array_equal(maps.mark, map_entries.mark)
    )
