"""How often a list is polled: an interval in seconds, a time of each day, or when the answers of name servers end."""

import re
from typing import Self

from banlistd.core.config.values import Unfit, duration_within
from banlistd.core.printing import shown


class Daily(float):
    """An interval of a day between polls at one time of each day. `at`: seconds after midnight, UTC. Equal to its like only."""

    __slots__ = ("at",)
    at: int

    def __new__(cls, at: int) -> Self:
        daily = super().__new__(cls, 86_400)
        daily.at = at % 86_400
        return daily

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Daily) and self.at == other.at

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Daily, self.at))

    def __str__(self) -> str:
        return f"daily {self.at // 3600:02}:{self.at // 60 % 60:02}"

    def __repr__(self) -> str:
        return f"Daily({self.at})"


class ByTtl(float):
    """When the TTL of the answer of name servers ends: the interval where there is no TTL. Equal to its like only."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByTtl) and float(self) == float(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((ByTtl, float(self)))


DAILY_PATTERN = "daily ([01][0-9]|2[0-3]):([0-5][0-9])(?: ?(?:UTC|([+-])([01][0-9]):([0-5][0-9])))?"
"""Of `daily 04:00`, `daily 04:00 UTC` or `daily 04:00 +02:00`: two hours east of UTC."""

_DAILY = re.compile(DAILY_PATTERN, re.ASCII)
_NAMED = {"hourly": 3600.0, "daily": 86_400.0}


def poll_interval(text: str) -> float:
    """Seconds between polls, of a duration, `hourly` or `daily`; a `Daily` for `daily` and a time."""
    if match := _DAILY.fullmatch(text):
        hour, minute, sign, hours_east, minutes_east = match.groups()
        east = (int(hours_east) * 3600 + int(minutes_east) * 60) * (-1 if sign == "-" else 1) if sign else 0
        return Daily(int(hour) * 3600 + int(minute) * 60 - east)
    if text.startswith("daily "):
        raise Unfit(f"{shown(text)} is not a time of day", "write daily 04:00, in UTC, or daily 04:00 +02:00")
    return _NAMED[text] if text in _NAMED else _within_a_year(text)


_within_a_year = duration_within("10s", "365d")
