import asyncio
from contextlib import suppress

from banlistd.control.monitoring.loop_lag import LoopLag


class Readings:
    """A clock that shows these times, and then ends the looking."""

    def __init__(self, *times: float) -> None:
        self.times = list(times)

    def __call__(self) -> float:
        if not self.times:
            raise asyncio.CancelledError
        return self.times.pop(0)


def longest_of(*times: float) -> float:
    async def main() -> float:
        lag = LoopLag(Readings(*times), every=0.0)
        with suppress(asyncio.CancelledError):
            await lag.run()
        return lag.longest

    return asyncio.run(main())


def test_the_longest_delay_counts() -> None:
    assert longest_of() == 0
    assert longest_of(0.0, 0.0, 10.0, 13.0, 20.0, 20.5) == 3.0


def test_a_delay_is_forgotten_after_a_minute_of_looks() -> None:
    assert longest_of(0.0, 9.0, *(1.0,) * 120) == 0
