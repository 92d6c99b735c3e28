"""What an administrator writes for a guard -> the number that it is compared with. `off` is what nothing exceeds."""

import math
import re
from collections.abc import Callable

from banlistd.core.config.values import Unfit, duration_within, shown

OFF = "off"

_PERCENTAGE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?%", re.ASCII)


def percentage_within(low: float, high: float) -> Callable[[str], float]:
    """Reads `50%` as 0.5; `low` and `high` are in per cent, inclusive. `off` is infinite."""

    def read(text: str) -> float:
        if text.lower() == OFF:
            return math.inf
        match = _PERCENTAGE.fullmatch(text)
        if not match or not low <= float(match[1]) <= high:
            raise Unfit(f"{shown(text)} is not a percentage", f"write {low:g}% to {high:g}%, or off")
        return float(match[1]) / 100

    return read


def prefix_within(low: int, high: int) -> Callable[[str], int]:
    """Reads a prefix length, `8` or `/8`. `off` is 0: nothing is wider than everything."""

    def read(text: str) -> int:
        if text.lower() == OFF:
            return 0
        digits = text.removeprefix("/")
        # Three digits: int() refuses very long numbers with another error.
        length = int(digits) if re.fullmatch(r"[0-9]{1,3}", digits, re.ASCII) else -1
        if not low <= length <= high:
            raise Unfit(f"{shown(text)} is not a prefix length", f"write {low} to {high}, or off")
        return length

    return read


def span_within(low: str, high: str) -> Callable[[str], float]:
    """Reads a duration between these. `off` is for ever."""
    read_duration = duration_within(low, high)

    def read(text: str) -> float:
        return math.inf if text.lower() == OFF else read_duration(text)

    return read
