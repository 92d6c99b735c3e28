"""Text, numbers and times as a person reads them, and the escaping of foreign text for a terminal. Pure and light."""

import math
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MOMENT = 5  # seconds; nearer than that is "now"


class Column(NamedTuple):
    """A column's head. `right`: its cells are aligned to the right, as numbers are. `is_state`: its cells are states.

    Where a terminal is too narrow for a table, empty columns with a `spare` are left out, then a text (`below`) goes below its
    row, then columns are left out, those with the highest `spare` first; 0: never. A pipe gets every column.
    """

    head: str
    right: bool = False
    spare: int = 0
    below: bool = False
    is_state: bool = False


class Table(NamedTuple):
    """Rows of cells that are fit to print; as many cells in a row as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


class Note(NamedTuple):
    """A sentence that explains a table to a person at a terminal; a pipe gets none."""

    text: str


class StateLine(NamedTuple):
    """A line with a state in it."""

    before: str
    state: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}{self.state}{self.after}"


Page = Sequence[str | StateLine | Table | Note]
"""What a command prints for a person: lines, tables and notes."""


class Tone(StrEnum):
    """How a state is meant."""

    GOOD = "good"
    BAD = "bad"
    OPEN = "open"
    OFF = "off"


STATES: Mapping[str, Tone] = {
    "completed": Tone.GOOD,
    "skipped": Tone.GOOD,
    "not asked": Tone.OPEN,
    "not polled": Tone.OPEN,
    "paused": Tone.OPEN,
    "pinned": Tone.OPEN,
    "failed": Tone.BAD,
    "refused": Tone.BAD,
    "stale": Tone.BAD,
    "dead": Tone.BAD,
    "frozen": Tone.OPEN,
    "moved": Tone.OPEN,
    "empty": Tone.OPEN,
    "pending": Tone.OPEN,
    "waiting": Tone.OPEN,
    "polling": Tone.OPEN,
    "never": Tone.OPEN,
    "off": Tone.OFF,
}
"""Every state of a source or an import run that a page shows; a cell may have two, with a comma between."""


def tone_of(state: str) -> Tone | None:
    """The worst tone of a cell's states; None for a text that is no state."""
    tones = {STATES.get(one) for one in state.split(", ")}
    return next((tone for tone in (Tone.BAD, Tone.OPEN, Tone.OFF, Tone.GOOD) if tone in tones), None)


def number(value: int | None) -> str:
    """1234567 as 1,234,567; nothing for what is not known."""
    return "" if value is None else f"{value:,}"


def moment(epoch: float) -> str:
    """Local time to the minute, as 2026-11-23 10:00."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(epoch))


def second(epoch: float) -> str:
    """Local time to the second, as 2026-11-23 10:00:07."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch))


def clock_time(epoch: float, now: float) -> str:
    """Local time of a moment of today, as 14:05, rounded up; of another day with its date."""
    minute = math.ceil(epoch / 60) * 60
    same_day = time.localtime(minute)[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M", time.localtime(minute)) if same_day else moment(minute)


def short_duration(seconds: float) -> str:
    """The largest unit that fits, rounded: 3 h, 5 min, 12 s. A moment less than ten minutes is 10 min."""
    whole = max(0, int(seconds + 0.5))
    # 59 min 40 s is an hour, not 60 min.
    size, unit = next(((size, unit) for size, unit in _UNITS if whole + _next_smaller(size) / 2 >= size), _UNITS[-1])
    return f"{int(whole / size + 0.5)} {unit}"


def _next_smaller(size: int) -> int:
    return next((smaller for smaller, _ in _UNITS if smaller < size), 0)


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
