"""What a call takes of the processor, to be compared with another call of the same run: machines and their load differ."""

import time
from collections.abc import Callable


def processor_seconds(call: Callable[[], object]) -> float:
    """Of this thread; the least of three times, because other programs disturb the caches."""
    return min(_once(call) for _ in range(3))


def step_seconds() -> float:
    """Of one step of a plain loop of Python."""
    steps = 2_000_000

    def count() -> None:
        for _ in range(steps):
            pass

    return processor_seconds(count) / steps


def _once(call: Callable[[], object]) -> float:
    began = time.thread_time()
    call()
    return time.thread_time() - began
