"""When a source is polled next. Times (seconds since the epoch) and chances (0 to 1) are handed in."""

import hashlib

from banlistd.core.config.reading.names import LONGEST_TTL, SHORTEST_TTL
from banlistd.core.config.sections.interval import ByTtl, Daily
from banlistd.core.download.retry import LONGEST_RETRY_AFTER
from banlistd.model import Poll, SourceId

# A tenth: a thousand machines with `every: 1h` come over six minutes, not in one second.
JITTER = 0.1

# Polls at a time of day are spread over these seconds after it. One that comes that much too early counts as that of the time.
DAILY_JITTER = 300.0
_EARLY = 60.0

# After a failure a source is tried again sooner than its interval says, then later and later, up to that interval.
FIRST_RETRY = 60.0

# A list that has failed for long may be dead: then it is tried again after this part of the time for which it has failed, also
# beyond its interval. Within a day of failures a list with an hour's interval is tried each hour, after 24 days once a day.
LONG_FAILURE = 1 / 24
LONGEST_BACKOFF = 86_400.0

# Polls that were missed while nothing ran are spread over a second for each source, a minute at most.
LONGEST_CATCH_UP = 60.0


def failing_since(before: Poll, now: float) -> float:
    """When the failures in a row began, of which there is one more now (seconds since the epoch)."""
    return before.failing_since if before.failures and before.failing_since is not None else now


def until_time_of_day(every: Daily, now: float) -> float:
    """Seconds until the next time that is not just now."""
    left = (every.at - now) % float(every)
    return left if left >= _EARLY else left + float(every)


def interval_by(every: float, ttl: float | None) -> float:
    """The interval after an answer that counts for `ttl` seconds, within bounds; None: it does not say."""
    if not isinstance(every, ByTtl):
        return every
    return float(every) if ttl is None else min(max(ttl, SHORTEST_TTL), LONGEST_TTL)


def delay_after(
    *, every: float, failures: int, failing_for: float, retry_after: float | None, chance: float, now: float
) -> float:
    """Seconds until the next poll. `failures`: failed polls in a row, 0 after a good one. `failing_for`: seconds since the
    first of them.
    """
    good = every * (1 + JITTER * chance)
    if isinstance(every, Daily):
        good = until_time_of_day(every, now) + DAILY_JITTER * chance
    if not failures:
        return good
    longest = max(every, min(failing_for * LONG_FAILURE, LONGEST_BACKOFF))
    # The exponent is bounded so that a source that fails for a year does not overflow.
    ceiling = min(longest, FIRST_RETRY * 2.0 ** min(failures - 1, 20))
    delay = ceiling * (0.5 + chance / 2)
    return max(min(delay, good) if isinstance(every, Daily) else delay, retry_after or 0.0)


def catch_up_delay(source_id: SourceId, sources: int) -> float:
    """Seconds by which a missed poll is put off, so that not all of these many sources are polled in the same second.

    One source alone waits for nothing. The delay is the same each time.
    """
    share = int.from_bytes(hashlib.sha256(source_id.encode()).digest()[:4], "big") / 2**32
    return share * min(LONGEST_CATCH_UP, max(sources - 1, 0))


def wait_for(poll: Poll, *, now: float, every: float) -> float:
    """Seconds to wait for a due time that was written down, maybe by an earlier process, maybe by another clock.

    A clock behind the last poll was set back, and what was written down means nothing: the source is asked at once, and then
    by the new clock. Otherwise no wait is longer than one interval, or than the longest that a server may ask for.
    """
    if poll.polled_at is not None and now < poll.polled_at:
        return 0.0
    longest = (LONGEST_TTL if isinstance(every, ByTtl) else every) * (1 + JITTER)
    if poll.failures:
        longest = max(longest, LONGEST_RETRY_AFTER, LONGEST_BACKOFF)
    left = min(max(poll.due_at - now, 0.0), longest)
    if isinstance(every, Daily) and not poll.failures and left > until_time_of_day(every, now) + DAILY_JITTER:
        return until_time_of_day(every, now)  # the time of day was changed
    return left
