"""The lines of metrics that have one for each source: thousands, of which few change from one answer to the next."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import NamedTuple


class SourceColumn(NamedTuple):
    """The samples of one metric: as many values as sources."""

    sources: Sequence[str]
    values: Sequence[float]


class _Kept(NamedTuple):
    """Of the answer before."""

    column: SourceColumn
    lines: list[str]


class KeptLines:
    """Writes only the lines whose value has changed. Threads may use it at the same time."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._lock = Lock()

    def text(self, name: str, column: SourceColumn, line: Callable[[str, float], str]) -> str:
        """All lines of a metric. `line`: how the metric of this name writes a source and its value."""
        with self._lock:
            kept = self._kept.get(name)
            if kept is None or kept.column.sources != column.sources:
                lines = [*map(line, column.sources, column.values)]
            else:
                lines = kept.lines
                if kept.column.values != column.values:
                    for at, (value, before) in enumerate(zip(column.values, kept.column.values, strict=True)):
                        if value != before:
                            lines[at] = line(column.sources[at], value)
            self._kept[name] = _Kept(column, lines)
            return "".join(lines)
