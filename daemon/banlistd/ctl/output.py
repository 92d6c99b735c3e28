"""Where lines and tables leave the program.

rich comes in only for a terminal: it costs 60 to 100 ms (measured), and a pipe wants plain aligned columns anyway.
"""

import io
import sys

from banlistd.control.page import Page, Table

_GAP = "  "


def set_up() -> None:
    """Print a character that the terminal's encoding lacks as its escape, instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def show(page: Page) -> None:
    """Print lines and tables on stdout."""
    for part in page:
        if isinstance(part, str):
            print(part)
        elif isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.isatty():  # it is None where it was closed
            _show_on_terminal(part)
        else:
            print("\n".join(aligned(part)))


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


def _show_on_terminal(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415 - see the docstring of this file
    from rich.table import Table as RichTable  # noqa: PLC0415 - see the docstring of this file
    from rich.text import Text  # noqa: PLC0415 - see the docstring of this file

    grid = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in table.columns:
        grid.add_column(column.head, justify="right" if column.right else "left", overflow="fold")
    for row in table.rows:
        grid.add_row(*(Text(cell) for cell in row))  # Text: brackets in a cell are no markup
    Console(highlight=False).print(grid)
