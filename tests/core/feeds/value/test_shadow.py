from dataclasses import replace

from banlistd.core.config.model import Source
from banlistd.core.feeds.value.shadow import Shadow, in_shadow, period_of, turn_of
from banlistd.model import Action, SourceId

TRIED = Source(id=SourceId("tried"), url="https://lists.example/tried", action=Action.COUNT, shadow=100.0)
BEGUN = Shadow(TRIED.id, 1000.0, 7)


def test_a_source_begins_when_it_is_first_seen_and_ends_with_its_time() -> None:
    assert in_shadow([TRIED], {}, 1000.0) == {"tried"}
    begun = turn_of([TRIED], {}, {TRIED.id: 7}, 1000.0)
    assert (begun.come, begun.over, begun.gone) == ((BEGUN,), (), ())
    assert in_shadow([TRIED], {TRIED.id: BEGUN}, 1099.9) == {"tried"}
    assert in_shadow([TRIED], {TRIED.id: BEGUN}, 1100.0) == frozenset()
    ended = turn_of([TRIED], {TRIED.id: BEGUN}, {TRIED.id: 10}, 1101.0)
    assert ended.over == (replace(BEGUN, ended_at=1101.0, packets=3),)
    assert not turn_of([TRIED], {TRIED.id: ended.over[0]}, {TRIED.id: 12}, 1102.0).over


def test_a_counter_that_began_anew_counts_from_nothing() -> None:
    assert [BEGUN.counted(counter) for counter in (7, 9, 3)] == [0, 2, 3]


def test_a_longer_time_goes_on_with_what_was_counted() -> None:
    over = replace(BEGUN, ended_at=1101.0, packets=3)
    (again,) = turn_of([replace(TRIED, shadow=500.0)], {TRIED.id: over}, {TRIED.id: 20}, 1200.0).come
    assert (again.began_at, again.ended_at, again.counted(22)) == (1000.0, None, 5)


def test_a_source_without_the_key_or_with_another_action_is_forgotten() -> None:
    for source in (replace(TRIED, shadow=None), replace(TRIED, action=Action.DROP), replace(TRIED, enabled=False)):
        assert period_of(source) is None
        assert turn_of([source], {TRIED.id: BEGUN}, {}, 1001.0).gone == ("tried",)
        assert not in_shadow([source], {TRIED.id: BEGUN}, 1001.0)
