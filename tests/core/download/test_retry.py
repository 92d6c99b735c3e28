from email.utils import formatdate

import pytest

from banlistd.core.download.retry import CEILING, LONGEST_RETRY_AFTER, backoff, parse_retry_after

NOW = 1_800_000_000.0


def test_the_bound_doubles_up_to_a_ceiling() -> None:
    assert [backoff(attempt, 1.0) for attempt in (0, 1, 2, 3)] == [1.0, 2.0, 4.0, 8.0]
    assert backoff(10_000, 1.0) == CEILING


def test_chance_takes_anything_between_nothing_and_the_bound() -> None:
    assert backoff(3, 0.0) == 0.0
    assert backoff(3, 0.5) == 4.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        (formatdate(NOW + 90, usegmt=True), 90.0),
        (formatdate(NOW - 90, usegmt=True), 0.0),
        ("999999999999", LONGEST_RETRY_AFTER),
        (formatdate(NOW + 1e8, usegmt=True), LONGEST_RETRY_AFTER),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("Mon, 99 Foo 99999999999 00:00:00 GMT", None),
    ],
)
def test_a_wait_is_read_from_seconds_or_a_date_and_from_nothing_else(value: str, seconds: float | None) -> None:
    assert parse_retry_after(value, NOW) == seconds
