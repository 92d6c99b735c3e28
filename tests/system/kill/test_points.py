"""Which calls of a run the default run of the tests kills at."""

from itertools import groupby

import pytest

from system.kill.points import DAYS, some_of

CALLS = list(enumerate(["mkdir", *["pwrite64"] * 20, "fdatasync", "nft sendmsg+", "write", *["pwrite64"] * 2, "exit_group"], 1))


def test_six_days_meet_each_stretch_of_calls_once() -> None:
    stretches = [{number for number, _ in stretch} for _, stretch in groupby(CALLS, lambda call: call[1])]
    for first in range(100):
        met = [number for day in range(first * DAYS, (first + 1) * DAYS) for number in some_of(CALLS, day)]
        assert [len(stretch & set(met)) for stretch in stretches] == [1] * len(stretches)


def test_enough_days_meet_every_call() -> None:
    assert {number for day in range(20 * DAYS) for number in some_of(CALLS, day)} == {number for number, _ in CALLS}


@pytest.mark.parametrize("day", range(6))
def test_every_day_meets_one_call_of_the_shortest_run(day: int) -> None:
    assert some_of([(7, "exit_group")], day) == [7]
