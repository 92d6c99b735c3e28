"""How long a host waits before it connects to a broker again."""

LONGEST_PAUSE = 110.0
"""Seconds. With the ten that an attempt may take, a broker that is there again is connected to within two minutes."""

_DOUBLINGS = 7


def longest_pause(attempt: int) -> float:
    """Seconds at most before an attempt (1: the first after a loss). The pause is random: many hosts lose a broker at once."""
    return min(LONGEST_PAUSE, 1.0 + 2.0 ** min(attempt, _DOUBLINGS))
