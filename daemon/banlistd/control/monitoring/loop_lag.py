"""How late the event loop runs its timers: what delays them delays repairs."""

import asyncio
from collections import deque
from collections.abc import Callable

_EVERY, _REMEMBERED = 1.0, 60
"""Seconds between two looks, and how many are remembered: the last minute, between two scrapes at the usual intervals."""


class LoopLag:
    """`clock`: seconds of a monotonic clock."""

    def __init__(self, clock: Callable[[], float], every: float = _EVERY) -> None:
        self._clock = clock
        self._every = every
        self._late: deque[float] = deque([0.0], maxlen=_REMEMBERED)

    @property
    def longest(self) -> float:
        """Seconds, of the last looks."""
        return max(self._late)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            expected = self._clock() + self._every
            await asyncio.sleep(self._every)
            self._late.append(max(0.0, self._clock() - expected))
