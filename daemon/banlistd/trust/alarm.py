"""An end to what waits for a mirror. Time-outs of sockets are for one read: an octet now and then keeps them all."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_AGAIN = 0.5
"""Seconds until an alarm comes once more: Python drops what is raised while it frees an object."""


class LateError(Exception):
    """The time is over."""


@contextmanager
def alarm(until: float) -> Iterator[None]:
    """What is in it raises LateError at this time, of `time.monotonic`. Only for the main thread: it takes the alarm signal."""
    left = until - time.monotonic()
    if left <= 0:
        raise LateError
    before = signal.signal(signal.SIGALRM, _raise_late)
    try:
        signal.setitimer(signal.ITIMER_REAL, left, _AGAIN)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise_late(_: int, __: FrameType | None) -> None:
    raise LateError
