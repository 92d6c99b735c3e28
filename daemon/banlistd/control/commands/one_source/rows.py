"""Parts of the row of a source, and the lines that the page of one source has for them."""

from collections.abc import Sequence
from typing import TypedDict

from banlistd.control.page import number, short_duration
from banlistd.core.printing import counted, printable


class SkippedRow(TypedDict):
    """A line without a usable address, or, as line 0, a file of an archive. Both texts are empty where they may be secret."""

    line: int
    text: str
    reason: str


class OddityRow(TypedDict):
    """`condition`: dead, frozen, moved or empty."""

    condition: str
    message: str


class DatabaseRow(TypedDict):
    """A local database of countries and network operators. `made_at`: its data."""

    name: str
    made_at: float


def ages(databases: Sequence[DatabaseRow], now: float) -> list[str]:
    return [f"from {printable(one['name'])}, {short_duration(now - one['made_at'])} old" for one in databases]


def found_in_list(oddities: Sequence[OddityRow], skipped: Sequence[SkippedRow], rejected: int) -> list[str]:
    """What is odd about a source, and what was skipped of its list."""
    odd = [f"{printable(one['condition'])}: {printable(one['message'])}" for one in oddities]
    if not skipped:
        return odd
    lines = [f"  line {number(one['line'])}{_text(one)}" for one in skipped if one["line"]]
    files = [f"  file{_text(one)}" for one in skipped if not one["line"]]
    first = ", the first of them:" if rejected > len(lines) else ":"
    head = [f"{counted(rejected, 'line was', 'lines were')} skipped{first}"] if lines else []
    return [*odd, *head, *lines, *(["files of the archive were left out:"] if files else []), *files]


def _text(one: SkippedRow) -> str:
    return f": {printable(one['text'])} ({printable(one['reason'])})" if one["reason"] else " (its text may contain a secret)"
