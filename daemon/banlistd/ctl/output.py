"""Where lines and tables leave the program: aligned columns into a pipe, a table as wide as the terminal on a terminal."""

import io
import os
import sys
from collections.abc import Mapping

from banlistd.control.page import Note, Page, StateLine, Table

_GAP = "  "
_COLUMNS = 80  # of a terminal that does not say how wide it is


def set_up() -> None:
    """Print a character that the terminal's encoding lacks as its escape, instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(page: Page) -> None:
    """Print lines, tables and notes on stdout."""
    on_terminal = isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty()  # it is None where it was closed
    for part in page:
        if on_terminal:
            _show_on_terminal(part)
        elif isinstance(part, Table):
            print("\n".join(aligned(part)))
        elif not isinstance(part, Note):
            print(part)


def aligned(table: Table) -> list[str]:
    """A table as lines of plain columns, without blanks at their ends."""
    heads = tuple(column.head for column in table.columns)
    lines = (heads, *table.rows)
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    return [
        _GAP.join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(cells, widths, table.columns, strict=True)
        ).rstrip()
        for cells in lines
    ]


def terminal_width(environment: Mapping[str, str] = os.environ) -> int:
    """Of the terminal on stdout, in cells; COLUMNS overrides it, as for other programs."""
    given = environment.get("COLUMNS", "")
    if given.isascii() and given.isdecimal() and int(given[:6]):
        return int(given[:6])
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def wants_colour(environment: Mapping[str, str] = os.environ) -> bool:
    """Of a terminal: whether it has colours, and its user wants them (no-color.org)."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") not in ("", "dumb")


def _show_on_terminal(part: str | StateLine | Table | Note) -> None:
    from banlistd.ctl.terminal import folded, laid_out, painted  # noqa: PLC0415 - a pipe needs none of it

    width, colour = terminal_width(), wants_colour()
    match part:
        case Table():
            print("\n".join(laid_out(part, width, colour=colour)))
        case StateLine(before, state, _) if colour:
            print("\n".join(folded(str(part), width)).replace(f"{before}{state}", f"{before}{painted(state)}", 1))
        case Note(text):
            print("\n".join(folded(text, width)))
        case _:
            print("\n".join(folded(str(part), width)))
