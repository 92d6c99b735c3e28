"""A moment, or an import run, as an operator writes it: the tool reads it, in the operator's time zone.

To the daemon goes `@` and seconds since the epoch, or the number of a run.
"""

import argparse
import re
import time

from banlistd.errors import UsageError

_AGO = re.compile(r"([0-9]{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_EPOCH = re.compile(r"@[0-9]{1,12}(?:\.[0-9]{1,6})?", re.ASCII)
_RUN = re.compile(r"[0-9]{1,12}", re.ASCII)
_LATEST = 10**11
"""Seconds since the epoch: in the year 5138, which every calendar has."""

TIME_HELP = "'2026-11-29 10:00' (local time), 2026-11-29T10:00Z, @SECONDS since the epoch, or 3d: so long ago"


def moment_argument(text: str) -> str:
    """`type` of an argument that is a moment."""
    ago = _AGO.fullmatch(text)
    if ago:
        return f"@{time.time() - int(ago[1]) * _UNITS[ago[2]]:.3f}"
    if _EPOCH.fullmatch(text):
        return text
    from datetime import datetime

    try:
        return f"@{datetime.fromisoformat(text).timestamp():.3f}"
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text[:60]!a} is no moment: write {TIME_HELP}") from None


def point_argument(text: str) -> str:
    """`type` of an argument that is an import run or a moment."""
    return text if _RUN.fullmatch(text) else moment_argument(text)


def read_moment(text: str, key: str) -> float | None:
    """Seconds since the epoch; None where the field is empty. Raises UsageError."""
    if not text:
        return None
    if not _EPOCH.fullmatch(text) or float(text[1:]) > _LATEST:
        raise UsageError(f"{key}={text[:60]!a} is no moment", "@ and seconds since the epoch")
    return float(text[1:])


def read_point(text: str, key: str) -> int | float | None:
    """The number of an import run, or a moment. Raises UsageError."""
    return int(text) if _RUN.fullmatch(text) else read_moment(text, key)
