"""What was measured, and what it was to be: rows, targets, and whether they are met. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

# Rates, in units of their own; all else is cost.
_MORE_IS_BETTER = frozenset({"kpps", "bans/s", "reports/s", "requests/s"})


class Bound(StrEnum):
    AT_MOST = "at most"
    AT_LEAST = "at least"
    BESIDE = "beside"


@dataclass(frozen=True, slots=True)
class Target:
    """A row's median is at most, or at least, `times` the median of the row `of`, plus `plus` in the row's unit.

    Without `of` the bound is `plus` alone. Beside a row, nothing is to be met: the ratio alone is told.
    """

    bound: Bound
    times: float = 0.0
    of: str = ""
    plus: float = 0.0


def at_most(plus: float) -> Target:
    return Target(Bound.AT_MOST, plus=plus)


def at_least(plus: float) -> Target:
    return Target(Bound.AT_LEAST, plus=plus)


def at_most_times(times: float, of: str, plus: float = 0.0) -> Target:
    return Target(Bound.AT_MOST, times, of, plus)


def at_least_times(times: float, of: str) -> Target:
    return Target(Bound.AT_LEAST, times, of)


def beside(of: str) -> Target:
    return Target(Bound.BESIDE, 1.0, of)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `name` is unique: the case and who was measured. `what` says what the figure contains.

    `peak_rss`: octets, the largest of all samples; 0 where it was not measured. `dropped`: samples that were taken again,
    because the machine stood still in them or another process listened to nf_tables; `disturbed`: how many of those that
    were kept were so all the same.
    """

    name: str
    what: str
    unit: str
    samples: Sequence[float]
    peak_rss: int = 0
    target: Target | None = None
    dropped: int = 0
    wait_for_external_change: int = 0

    @property
    def case(self) -> str:
        return self.name.partition("/")[0]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def least(self) -> float:
        return min(self.samples)

    @property
    def best(self) -> float:
        """The least, but where more is better."""
        return max(self.samples) if self.unit in _MORE_IS_BETTER else self.least


@dataclass(frozen=True, slots=True)
class Judged:
    """A row beside its target. `ratio`: of medians, to the row that the target names, or to the bound. None: not judged.

    `best_ratio`: that of each side's best sample, which neighbours on the machine disturb least.
    """

    row: Row
    target: str = ""
    ratio: float | None = None
    best_ratio: float | None = None
    met: bool | None = None

    def as_record(self) -> Mapping[str, object]:
        """As it is written to JSON."""
        row = self.row
        return {
            "name": row.name,
            "what": row.what,
            "unit": row.unit,
            "samples": list(row.samples),
            "median": row.median,
            "min": row.least,
            "peak_rss_mb": round(row.peak_rss / 2**20, 1) if row.peak_rss else None,
            "target": self.target,
            "ratio": self.ratio,
            "best_ratio": self.best_ratio,
            "met": None if self.met is None else "yes" if self.met else "no",
            "dropped": row.dropped,
            "disturbed": row.wait_for_external_change,
        }


def judge(rows: Sequence[Row], *, comparable: bool = True) -> list[Judged]:
    """Each row beside its target. Where that names a row which was not measured, or on lists too small, it is not judged."""
    by_name = {row.name: row for row in rows}
    judged = [_judge(row, by_name) for row in rows]
    return judged if comparable else [replace(each, met=None) for each in judged]


def _judge(row: Row, by_name: Mapping[str, Row]) -> Judged:
    target = row.target
    if target is None:
        return Judged(row)
    words = _words(target, row.unit)
    if target.of and target.of not in by_name:
        return Judged(row, words)
    other = by_name.get(target.of)
    if other and target.bound is Bound.BESIDE:
        return Judged(row, words, _ratio(row.median, other.median), _ratio(row.best, other.best))
    bound = target.times * (other.median if other else 0.0) + target.plus
    met = row.median <= bound if target.bound is Bound.AT_MOST else row.median >= bound
    if other:
        return Judged(row, words, _ratio(row.median, other.median), _ratio(row.best, other.best), met)
    return Judged(row, words, _ratio(row.median, bound), _ratio(row.best, bound), met)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _words(target: Target, unit: str) -> str:
    if not target.of:
        return f"{target.bound} {target.plus:g} {unit}"
    if target.bound is Bound.BESIDE:
        return f"{target.bound} {target.of}"
    plus = f" + {target.plus:g} {unit}" if target.plus else ""
    return f"{target.bound} {target.times:g} x {target.of}{plus}"
