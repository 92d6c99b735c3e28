"""What is remembered of all sources at one moment, and what is odd about them. Times are handed in."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Self

from banlistd.core.config.model import Source
from banlistd.core.feeds.guards import HOLD
from banlistd.core.feeds.health.conditions import FeedState, Oddity, oddities_of
from banlistd.core.feeds.quarantine import SourceHealth, frozen_at, stale_at
from banlistd.model import Poll, SourceId


@dataclass(frozen=True, slots=True)
class Oldest:
    """Moments in seconds since the epoch. Of no source is a list stale, or unchanged for too long, that is newer."""

    good_at: float
    changed_at: float

    @classmethod
    def of(cls, sources: Iterable[Source], now: float) -> Self:
        """For these sources at this moment."""
        several = list(sources)
        stale_after = min((stale_at(0.0, source) for source in several), default=math.inf)
        frozen_after = min((frozen_at(0.0, source) for source in several), default=math.inf)
        return cls(now - stale_after, now - frozen_after)

    def later(self, seconds: float) -> Self:
        """The same, so much later."""
        return replace(self, good_at=self.good_at + seconds, changed_at=self.changed_at + seconds)


@dataclass(frozen=True, slots=True)
class Overview:
    """What is known of all sources, or of those of which something may be odd.

    `refusals`: the guard that refused the content in the quarantine. `empty`: sources whose newest run is completed and had
    no entry. `moved_to`: the addresses that servers name instead of their own, for good.
    """

    polls: Mapping[SourceId, Poll]
    healths: Mapping[SourceId, SourceHealth]
    refusals: Mapping[SourceId, str]
    empty: frozenset[SourceId]
    moved_to: Mapping[SourceId, str]

    @property
    def waiting(self) -> frozenset[SourceId]:
        """The sources of which a version waits for its time (`fleet: hold`): nothing is wrong with them."""
        return frozenset(source_id for source_id, guard in self.refusals.items() if guard == HOLD)

    @property
    def known(self) -> frozenset[SourceId]:
        """The sources of which anything is known."""
        return frozenset().union(self.polls, self.healths, self.refusals, self.empty, self.moved_to)

    def oddities(self, sources: Iterable[Source], now: float) -> Mapping[SourceId, tuple[Oddity, ...]]:
        """What is odd about each source: dead, frozen, moved, empty; nothing about one that is not enabled."""
        known = self.known
        found: dict[SourceId, tuple[Oddity, ...]] = {}
        for source in sources:
            if source.id not in known:
                found[source.id] = ()
                continue
            state = FeedState(
                self.polls.get(source.id) or Poll(source.id),
                self.healths.get(source.id),
                0 if source.id in self.empty else None,
                self.refusals.get(source.id) == "empty",
                self.moved_to.get(source.id, ""),
            )
            found[source.id] = oddities_of(source, state, now) if source.enabled else ()
        return found

    def stale_since(self, sources: Iterable[Source], now: float) -> Mapping[SourceId, float]:
        """Of each stale source, since when its last good list is older than its `stale_after`."""
        return stale_since({source_id: health.good_at for source_id, health in self.healths.items()}, sources, now)


def stale_since(good_at: Mapping[SourceId, float], sources: Iterable[Source], now: float) -> Mapping[SourceId, float]:
    """Of each stale source, since when its last good list is older than its `stale_after`. `good_at`: when it came.

    A combination is not newer than its parts: it is stale since the first of those that are.
    """
    known = {source.id: source for source in sources}
    stale = {
        source_id: moment
        for source_id, source in known.items()
        if (at := good_at.get(source_id)) is not None and (moment := stale_at(at, source)) <= now
    }
    if stale:
        for source in [source for source in known.values() if source.combination]:
            moments = [stale[one] for one in _all_parts(source, known) if one in stale]
            if moments:
                stale[source.id] = min(moments)
    return stale


def _all_parts(source: Source, known: Mapping[SourceId, Source]) -> frozenset[SourceId]:
    """The source, what it is made of, and what that is made of."""
    found, left = {source.id}, [source]
    while left:
        combination = left.pop().combination
        new = set(combination.sources if combination else ()) - found
        found |= new
        left += [known[one] for one in new if one in known]
    return frozenset(found)
