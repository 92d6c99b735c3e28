"""A clock that is set while the process runs: what was ordered for an hour since the start lasts an hour all the same.

Ends are times of the wall clock, so that they count over a restart. Where it is wrong at a boot, until a server gives the time,
an hour was over at once, or in years. What was ordered before the start keeps its end: by which clock is not known.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.core.logins import Remote
from banlistd.core.ruleset.manual_allows import ManualAllow
from banlistd.model import Login, ManualBan
from banlistd.ports import Clock

LEAST = 10.0
"""Seconds: a clock that is set by less moves no end."""


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The clock was set by so many seconds. `first`, `last`: by the clock of before, from the start until then."""

    first: float
    last: float
    seconds: float

    def bans(self, bans: Iterable[ManualBan]) -> Sequence[ManualBan]:
        """Those of them that were ordered in that time and end, by the clock of now."""
        return [
            replace(
                ban,
                created_at=ban.created_at + self.seconds,
                expires_at=self._moved(ban.expires_at),
                confirm_by=self._moved(ban.confirm_by),
            )
            for ban in bans
            if ban.ends_at is not None and self.first <= ban.created_at <= self.last
        ]

    def allows(self, entries: Iterable[ManualAllow]) -> Sequence[ManualAllow]:
        """The same of allowed addresses."""
        return [
            replace(one, created_at=one.created_at + self.seconds, expires_at=self._moved(one.expires_at))
            for one in entries
            if one.expires_at is not None and self.first <= one.created_at <= self.last
        ]

    def logins(self, known: Mapping[Remote, Login]) -> Mapping[Remote, Login]:
        """All of them, those that were seen in that time by the clock of now."""
        return {
            remote: replace(login, since=self._seen(login.since), last_seen=self._seen(login.last_seen))
            for remote, login in known.items()
        }

    def _seen(self, moment: float) -> float:
        return moment + self.seconds if self.first <= moment <= self.last else moment

    def _moved(self, moment: float | None) -> float | None:
        return None if moment is None else moment + self.seconds


class ClockSteps:
    """Steps of the wall clock since this was made, each until it is followed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.now()
        self._offset = self._began - clock.monotonic()

    def found(self) -> ClockStep | None:
        """All that were not followed yet, as one. Ask before something is ordered: it is then ordered by the clock of now."""
        now = self._clock.now()
        seconds = now - self._clock.monotonic() - self._offset
        return ClockStep(self._began, now - seconds, seconds) if abs(seconds) >= LEAST else None

    def follow(self, step: ClockStep) -> None:
        """The ends have been moved."""
        self._began += step.seconds
        self._offset += step.seconds
