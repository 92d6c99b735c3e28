from banlistd.core.feeds.health.conditions import FeedCondition
from banlistd.core.feeds.health.overview import Oldest, Overview
from banlistd.core.feeds.quarantine import SourceHealth, frozen_at, stale_at
from banlistd.model import Poll, SourceId
from support.sources import source

NOW = 1e9
PART, FRESH, MADE, OUTER, OTHER = (SourceId(name) for name in ("part", "fresh", "made", "outer", "other"))
SOURCES = [
    source(PART),
    source(FRESH),
    source(MADE, merge=(FRESH,), exclude=(PART,)),
    source(OUTER, merge=(MADE,)),
    source(OTHER, merge=(FRESH,)),
]


def _stale(good_at: float) -> dict[SourceId, float]:
    healths = {one.id: SourceHealth(NOW, NOW) for one in SOURCES} | {PART: SourceHealth(good_at, good_at)}
    return dict(Overview({}, healths, {}, frozenset(), {}).stale_since(SOURCES, NOW))


def test_a_combination_is_as_old_as_its_oldest_part() -> None:
    since = stale_at(0.0, SOURCES[0])
    assert _stale(0.0) == {PART: since, MADE: since, OUTER: since}


def test_a_combination_of_fresh_parts_is_fresh() -> None:
    assert _stale(NOW) == {}


def test_of_a_source_with_a_newer_list_than_the_oldest_nothing_is_odd() -> None:
    local, remote = source(PART), source(FRESH, url="https://list.example/")
    oldest = Oldest.of([local, remote], NOW)
    assert oldest.good_at == NOW - min(stale_at(0.0, local), stale_at(0.0, remote))
    assert oldest.changed_at == NOW - frozen_at(0.0, remote)
    for good_at, changed_at, odd in (
        (oldest.good_at, NOW, True),
        (oldest.good_at + 1, NOW, False),
        (NOW, oldest.changed_at, True),
        (NOW, oldest.changed_at + 1, False),
    ):
        overview = Overview({}, {FRESH: SourceHealth(good_at, changed_at)}, {}, frozenset(), {})
        found = bool(overview.stale_since([remote], NOW)) or bool(overview.oddities([remote], NOW)[FRESH])
        assert found is odd


def test_where_no_source_can_be_odd_nothing_is_asked_for() -> None:
    assert Oldest.of([], NOW) == Oldest(-float("inf"), -float("inf"))


def test_a_source_of_which_nothing_is_known_is_not_odd() -> None:
    overview = Overview({FRESH: Poll(FRESH, failures=9, failing_since=0.0)}, {}, {}, frozenset(), {})
    found = overview.oddities(SOURCES, NOW)
    assert found.keys() == {one.id for one in SOURCES}
    assert {source_id: [one.condition for one in some] for source_id, some in found.items() if some} == {
        FRESH: [FeedCondition.DEAD]
    }
