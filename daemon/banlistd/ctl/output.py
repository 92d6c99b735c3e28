"""Where lines and tables leave the program: aligned columns into a pipe, what fits on a terminal."""

import io
import sys

from banlistd.adapters.system.console import console_on
from banlistd.control.page import Note, Page, Table

_GAP = "  "


def set_up() -> None:
    """Print a character that the terminal's encoding lacks as its escape, instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(page: Page) -> None:
    """Print lines, tables and notes on stdout."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():  # it is None where it was closed
        from banlistd.ctl.terminal import print_page  # noqa: PLC0415 - rich costs 60 ms that a pipe does not need

        print_page(page, console_on(sys.stdout))
        return
    for part in page:
        if isinstance(part, Table):
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
