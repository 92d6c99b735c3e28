import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.download.intervals import LastRequest, Rest, download_place, remarks_on_turns, rest_before_next
from banlistd.core.download.retry import LONGEST_RETRY_AFTER
from banlistd.formats import Format, FormatType
from banlistd.model import SourceId
from support.sources import ONE, source

times = st.floats(0, 1e10)


def test_a_list_that_was_never_asked_for_may_be_asked_for() -> None:
    assert rest_before_next(LastRequest(), 3600.0, 5.0) is None


def test_without_a_rule_of_the_publisher_nothing_is_waited_for() -> None:
    assert rest_before_next(LastRequest(5.0), None, 5.0) is None


def test_the_interval_of_the_publisher_is_named() -> None:
    assert rest_before_next(LastRequest(100.0), 4 * 3600.0, 144.0) == Rest(14_356.0, "the publisher allows one request in 4h")
    assert rest_before_next(LastRequest(100.0), 4 * 3600.0, 100.0 + 4 * 3600) is None


def test_the_longer_of_both_rests_counts() -> None:
    last = LastRequest(100.0, retry_at=500.0)
    assert rest_before_next(last, 60.0, 100.0) == Rest(400.0, "the server asked for this pause")
    assert rest_before_next(last, 900.0, 100.0) == Rest(900.0, "the publisher allows one request in 15m")
    assert rest_before_next(last, None, 500.0) is None


@given(times, times, st.floats(0, 1e6))
def test_moments_keep_their_distance_by_another_clock(asked_at: float, there: float, passed: float) -> None:
    moved = LastRequest(asked_at).by_another_clock(asked_at + passed, there)
    assert moved.asked_at == pytest.approx(there - passed, abs=1e-3)


@given(times, times, times, times)
def test_a_clock_that_was_set_back_neither_shortens_nor_lengthens_an_interval(
    asked_at: float, retry_at: float, now: float, there: float
) -> None:
    moved = LastRequest(asked_at, retry_at).by_another_clock(now, there)
    rest = rest_before_next(moved, 3600.0, there)
    assert moved.asked_at is not None
    assert moved.asked_at <= there
    assert rest is None or rest.seconds <= max(3600.0, LONGEST_RETRY_AFTER) + 1e-3
    if now < asked_at:
        assert rest is not None
        assert rest.seconds >= 3600.0 - 1e-3


def test_a_place_is_the_same_under_another_name_and_in_another_format() -> None:
    one = source(ONE, url="https://lists.example/a")
    other = source(SourceId("other"), url="https://lists.example/a", format=Format(FormatType.PLAIN))
    assert download_place(one) == download_place(other)
    assert download_place(one) != download_place(source(ONE, url="https://lists.example/b"))


def test_sources_that_take_turns_at_a_publisher_are_remarked_on() -> None:
    one, url = source(ONE, url="https://lists.example/a", minimum=3600.0), "https://lists.example/a"
    other = source(SourceId("other"), url=url, format=Format(FormatType.PLAIN))
    (remark,) = remarks_on_turns([one, other, source(SourceId("apart"), url="https://lists.example/b", minimum=60.0)])
    assert remark.message == (
        "other: it asks for the list of one, and its publisher allows one request in 1h: one of them comes late each time"
    )
    assert remark.hint == "poll it once, and write merge: [one] in place of the url"
    assert remarks_on_turns([source(ONE, url=url), other]) == []
    assert remarks_on_turns([one, source(SourceId("other"), url=url, enabled=False)]) == []
