"""The machine's clocks."""

import time


class SystemClock:
    """The Clock of `ports`. Intervals go on while the machine sleeps: a list that is due at noon is due at noon."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)
