"""When a source is polled next. Chances (0 to 1) are handed in."""

# A tenth: a thousand machines with `every: 1h` come over six minutes, not in one second.
JITTER = 0.1

# After a failure a source is tried again sooner than its interval says, then later and later, up to that interval.
FIRST_RETRY = 60.0


def delay_after(*, every: float, failures: int, retry_after: float | None, chance: float) -> float:
    """Seconds until the next poll. `failures`: failed polls in a row, 0 after a good one."""
    if not failures:
        return every * (1 + JITTER * chance)
    # The exponent is bounded so that a source that fails for a year does not overflow.
    ceiling = min(every, FIRST_RETRY * 2.0 ** min(failures - 1, 20))
    return max(ceiling * (0.5 + chance / 2), retry_after or 0.0)


def wait_until(due_at: float, *, now: float, every: float) -> float:
    """Seconds to wait for a due time that was written down, maybe by an earlier process.

    A clock that jumped cannot make it longer than one interval.
    """
    return min(max(due_at - now, 0.0), every * (1 + JITTER))
