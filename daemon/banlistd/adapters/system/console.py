"""A terminal as rich draws on it. rich is imported only where something is drawn: banlistctl and every mode import this."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from banlistd.core.printing import counted

if TYPE_CHECKING:
    from rich.console import Console

_CELLS = 24  # of a progress bar: the line fits a terminal of 60 columns

Draw = Callable[[int, int], None]
"""Draws how many are done, and of how many; 0 of 0 where that is not known."""


def has_status_line(stream: TextIO | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a stream is a terminal on which a line can be written again."""
    return stream is not None and _is_able(environment) and stream.isatty()


def wants_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """Of a terminal: whether it has colours, and its user wants them (no-color.org)."""
    return not environment.get("NO_COLOR") and _is_able(environment)


def console_on(stream: TextIO) -> "Console":
    """The terminal behind a stream. Text is printed as it is: rich looks for no markup in it, and breaks no line by itself."""
    from shutil import get_terminal_size  # noqa: PLC0415 - see above

    from rich.console import Console  # noqa: PLC0415 - see above

    size = get_terminal_size()  # rich believes COLUMNS=0, and takes every dumb terminal for one of 80 columns
    return Console(
        file=stream,
        force_terminal=True,
        color_system="auto" if wants_colour() else None,
        width=size.columns,
        height=size.lines,
        soft_wrap=True,
        markup=False,
        emoji=False,
        highlight=False,
    )


@contextmanager
def status_line(stream: TextIO, what: tuple[str, str] = ("source", "sources"), idle: str = "waiting") -> Iterator[Draw]:
    """A progress bar on the last line of a terminal; nothing of it is left. `what`: one and several of what is done. `idle`:
    what it says where that is not known.

    What is printed on sys.stderr meanwhile appears above it, in whole lines.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - see above

    columns = BarColumn(_CELLS), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=console_on(stream), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task(idle, total=None)

        def draw(done: int, total: int) -> None:
            words = f"{done:,} of {counted(total, what[0], what[1])}" if total else idle
            progress.update(bar, completed=done, total=total or None, description=words, refresh=True)

        yield draw


def _is_able(environment: Mapping[str, str]) -> bool:
    return environment.get("TERM", "dumb") not in ("", "dumb")
