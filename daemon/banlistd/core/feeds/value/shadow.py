"""For how long a source counts packets before other sources take them, and what it counted. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.core.config.model import Source
from banlistd.model import Action, SourceId


@dataclass(frozen=True, slots=True)
class Shadow:
    """The time in shadow of a source. Times in seconds since the epoch.

    `packets_before`: of its counter when the time began. `ended_at`: when it was noted that the time is over; None: it is not.
    `packets`: what was counted in that time, once it is over.
    """

    source_id: SourceId
    began_at: float
    packets_before: int = 0
    ended_at: float | None = None
    packets: int = 0

    def counted(self, counter: int) -> int:
        """The packets so far, given the counter of this moment: a counter that is smaller began anew."""
        if self.ended_at is not None:
            return self.packets
        return counter - self.packets_before if counter >= self.packets_before else counter


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be written: `come` begins or goes on, `over` ends, `gone` has no shadow any more."""

    come: tuple[Shadow, ...]
    over: tuple[Shadow, ...]
    gone: tuple[SourceId, ...]


def period_of(source: Source) -> float | None:
    """The seconds for which a source may be in shadow; None: it is not. Other actions inherit the key to no effect."""
    return source.shadow if source.enabled and source.action is Action.COUNT else None


def in_shadow(sources: Iterable[Source], known: Mapping[SourceId, Shadow], now: float) -> frozenset[SourceId]:
    """The sources that are in shadow at a moment. One that is not known yet begins now."""
    return frozenset(
        source.id
        for source in sources
        if (period := period_of(source)) is not None and (source.id not in known or now < known[source.id].began_at + period)
    )


def turn_of(sources: Sequence[Source], known: Mapping[SourceId, Shadow], counters: Mapping[SourceId, int], now: float) -> Turn:
    """What begins, ends and goes at a moment. `counters`: the packets that each source has counted."""
    periods = {source.id: period for source in sources if (period := period_of(source)) is not None}
    come, over = [], []
    for source_id, period in periods.items():
        shadow, packets = known.get(source_id), counters.get(source_id, 0)
        if shadow is None:
            come.append(Shadow(source_id, now, packets))
        elif shadow.ended_at is None and now >= shadow.began_at + period:
            over.append(replace(shadow, ended_at=now, packets=shadow.counted(packets)))
        elif shadow.ended_at is not None and now < shadow.began_at + period:  # the time was made longer
            come.append(replace(shadow, ended_at=None, packets_before=packets - shadow.packets, packets=0))
    return Turn(tuple(come), tuple(over), tuple(source_id for source_id in known if source_id not in periods))
