"""When to ask a server again: which faults may pass, how long to wait. Chances (0 to 1) and times are handed in."""

import re
from email.utils import parsedate_to_datetime

BASE = 1.0
CEILING = 30.0

# RFC 9110 15.5.9 and 15.6, RFC 6585 4, RFC 8470 5.2: the same request may well succeed later.
PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})

# One header delays a source by a day at most, however large its number.
LONGEST_RETRY_AFTER = 86_400.0

_SECONDS = re.compile(r"[0-9]{1,12}")


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait after attempt number `attempt` (from 0) failed.

    Full jitter: anything between nothing and a bound that doubles, so that machines that failed together do not come
    back together.
    """
    return chance * min(CEILING, BASE * 2.0 ** min(attempt, 20))


def parse_retry_after(value: str, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110 10.2.3: seconds or a date); None for one that makes no sense.

    `now`: seconds since the epoch.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(until - now, 0.0), LONGEST_RETRY_AFTER)
