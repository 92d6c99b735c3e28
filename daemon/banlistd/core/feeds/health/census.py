"""What a configuration says of all its sources together, worked out once for each. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from banlistd.core.config.model import Source
from banlistd.core.feeds.health.newest import OfNewest
from banlistd.core.feeds.health.overview import Oldest
from banlistd.model import Action, SourceId


@dataclass(frozen=True, slots=True)
class Census:
    """`kept`: how many enabled sources ban nothing. `by_country`: whether an enabled one is read by country or network.

    `oldest`: as of the moment 0.
    """

    by_id: Mapping[SourceId, Source]
    combinations: Sequence[Source]
    enabled: frozenset[SourceId]
    kept: int
    by_country: bool
    oldest: Oldest

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Self:
        enabled = [source for source in sources if source.enabled]
        return cls(
            {source.id: source for source in sources},
            [source for source in sources if source.combination],
            frozenset(source.id for source in enabled),
            sum(source.action is Action.NONE for source in enabled),
            any(source.geography for source in enabled),
            Oldest.of(sources, 0.0),
        )

    def some(self, source_ids: Iterable[SourceId]) -> Sequence[Source]:
        """These sources, and the combinations, which are as old as their parts."""
        wanted = {source_id: self.by_id[source_id] for source_id in source_ids if source_id in self.by_id}
        return [*({source.id: source for source in self.combinations} | wanted).values()]


census_of = OfNewest(Census.of)
"""The Census of the sources of a configuration."""
