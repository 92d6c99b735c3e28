"""What metrics say of all sources: a few columns, and not all that is remembered, since they are asked for every minute."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from banlistd.core.config.model import Source
from banlistd.core.feeds.guards import HOLD
from banlistd.core.feeds.health.overview import stale_since
from banlistd.model import SourceId


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """`polls`: when each source is due (0: at once), and its failures in a row. `runs`: entries and end of its newest run;
    None: it has not ended. `good_at`: when each source last had a good list. `refusals`: the guard that refused the content in
    the quarantine.
    """

    polls: Mapping[SourceId, tuple[float, int]]
    runs: Mapping[SourceId, tuple[int, float | None]]
    good_at: Mapping[SourceId, float]
    refusals: Mapping[SourceId, str]

    @property
    def refused(self) -> frozenset[SourceId]:
        """The sources whose newest content was refused; one that waits for its time (`fleet: hold`) was not."""
        return frozenset(source_id for source_id, guard in self.refusals.items() if guard != HOLD)

    def stale_since(self, sources: Iterable[Source], now: float) -> Mapping[SourceId, float]:
        """As `Overview.stale_since`."""
        return stale_since(self.good_at, sources, now)
