"""What is remembered of all sources at one moment, and what is odd about them. Times are handed in."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from banlistd.core.config.model import Source
from banlistd.core.feeds.health.conditions import FeedState, Oddity, oddities_of
from banlistd.core.feeds.quarantine import SourceHealth, stale_at
from banlistd.model import Poll, SourceId


@dataclass(frozen=True, slots=True)
class Overview:
    """`refusals`: the guard that refused the content in the quarantine. `empty`: sources whose newest run is completed and had
    no entry. `moved_to`: the addresses that servers name instead of their own, for good.
    """

    polls: Mapping[SourceId, Poll]
    healths: Mapping[SourceId, SourceHealth]
    refusals: Mapping[SourceId, str]
    empty: frozenset[SourceId]
    moved_to: Mapping[SourceId, str]

    def oddities(self, sources: Iterable[Source], now: float) -> Mapping[SourceId, tuple[Oddity, ...]]:
        """What is odd about each source: dead, frozen, moved, empty; nothing about one that is not enabled."""
        found = {}
        for source in sources:
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
        """Of each stale source, since when its last good list is older than its `stale_after`.

        A combination is not newer than its parts: it is stale since the first of those that are.
        """
        known = {source.id: source for source in sources}
        since = {
            source.id: stale_at(self.healths[source.id].good_at, source)
            for source in known.values()
            if source.id in self.healths
        }
        stale = {source_id: moment for source_id, moment in since.items() if moment <= now}
        for source in known.values():
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
