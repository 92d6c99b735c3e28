"""How much processor time repairs may use: a token bucket. Pure; the time is handed in, in seconds of a monotonic clock."""

from dataclasses import dataclass
from typing import Self

REPAIR_SHARE = 0.25
"""Processor seconds for each second of time: a quarter of one core."""

REPAIR_BURST = 1.0
"""Processor seconds that a long peace saves up: some hundred repairs of 10,000 bans, or one of a million."""


@dataclass(frozen=True, slots=True)
class RepairBudget:
    """`credit`: processor seconds that repairs may use at the time `at`; negative while they have used more than their share.

    Without a debt the next repair may start at once. From any time to any later one, repairs that keep to `wait` use at most
    REPAIR_SHARE of it, REPAIR_BURST, and what the last of them costs.
    """

    credit: float
    at: float

    @classmethod
    def full(cls, now: float) -> Self:
        return cls(REPAIR_BURST, now)

    def wait(self, now: float) -> float:
        """Seconds until a repair may start."""
        return max(0.0, -self._credit(now) / REPAIR_SHARE)

    def charge(self, cost: float, now: float) -> Self:
        """The budget after a repair that used `cost` processor seconds and has ended `now`."""
        return type(self)(self._credit(now) - cost, now)

    def _credit(self, now: float) -> float:
        return min(REPAIR_BURST, self.credit + REPAIR_SHARE * (now - self.at))
