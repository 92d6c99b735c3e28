"""Whether a record meets the conditions of its format (`where`). Pure: the time is handed in.

Two numbers are compared as numbers, two times as times, all else as text, whatever its case. A value that is absent, null or
empty meets nothing but `!=`; of an array one item is enough, except for `!=`.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from banlistd.core.addresses.timed import NEVER, whole_second
from banlistd.errors import ParseError
from banlistd.formats import Condition, Operator

_Compare = Callable[[float, float], bool]
_ORDERS: Mapping[Operator, _Compare] = {
    Operator.AT_LEAST: operator.ge,
    Operator.AT_MOST: operator.le,
    Operator.ABOVE: operator.gt,
    Operator.BELOW: operator.lt,
}
_LONGEST = 1000
"""Characters of a value; a longer one is no number, no time, and no type or country."""

_NUMBER = re.compile(r"[+-]?\d{1,300}(?:\.\d{0,300})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_TIME = re.compile(
    r"(\d{4})[-/]?(\d\d)[-/]?(\d\d)(?:[T ]\s{0,4}(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d{1,9})?)?)?"
    r"\s{0,4}(?:Z|UTC|GMT|([+-]\d\d):?(\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_MILLISECONDS = 1e11
"""Seconds since 1970 are not so many before the year 5138: such a number counts milliseconds."""

_NEVER = frozenset({"", "null", "none", "-"})


def holds(condition: Condition, value: object, now: int) -> bool:
    """Raises ParseError where a time must lie in the future and the time is not known, or the value is none."""
    if isinstance(value, list):
        some = [holds(condition, one, now) for one in value if not isinstance(one, list)]
        return all(some) if condition.operator is Operator.IS_NOT else any(some)
    written = _written(value)
    match condition.operator:
        case Operator.IS:
            return written is not None and any(_is_same(written, one) for one in condition.values)
        case Operator.IS_NOT:
            return written is None or not any(_is_same(written, one) for one in condition.values)
        case Operator.FUTURE:
            return written is not None and _is_future(condition, written, now)
        case _:
            return written is not None and _in_order(_ORDERS[condition.operator], written, condition.values[0])


def all_hold(conditions: Sequence[Condition], value_of: Callable[[str], object], now: int) -> bool:
    """`value_of`: the value of a field of the record, None where it has none. Raises ParseError as `holds`."""
    return all(holds(condition, value_of(condition.field), now) for condition in conditions)


def ends_at(conditions: Sequence[Condition], value_of: Callable[[str], object]) -> int:
    """When a record that meets the conditions no longer does: the first of the times that must lie in the future, in seconds
    since the epoch; `NEVER` where there is no such condition.
    """
    fields = (value_of(condition.field) for condition in conditions if condition.operator is Operator.FUTURE)
    return min((_last_instant(value) for value in fields), default=NEVER)


def _last_instant(value: object) -> int:
    """Of an array one item is enough, so the last one counts."""
    if isinstance(value, list):
        return max((_last_instant(one) for one in value if not isinstance(one, list)), default=NEVER)
    written = _written(value)
    return end_of(instant_of(written)) if written is not None else 0


def end_of(instant: float | None) -> int:
    """An end as `TimedEntries` has it; None: it never comes."""
    return NEVER if instant is None else whole_second(instant)


def instant_of(text: str) -> float | None:
    """Unix seconds of an ISO date or time (UTC where it names no zone), or of a number of (milli)seconds; None for no time."""
    number = numeric(text)
    if number is not None and not _is_compact_date(text):
        return number / 1000 if abs(number) >= _MILLISECONDS else number
    parts = _TIME.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if parts is None:
        return None
    year, month, day, hour, minute, second, *zone = (int(part) if part else 0 for part in parts.groups())
    east = 3600 * zone[0] + (-60 if (parts[7] or "").startswith("-") else 60) * zone[1]
    days = _days(year, month, day)
    return None if days is None or hour > 24 or minute > 59 else 86_400.0 * days + 3600 * hour + 60 * minute + second - east  # noqa: PLR2004


def _days(year: int, month: int, day: int) -> int | None:
    """Since 1970-01-01, in the Gregorian calendar; None for a day that there is not."""
    leap = not year % 4 and (year % 100 != 0 or not year % 400)
    if not 1 <= month <= len(_MONTHS) or not 1 <= day <= _MONTHS[month - 1] + (leap and month == _FEBRUARY):
        return None
    before = year - 1
    leaps = before // 4 - before // 100 + before // 400
    return 365 * before + leaps + sum(_MONTHS[: month - 1]) + (leap and month > _FEBRUARY) + day - _DAYS_TO_1970


_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2
_DAYS_TO_1970 = 719_163


def numeric(text: str) -> float | None:
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    number = float(found[0]) if found else math.nan
    return number if math.isfinite(number) else None


def _written(value: object) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            text = str(value).strip() if not isinstance(value, int) or abs(value) < 10**18 else ""
            return text if text and len(text) <= _LONGEST else None
        case _:
            return None


def _is_same(written: str, wanted: str) -> bool:
    one, other = numeric(written), numeric(wanted)
    return one == other if one is not None and other is not None else written.casefold() == wanted.strip().casefold()


def _in_order(compare: _Compare, written: str, wanted: str) -> bool:
    limit = numeric(wanted)
    if limit is not None:
        number = numeric(written.removesuffix("%"))
        return number is not None and compare(number, limit)
    one, other = instant_of(written), instant_of(wanted)
    return one is not None and other is not None and compare(one, other)


def _is_future(condition: Condition, written: str, now: int) -> bool:
    if not now:
        raise ParseError(f"{condition.field}: the time is not known")
    if written.casefold() in _NEVER:
        return False
    instant = instant_of(written)
    if instant is None:
        raise ParseError(f"no time at {condition.field}")
    return instant > now


_COMPACT = re.compile(r"(?:19|20)\d{6}", re.ASCII)


def _is_compact_date(text: str) -> bool:
    return _COMPACT.fullmatch(text.strip()) is not None
