"""Text, numbers and times as a person reads them, and the escaping of foreign text for a terminal. Pure and light."""

import time
from collections.abc import Sequence
from typing import NamedTuple

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MOMENT = 5  # seconds; nearer than that is "now"


class Column(NamedTuple):
    """A column's head, and whether its cells are aligned to the right, as numbers are."""

    head: str
    right: bool = False


class Table(NamedTuple):
    """Rows of cells that are fit to print; as many cells in a row as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


Page = Sequence[str | Table]
"""What a command prints for a person: lines and tables."""


def number(value: int | None) -> str:
    """1234567 as 1,234,567; nothing for what is not known."""
    return "" if value is None else f"{value:,}"


def counted(value: int, one: str, many: str) -> str:
    return f"{number(value)} {one if value == 1 else many}"


def moment(epoch: float) -> str:
    """Local time to the minute, as 2026-11-23 10:00."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))


def short_duration(seconds: float) -> str:
    """The largest unit that fits, cut: 3 h, 5 min, 12 s."""
    whole = max(0, int(seconds))
    size, unit = next(((size, unit) for size, unit in _UNITS if whole >= size), _UNITS[-1])
    return f"{whole // size} {unit}"


def interval(seconds: float) -> str:
    """A time span as configurations write it: 12h, 90s, 1h30min."""
    rest, parts = int(seconds), []
    for size, unit in _UNITS:
        if rest >= size:
            parts.append(f"{rest // size}{unit}")
            rest %= size
    return "".join(parts) or "0s"


def since(epoch: float | None, now: float) -> str:
    """How long ago: 5 min ago; `never` for None."""
    if epoch is None:
        return "never"
    return "now" if now - epoch < _MOMENT else f"{short_duration(now - epoch)} ago"


def due_in(epoch: float | None, now: float) -> str:
    """How soon: in 3 h; `now` for what is due; nothing for None."""
    if epoch is None:
        return ""
    return "now" if epoch - now < _MOMENT else f"in {short_duration(epoch - now)}"
