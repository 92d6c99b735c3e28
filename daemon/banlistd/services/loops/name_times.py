"""When each host name that was allowed by command is asked for again: when its answer ends, or later and later without one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from banlistd.core.config.reading.names import NAMES_EVERY
from banlistd.core.config.sections.interval import ByTtl
from banlistd.core.feeds.schedule import delay_after, interval_by
from banlistd.ports import Clock

_EVERY = ByTtl(NAMES_EVERY)


@dataclass(frozen=True, slots=True)
class NameTime:
    """`answered_at`: seconds since the epoch, of the last good answer; None: not since the start. `due`: monotonic seconds.

    `failures`: in a row; `failing_since`: monotonic seconds.
    """

    answered_at: float | None
    due: float
    failures: int = 0
    failing_since: float = 0.0


class NameTimes:
    """`chance`: a number from 0 to 1, so that a thousand names are not all asked for in one second."""

    def __init__(self, clock: Clock, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._chance = chance
        self._times: dict[str, NameTime] = {}

    def due(self, names: Iterable[str]) -> Sequence[str]:
        """Those that are to be asked for now. What is known of others is forgotten."""
        now = self._clock.monotonic()
        self._times = {name: self._times.get(name, NameTime(None, now)) for name in names}
        return [name for name, time in self._times.items() if time.due <= now]

    def note_answer(self, name: str, ttl: float | None) -> None:
        """`ttl`: seconds for which it counts; None: it does not say."""
        self._times[name] = NameTime(self._clock.now(), self._clock.monotonic() + self._delay(ttl, 0, 0.0))

    def note_failure(self, name: str) -> None:
        """There was no answer, or none that counts."""
        now = self._clock.monotonic()
        before = self._times.get(name, NameTime(None, now))
        since = before.failing_since if before.failures else now
        due = now + self._delay(None, before.failures + 1, now - since)
        self._times[name] = NameTime(before.answered_at, due, before.failures + 1, since)

    def shown(self) -> Mapping[str, tuple[float | None, float]]:
        """Of each name when it was answered last, and when it is asked for next: seconds since the epoch."""
        ahead = self._clock.now() - self._clock.monotonic()
        return {name: (time.answered_at, time.due + ahead) for name, time in self._times.items()}

    def _delay(self, ttl: float | None, failures: int, failing_for: float) -> float:
        return delay_after(
            every=interval_by(_EVERY, ttl),
            failures=failures,
            failing_for=failing_for,
            retry_after=None,
            chance=self._chance(),
            now=self._clock.now(),
        )
