"""Whether another program changes the bans again and again, and what of it is announced. Pure; the time is handed in.

Such drift is announced twice, when it is recognized and when it is over, and not once for each repair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

RECURRING = 4
"""So many repairs within CALM make drift recurring."""

CALM = 300.0
"""Seconds without a repair after which recurring drift is over."""

_MAX_CULPRITS = 3


class Drift(StrEnum):
    """How a repair is announced: alone, as the one that makes the drift recurring, or not at all."""

    SINGLE = "single"
    RECURRING = "recurring"
    KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The repairs so far, each at most CALM after the one before. Times in seconds of a monotonic clock.

    `recent`: the times of the latest ones, at most RECURRING. `culprits`: the latest process of each program, by program.
    `began`: the first repair of drift that is recurring; else None. `repairs`: their number since then.
    """

    recent: Sequence[float] = ()
    culprits: Mapping[str, str] = field(default_factory=dict)
    began: float | None = None
    repairs: int = 0

    @property
    def culprit(self) -> str:
        """The processes that changed the bans, as `nft[4711], sh[4712]`; empty where none is known."""
        return ", ".join(self.culprits.values())

    @property
    def duration(self) -> float:
        """Seconds from the first repair of recurring drift to the latest."""
        return self.recent[-1] - self.began if self.began is not None else 0.0

    def is_over(self, now: float) -> bool:
        """Whether there was recurring drift, and there is none any more."""
        return self.began is not None and now - self.recent[-1] >= CALM

    def note(self, culprit: str, now: float) -> tuple[Drift, "Recurrence"]:
        """A repair. `culprit`: as in ExternalChange. Drift that `is_over` does not go on: note it in a new Recurrence."""
        recent = (*[time for time in self.recent if now - time < CALM], now)[-RECURRING:]
        culprits = _with_latest(self.culprits if len(recent) > 1 else {}, culprit)
        if self.began is not None:
            return Drift.KNOWN, Recurrence(recent, culprits, self.began, self.repairs + 1)
        if len(recent) == RECURRING:
            return Drift.RECURRING, Recurrence(recent, culprits, recent[0], RECURRING)
        return Drift.SINGLE, Recurrence(recent, culprits)


def _with_latest(culprits: Mapping[str, str], culprit: str) -> Mapping[str, str]:
    """A program that starts anew for each change counts once, with its latest process; of many programs the latest count."""
    latest = {process.rpartition("[")[0] or process: process for process in culprit.split(", ") if process}
    others = {program: process for program, process in culprits.items() if program not in latest}
    return dict([*others.items(), *latest.items()][-_MAX_CULPRITS:])
