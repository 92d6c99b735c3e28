from banlistd.core.feeds.health.overview import Overview
from banlistd.core.feeds.quarantine import SourceHealth, stale_at
from banlistd.model import SourceId
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
