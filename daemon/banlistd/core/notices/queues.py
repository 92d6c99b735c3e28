"""What waits for one receiver, and when it is tried next."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from banlistd.core.notices.notice import Notice

MOST_WAITING = 500
"""Notices for each receiver, some 1 KB each; the oldest are lost, and the next message counts them."""

MOST_IN_MESSAGE = 20
"""Notices of one message: what a phone shows and the shortest limit of a chat service bears (2,000 characters)."""

_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 1800.0
_DOUBLINGS = 7


@dataclass(frozen=True, slots=True)
class Queue:
    """`lost`: notices that found no room. `failures`: in a row. `retry_at`: seconds since the epoch; 0: at once."""

    waiting: tuple[Notice, ...] = ()
    lost: int = 0
    failures: int = 0
    retry_at: float = 0.0

    def with_more(self, notices: Sequence[Notice]) -> "Queue":
        waiting = (*self.waiting, *notices)
        lost = max(0, len(waiting) - MOST_WAITING)
        return replace(self, waiting=waiting[lost:], lost=self.lost + lost)

    def batch(self, most: int = MOST_IN_MESSAGE) -> Sequence[Notice]:
        """Fewer after failures: perhaps the receiver refuses one of them for its text."""
        return self.waiting[: max(1, most >> self.failures)]

    def delivered(self, batch: Sequence[Notice], lost: int) -> "Queue":
        """Without what was delivered, and without the loss that the message spoke of. More may have come meanwhile."""
        return Queue(self._without(batch), max(0, self.lost - lost))

    def failed(self, batch: Sequence[Notice], now: float, jitter: float) -> "Queue":
        """`jitter`: 0 to 1. A single notice that fails again and again goes behind the others: they may be accepted."""
        pause = min(_FIRST_PAUSE * 2.0 ** min(self.failures, _DOUBLINGS), _LONGEST_PAUSE)
        waiting = self.waiting
        if len(batch) == 1 and self.failures >= _DOUBLINGS:
            left = self._without(batch)
            waiting = (*left, *batch) if len(left) < len(waiting) else waiting
        return replace(self, waiting=waiting, failures=self.failures + 1, retry_at=now + pause * (0.75 + jitter / 2))

    def _without(self, batch: Sequence[Notice]) -> tuple[Notice, ...]:
        gone = {id(notice) for notice in batch}
        return tuple(notice for notice in self.waiting if id(notice) not in gone)

    def seconds_to_wait(self, now: float, digest: float) -> float | None:
        """Until a message is due; None: nothing waits."""
        if not self.waiting:
            return None
        # After a step of the clock back, nothing waits longer than it would have.
        retry = min(max(0.0, self.retry_at - now), _LONGEST_PAUSE * 1.25)
        if any(notice.is_urgent for notice in self.waiting):
            return retry
        gathered = min(max(0.0, self.waiting[0].since + digest - now), digest)
        return max(retry, gathered)
