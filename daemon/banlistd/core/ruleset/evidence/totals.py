"""What the firewall has counted in all: its counters begin anew after a flush or a reboot, and the totals go on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from banlistd.model import Counter, SourceId

NOTHING = Counter(0, 0)


@dataclass(frozen=True, slots=True)
class Total:
    """`before`: what was counted by counters that are no more. `last`: the newest value of the present one.

    `boot`: names the boot of the machine in which it was read; a counter does not survive it.
    """

    before: Counter = NOTHING
    last: Counter = NOTHING
    boot: str = ""

    @property
    def counted(self) -> Counter:
        return _sum(self.before, self.last)


def advanced(totals: Mapping[SourceId, Total], counters: Mapping[SourceId, Counter], boot: str) -> Mapping[SourceId, Total]:
    """The totals after the counters were read. A source without a counter keeps its total."""
    return {**totals, **{source: _next(totals.get(source, Total()), counter, boot) for source, counter in counters.items()}}


def _next(total: Total, counter: Counter, boot: str) -> Total:
    """A counter never goes back: one that is behind its last value is a new one."""
    if counter == total.last and boot == total.boot:
        return total  # most counters of thousands
    goes_on = boot == total.boot and counter.packets >= total.last.packets and counter.octets >= total.last.octets
    return Total(total.before if goes_on else total.counted, counter, boot)


def _sum(one: Counter, other: Counter) -> Counter:
    return Counter(one.packets + other.packets, one.octets + other.octets)
