"""The pauses between two attempts to connect."""

import pytest

from banlistd.core.mqtt.reconnecting import longest_pause


def test_pauses_grow_and_none_is_longer_than_two_minutes_less_an_attempt() -> None:
    pauses = [longest_pause(attempt) for attempt in range(1, 2000)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (3.0, 110.0)


@pytest.mark.parametrize(("attempts", "seconds"), [(3, 17.0), (9, 500.0)])
def test_the_first_attempts_come_soon(attempts: int, seconds: float) -> None:
    assert sum(longest_pause(attempt) for attempt in range(1, attempts + 1)) <= seconds
