from banlistd.core.notices.notice import Happening, Notice
from banlistd.core.notices.queues import MOST_IN_MESSAGE, MOST_WAITING, Queue


def notices(count: int, since: float = 0.0, *, urgent: bool = False) -> list[Notice]:
    return [Notice(Happening(0, "info", "a", str(number)), since, is_urgent=urgent) for number in range(count)]


def test_the_oldest_are_lost_beyond_the_bound_and_counted() -> None:
    queue = Queue().with_more(notices(MOST_WAITING)).with_more(notices(3))
    assert len(queue.waiting) == MOST_WAITING
    assert queue.lost == 3
    assert queue.waiting[0].happening.message == "3"


def test_what_is_delivered_leaves_and_what_came_meanwhile_stays() -> None:
    queue = Queue().with_more(notices(MOST_IN_MESSAGE + 5))
    batch = queue.batch()
    later = queue.with_more(notices(1)).delivered(batch, 0)
    assert len(batch) == MOST_IN_MESSAGE
    assert [notice.happening.message for notice in later.waiting] == [
        *map(str, range(MOST_IN_MESSAGE, MOST_IN_MESSAGE + 5)),
        "0",
    ]


def test_a_failure_pauses_longer_each_time_and_at_most_half_an_hour() -> None:
    queue = Queue().with_more(notices(1))
    pauses = []
    for _ in range(12):
        queue = queue.failed(queue.batch(), 1000.0, 0.5)
        pauses.append(queue.seconds_to_wait(1000.0, 0.0))
    assert pauses[:3] == [15, 30, 60]
    assert pauses[-1] == 1800
    assert queue.delivered(queue.batch(), 0).retry_at == 0


def test_after_a_step_of_the_clock_back_the_pause_is_bounded() -> None:
    queue = Queue().with_more(notices(1))
    queue = queue.failed(queue.batch(), 1e9, 0.5)
    assert (queue.seconds_to_wait(0.0, 0.0) or 0) <= 1800 * 1.25


def test_after_failures_fewer_are_sent_and_one_that_is_never_accepted_goes_behind_the_others() -> None:
    queue = Queue().with_more(notices(MOST_IN_MESSAGE + 5))
    sizes, first = [], queue.waiting[0]
    while queue.waiting[0] is first:
        sizes.append(len(queue.batch()))
        queue = queue.failed(queue.batch(), 1000.0, 0.5)
    assert sizes == [20, 10, 5, 2, 1, 1, 1, 1]
    assert queue.waiting[-1] is first
    assert len(queue.waiting) == MOST_IN_MESSAGE + 5
    assert len(queue.delivered(queue.batch(), 0).batch()) == MOST_IN_MESSAGE


def test_a_digest_gathers_and_an_urgent_notice_ends_the_gathering() -> None:
    queue = Queue().with_more(notices(1, since=100.0))
    assert queue.seconds_to_wait(100.0, 60.0) == 60
    assert queue.seconds_to_wait(160.0, 60.0) == 0
    assert queue.with_more(notices(1, since=110.0, urgent=True)).seconds_to_wait(110.0, 60.0) == 0


def test_nothing_to_wait_for_where_nothing_waits() -> None:
    assert Queue().seconds_to_wait(0.0, 60.0) is None
