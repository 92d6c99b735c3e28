"""What `status` says of sources that fail, are stale or look wrong."""

from collections.abc import Sequence

from banlistd.control.commands.sources import SourceRow, is_failing
from banlistd.control.page import StateLine, due_in, number, since
from banlistd.core.printing import counted, printable

_SHOWN = 10  # failing sources that a screen has room for


def failing_lines(sources: Sequence[SourceRow], now: float) -> list[str | StateLine]:
    failing = [row for row in sources if is_failing(row)]
    lines = [line for row in failing[:_SHOWN] for line in _failure(row, now)]
    if left := len(failing) - _SHOWN:
        lines += [f"  ... and {number(left)} more: banlistctl sources --failing"] if left > 0 else []
    return ["", *lines] if lines else []


def odd_lines(sources: Sequence[SourceRow]) -> list[str | StateLine]:
    lines = [
        StateLine(f"  {printable(row['id'])} is ", printable(one["condition"]), f": {printable(one['message'])}")
        for row in sources
        for one in row["oddities"]
    ]
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"  ... and {number(more)} more: banlistctl sources"] if more > 0 else [])]


def _failure(row: SourceRow, now: float) -> list[str | StateLine]:
    lines: list[str | StateLine] = []
    if row["stale_since"] is not None:
        name, age = printable(row["id"]), since(row["stale_since"], now)
        fate = "its bans stay" if row["entries"] else "it bans nothing"
        lines.append(StateLine(f"  {name} is ", "stale", f": its last good list grew too old {age}; {fate}"))
    if row["failures"] or row["state"] == "failed":
        name, times = printable(row["id"]), counted(row["failures"], "time", "times")
        retry = f", next try {due_in(row['due_at'], now)}" if row["due_at"] is not None else ""
        lines += [
            StateLine(
                f"  {name} ",
                "refused" if row["quarantined"] else "failed",
                f" {times}{retry}: {printable(row['error']) or 'no reason is known'}",
            ),
            f"      try: banlistctl {'quarantine' if row['quarantined'] else 'refresh'} {name}; banlistctl history {name}",
        ]
    return lines
