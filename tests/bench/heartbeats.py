"""Whether the whole machine stood still during a measurement: a virtual one may be stopped for seconds, unasked (measured)."""

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress

_PERIOD = 0.02
# A beat that comes so late is a gap. Many gaps are no stop: a commit of a million elements keeps one core for a second.
_LATE = 0.15
_MAX_CORES = 4

Gap = tuple[float, float]


class Heartbeats:
    """A thread on each of some cores that wants to run every few milliseconds. What all of them missed, nobody ran in."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._gaps: list[list[Gap]] = []
        self._threads = []
        for core in range(min(os.cpu_count() or 1, _MAX_CORES)):
            gaps: list[Gap] = []
            self._gaps.append(gaps)
            self._threads.append(threading.Thread(target=self._beat, args=(core, gaps), daemon=True))
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def stood_still(self, since: float) -> float:
        """Seconds since a moment of time.monotonic() in which no core did anything."""
        time.sleep(2 * _PERIOD)
        return common([list(gaps) for gaps in self._gaps], since)

    def _beat(self, core: int, gaps: list[Gap]) -> None:
        with suppress(OSError):  # a core that is not ours: one beat more on those that are
            os.sched_setaffinity(0, {core})
        before = time.monotonic()
        while not self._over.wait(_PERIOD):
            now = time.monotonic()
            if now - before > _LATE:
                gaps.append((before, now))
            before = now


def common(gaps: Sequence[Sequence[Gap]], since: float) -> float:
    """The length of what is in a gap of every one of several lists, after a moment."""
    shared = [(since, float("inf"))]
    for each in gaps:
        shared = [(max(a, c), min(b, d)) for a, b in shared for c, d in each if max(a, c) < min(b, d)]
    return sum(end - begin for begin, end in shared)
