"""What is the same for all sources of a configuration is counted once, and what status says is what all sources say."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from banlistd.control.commands.status import STATUS
from banlistd.core.config.model import Source
from banlistd.core.feeds.health.census import Census, census_of
from banlistd.core.feeds.health.overview import Oldest, Overview
from banlistd.core.feeds.quarantine import SourceHealth
from banlistd.model import Action, SourceId
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

NOW = 1e9
PART, MADE, OUTER, KEPT, OFF = (SourceId(name) for name in ("part", "made", "outer", "kept", "off"))
SOURCES = (
    source(PART),
    source(MADE, merge=(PART,)),
    source(OUTER, merge=(MADE,)),
    source(KEPT, action=Action.NONE),
    source(OFF, enabled=False),
)


class Counted(tuple[Source, ...]):
    """Sources that count how often all of them are gone through."""

    __slots__ = ()

    times = 0

    def __iter__(self) -> Iterator[Source]:
        type(self).times += 1
        return super().__iter__()


def test_a_census_counts_what_the_configuration_says() -> None:
    census = Census.of(SOURCES)
    assert census.enabled == {PART, MADE, OUTER, KEPT}
    assert (census.kept, census.by_country) == (1, False)
    assert census.oldest.later(NOW) == Oldest.of(SOURCES, NOW)


def test_what_is_stale_among_those_known_and_the_combinations_is_what_is_stale_among_all() -> None:
    overview = Overview({}, {PART: SourceHealth(0.0, 0.0)}, {}, frozenset(), {})
    some = Census.of(SOURCES).some(overview.known)
    assert [one.id for one in some] == [MADE, OUTER, PART]
    assert overview.stale_since(some, NOW) == overview.stale_since(SOURCES, NOW) != {}


def test_a_source_that_is_gone_from_the_configuration_is_no_part_of_it() -> None:
    assert Census.of(SOURCES[:1]).some([SourceId("gone")]) == []


def test_a_second_status_goes_through_no_sources(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        assert world.service.config.sources is sources
        first = await STATUS.answer(world.parts, ())
        assert Counted.times > 0
        Counted.times = 0
        assert await STATUS.answer(world.parts, ()) == first
        assert Counted.times == 0

    sources = Counted((source(ONE), source(TWO)))
    census_of(())
    run(Environment(tmp_path), replace(config_of(), sources=sources), life)
