import pytest

from banlistd.core.feeds.health.conditions import DEAD_AFTER, FeedState, is_dead, oddities_of
from banlistd.core.feeds.quarantine import SourceHealth
from banlistd.model import Poll
from support.sources import ONE, source

NOW, DAY = 1e9, 86_400.0
GOOD = Poll(ONE, polled_at=NOW)
FRESH = SourceHealth(NOW, NOW)
DYING = Poll(ONE, failures=3, failing_since=NOW - DEAD_AFTER)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (FeedState(GOOD, FRESH, 7), []),
        (FeedState(GOOD), []),
        (FeedState(DYING, FRESH, 7), ["dead: every poll has failed for 7.0 days"]),
        (FeedState(Poll(ONE, failures=3, failing_since=NOW - DEAD_AFTER + 1), FRESH, 7), []),
        (FeedState(Poll(ONE, failures=3), FRESH, 7), []),
        (
            FeedState(GOOD, SourceHealth(NOW, NOW - 400 * DAY), 7),
            ["frozen: its content has not changed for 400.0 days"],
        ),
        (
            FeedState(GOOD, FRESH, 7, moved_to="https://new.example/list"),
            ["moved: its server says that it has moved for good to https://new.example/list"],
        ),
        (FeedState(GOOD, FRESH, 0), ["empty: its list has no entry"]),
        (FeedState(GOOD, FRESH, 7, is_refused_as_empty=True), ["empty: its newest list has no entry and was refused"]),
        (
            FeedState(DYING, FRESH, 0, moved_to="x"),
            [
                "dead: every poll has failed for 7.0 days",
                "moved: its server says that it has moved for good to x",
                "empty: its list has no entry",
            ],
        ),
    ],
)
def test_the_conditions_of_a_feed(state: FeedState, words: list[str]) -> None:
    assert [f"{one.condition}: {one.message}" for one in oddities_of(source(ONE), state, NOW)] == words


def test_a_local_file_may_stay_as_it_is_and_be_empty() -> None:
    state = FeedState(GOOD, SourceHealth(NOW, NOW - 4000 * DAY), 0)
    assert oddities_of(source(ONE, path="/a/list"), state, NOW) == ()


def test_a_source_that_works_is_not_dead_whatever_was_written_before() -> None:
    assert not is_dead(Poll(ONE, failures=0, failing_since=0.0), NOW)
