from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.config.sections.interval import Daily
from banlistd.core.download.retry import LONGEST_RETRY_AFTER
from banlistd.core.feeds.schedule import (
    DAILY_JITTER,
    JITTER,
    LONGEST_CATCH_UP,
    catch_up_delay,
    delay_after,
    failing_since,
    wait_for,
)
from banlistd.model import Poll, SourceId

A = SourceId("a")
times = st.floats(-1e12, 1e12)
chances = st.floats(0, 1)


@given(st.floats(10, 1e6), chances)
def test_a_good_poll_is_followed_after_the_interval_and_a_little_jitter(every: float, chance: float) -> None:
    assert (
        every
        <= delay_after(every=every, failures=0, failing_for=0.0, retry_after=None, chance=chance, now=0.0)
        <= every * (1 + JITTER)
    )


@given(st.floats(10, 1e6), st.integers(1, 10_000), chances)
def test_a_failed_poll_is_repeated_sooner_but_never_in_a_storm(every: float, failures: int, chance: float) -> None:
    delay = delay_after(every=every, failures=failures, failing_for=0.0, retry_after=None, chance=chance, now=0.0)
    assert min(every, 60) / 2 <= delay <= every


@given(chances)
def test_failures_in_a_row_wait_longer(chance: float) -> None:
    delays = [
        delay_after(every=86_400, failures=n, failing_for=0.0, retry_after=None, chance=chance, now=0.0) for n in range(1, 10)
    ]
    assert delays == sorted(delays)


HOUR, DAY = 3600.0, 86_400.0


def longest_delay(failing_for: float, every: float = HOUR) -> float:
    return delay_after(every=every, failures=100, failing_for=failing_for, retry_after=None, chance=1, now=0.0)


def test_a_list_that_has_failed_for_long_is_tried_again_less_and_less_often_up_to_once_a_day() -> None:
    assert [longest_delay(days * DAY) / HOUR for days in (0, 0.5, 1, 3, 12, 24, 1000)] == [1, 1, 1, 3, 12, 24, 24]


def test_a_list_with_a_longer_interval_than_a_day_keeps_it_however_long_it_fails() -> None:
    assert longest_delay(1000 * DAY, every=3 * DAY) == 3 * DAY


@given(st.floats(10, 1e6), st.integers(1, 10_000), times, chances)
def test_no_failure_is_tried_again_at_once_or_waits_longer_than_its_interval_or_a_day(
    every: float, failures: int, failing_for: float, chance: float
) -> None:
    delay = delay_after(every=every, failures=failures, failing_for=failing_for, retry_after=None, chance=chance, now=0.0)
    assert min(every, 60) / 2 <= delay <= max(every, DAY)


def test_failures_in_a_row_began_with_the_first_of_them() -> None:
    assert failing_since(Poll(A), 9.0) == 9.0
    assert failing_since(Poll(A, failures=3, failing_since=2.0), 9.0) == 2.0
    assert failing_since(Poll(A, failures=0, failing_since=2.0), 9.0) == 9.0


def test_a_server_that_asks_for_patience_gets_it() -> None:
    assert delay_after(every=60, failures=1, failing_for=0.0, retry_after=7200, chance=0, now=0.0) == 7200


@given(times, st.none() | times, times)
def test_no_jump_of_the_clock_makes_a_wait_longer_than_the_interval(due_at: float, polled_at: float | None, now: float) -> None:
    assert 0 <= wait_for(Poll(A, due_at=due_at, polled_at=polled_at), now=now, every=3600) <= 3600 * (1 + JITTER)


@given(times, times, times)
def test_no_jump_of_the_clock_makes_a_failed_source_wait_longer_than_a_server_may_ask_for(
    due_at: float, polled_at: float, now: float
) -> None:
    poll = Poll(A, due_at=due_at, polled_at=polled_at, failures=3)
    assert 0 <= wait_for(poll, now=now, every=60) <= LONGEST_RETRY_AFTER


def test_a_due_time_survives_a_restart() -> None:
    assert wait_for(Poll(A, due_at=1000.0, polled_at=300.0), now=400.0, every=3600) == pytest.approx(600)


def test_the_patience_that_a_server_asked_for_survives_a_restart() -> None:
    assert wait_for(Poll(A, due_at=9000.0, polled_at=300.0, failures=1), now=400.0, every=60) == pytest.approx(8600)


def test_an_interval_that_was_made_shorter_counts_at_once() -> None:
    assert wait_for(Poll(A, due_at=90_000.0, polled_at=300.0), now=400.0, every=60) == pytest.approx(66)


@given(st.integers(0, 100), st.floats(1e-3, 1e9))
def test_clock_set_back_silences_no_list(failures: int, back: float) -> None:
    poll = Poll(A, due_at=1e9 + 3600, polled_at=1e9, failures=failures)
    assert wait_for(poll, now=1e9 - back, every=3600) == 0


def test_missed_polls_of_many_sources_are_spread_over_a_minute_at_most() -> None:
    seconds = Counter(int(catch_up_delay(SourceId(f"list-{number}"), 600)) for number in range(600))
    assert max(seconds) < LONGEST_CATCH_UP
    assert len(seconds) == LONGEST_CATCH_UP
    assert max(seconds.values()) < 3 * 600 / LONGEST_CATCH_UP


def test_missed_polls_of_few_sources_are_spread_over_a_few_seconds() -> None:
    assert catch_up_delay(A, 1) == 0
    assert 0 < catch_up_delay(A, 5) < 4
    assert catch_up_delay(A, 5) == catch_up_delay(A, 5)


FOUR = Daily(4 * 3600)
MIDNIGHT = 1_790_035_200.0


def good_delay(now: float, chance: float = 0.0) -> float:
    return delay_after(every=FOUR, failures=0, failing_for=0.0, retry_after=None, chance=chance, now=now)


def test_a_daily_list_is_polled_at_its_time() -> None:
    assert MIDNIGHT % DAY == 0
    assert good_delay(MIDNIGHT) == 4 * HOUR
    assert good_delay(MIDNIGHT + 3 * HOUR) == HOUR
    assert good_delay(MIDNIGHT + 5 * HOUR) == 23 * HOUR
    assert good_delay(MIDNIGHT, chance=1) == 4 * HOUR + DAILY_JITTER


@pytest.mark.parametrize("early", [-0.5, 0.0, 0.5, 30.0])
def test_a_poll_that_comes_a_moment_early_is_that_of_its_time(early: float) -> None:
    assert good_delay(MIDNIGHT + 4 * HOUR - early) == DAY + early


@given(st.floats(0, 1e10), chances)
def test_a_daily_list_is_polled_once_a_day_whenever_it_was_polled_last(now: float, chance: float) -> None:
    delay = good_delay(now, chance)
    assert 59 <= delay <= DAY + 60 + DAILY_JITTER
    assert -1 <= (now + delay - FOUR.at) % DAY <= DAILY_JITTER + 1 or (now + delay - FOUR.at) % DAY >= DAY - 1


@given(st.integers(1, 10_000), st.floats(0, 1e9), st.floats(0, 1e10), chances)
def test_a_daily_list_that_fails_is_tried_again_sooner_and_at_its_time_at_the_latest(
    failures: int, failing_for: float, now: float, chance: float
) -> None:
    delay = delay_after(every=FOUR, failures=failures, failing_for=failing_for, retry_after=None, chance=chance, now=now)
    assert 30 <= delay <= good_delay(now, chance)


def test_a_daily_list_waits_for_its_due_time_after_a_restart() -> None:
    poll = Poll(A, due_at=MIDNIGHT + 4 * HOUR + 200, polled_at=MIDNIGHT - 20 * HOUR)
    assert wait_for(poll, now=MIDNIGHT, every=FOUR) == 4 * HOUR + 200
    assert wait_for(poll, now=MIDNIGHT + 4 * HOUR + 100, every=FOUR) == 100
    assert wait_for(poll, now=MIDNIGHT + 5 * HOUR, every=FOUR) == 0


def test_a_time_of_day_that_was_changed_counts_at_once() -> None:
    poll = Poll(A, due_at=MIDNIGHT + DAY + 4 * HOUR, polled_at=MIDNIGHT + 4 * HOUR)
    assert wait_for(poll, now=MIDNIGHT + 5 * HOUR, every=Daily(16 * 3600)) == 11 * HOUR
