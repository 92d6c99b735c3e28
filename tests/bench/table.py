"""Judged rows as a table for a terminal. Pure."""

from collections.abc import Sequence

from bench.rows import Judged, Row

_HEAD = ("", "median", "min", "n", "peak RSS", "ratio", "at best", "target", "met")

# The columns from the second to this one hold figures.
_FIGURES = 6


def table(judged: Sequence[Judged], title: str) -> str:
    """The rows of one case; below them what each figure contains."""
    lines = [title, *_aligned([_HEAD, *map(_cells, judged)])]
    lines += [f"    {each.row.name.partition('/')[2]}: {each.row.what}" for each in judged]
    return "\n".join([*lines, ""])


def summary(judged: Sequence[Judged], failed: Sequence[str] = ()) -> str:
    """How many targets are met, which are not, and which cases could not be measured."""
    missed = [each.row.name for each in judged if each.met is False]
    met = sum(each.met is True for each in judged)
    told = f"{met} of {met + len(missed)} targets are met"
    told += f"; missed: {', '.join(missed)}" if missed else ""
    return told + (f"; FAILED: {', '.join(failed)}" if failed else "")


def _cells(judged: Judged) -> tuple[str, ...]:
    row = judged.row
    return (
        row.name.partition("/")[2],
        f"{figure(row.median)} {row.unit}",
        f"{figure(row.least)} {row.unit}",
        _count(row),
        f"{row.peak_rss / 2**20:.0f} MB" if row.peak_rss else "",
        "" if judged.ratio is None else f"{judged.ratio:.2f}",
        "" if judged.best_ratio is None else f"{judged.best_ratio:.2f}",
        judged.target,
        "" if judged.met is None else "yes" if judged.met else "MISSED",
    )


def _count(row: Row) -> str:
    notes = [
        f"{number} {word}" for number, word in ((row.dropped, "dropped"), (row.wait_for_external_change, "disturbed")) if number
    ]
    return f"{len(row.samples)} ({', '.join(notes)})" if notes else str(len(row.samples))


def figure(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [_line(row, widths) for row in rows]


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if 1 <= column <= _FIGURES else cell.ljust(width)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (_padded(cell, width, column) for column, (cell, width) in enumerate(zip(row, widths, strict=True)))
    return f"  {'  '.join(cells)}".rstrip()
