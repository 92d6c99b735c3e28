"""What a person at a terminal sees while the daemon works on a long order. Only a long wait costs the import of rich."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from banlistd.adapters.system.console import status_line

Progress = Callable[[], tuple[int, int] | None]
"""How many are done, and of how many; None where that is not known at the moment."""


class StatusWords(NamedTuple):
    """`what`: one and several of what is done. `idle`: what the line says where no progress is known."""

    what: tuple[str, str] = ("source", "sources")
    idle: str = "waiting"


ABOUT_SOURCES = StatusWords()
_PATIENCE, _PAUSE = 0.7, 0.5  # seconds


@contextmanager
def shown_waiting(look: Progress, line: StatusWords = ABOUT_SOURCES, patience: float = _PATIENCE) -> Iterator[None]:
    """Draw a status line on stderr while the context is entered, from `patience` seconds on; nothing is left of it."""
    over = threading.Event()
    thread = threading.Thread(target=_draw, args=(look, over, line, patience), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _draw(look: Progress, over: threading.Event, line: StatusWords, patience: float) -> None:
    if over.wait(patience):
        return
    with status_line(sys.stderr, line.what, line.idle) as draw:
        while not over.is_set():
            if (found := look()) is not None:
                draw(*found)
            over.wait(_PAUSE)
