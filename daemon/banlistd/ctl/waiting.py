"""What a person at a terminal sees while the daemon works on a long order. Only a long wait costs the import of threads."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from banlistd.adapters.system.status_line import StatusLine
from banlistd.core.printing import progress_bar

Progress = Callable[[], tuple[int, int]]
"""How many sources are done, and of how many; (0, 0) where that is not known."""

_PATIENCE, _PAUSE = 0.7, 0.3  # seconds


@contextmanager
def shown_waiting(look: Progress, patience: float = _PATIENCE) -> Iterator[None]:
    """Draw a status line on stderr while the context is entered, from `patience` seconds on; nothing is left of it."""
    over = threading.Event()
    thread = threading.Thread(target=_draw, args=(look, over, patience), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _draw(look: Progress, over: threading.Event, patience: float) -> None:
    began = time.monotonic()
    if over.wait(patience):
        return
    line = StatusLine(sys.stderr)
    while not over.is_set():
        done, total = look()
        line.draw(progress_bar(done, total, time.monotonic() - began, "sources"))
        over.wait(_PAUSE)
    line.draw("")
