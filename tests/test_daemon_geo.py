"""A service that looks up where addresses belong, behind its imports and never in their way."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from banlistd.adapters.storage.geo_cache import GeoCacheTable
from banlistd.core.config.model import Config
from banlistd.core.config.sections.block import Block
from banlistd.core.config.sections.geo import Geo
from banlistd.core.geo.types import GeoEntry, Located
from banlistd.errors import GeoError
from banlistd.events import EventName
from banlistd.model import Family, OutcomeKind
from banlistd.services.geo_enricher import GeoResolvers
from support.geography import DOCUMENTATION, write_mmdb
from support.sources import BOTH, ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

V4 = Family.IPV4


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_mmdb(tmp_path / "geo.mmdb", DOCUMENTATION)


async def cached(world: DaemonWorld, address: int) -> bool:
    assert isinstance(world.enricher._cache, GeoCacheTable)
    (entry,) = await world.enricher._cache.find(V4, [address], world.clock.now())
    return isinstance(entry, GeoEntry)


def test_an_import_is_followed_by_a_look_up(tmp_path: Path, database: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        event = await world.announcer.until(EventName.GEO_WARMED)
        assert event.fields["NETWORKS"] == 1
        assert await cached(world, 0xC0000201)

    run(Environment(tmp_path, geo_databases=(database,)), BOTH, life, serve=True)


def test_what_a_crash_cut_short_is_looked_up_at_the_next_start(tmp_path: Path, database: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)

    async def after(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.GEO_WARMED)
        assert await cached(world, 0xC0000201)
        assert EventName.IMPORT_COMPLETED not in world.announcer.names(), "no import has brought it"

    run(Environment(tmp_path), BOTH, before, serve=True)
    run(Environment(tmp_path, geo_databases=(database,)), BOTH, after, serve=True)


@pytest.mark.parametrize("fault", [GeoError("broken"), RuntimeError("a fault of our own")], ids=["known", "unknown"])
def test_no_fault_of_a_look_up_fails_an_import(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    def fail(*_: object) -> Sequence[Located]:
        raise fault

    monkeypatch.setattr("banlistd.adapters.geo.mmdb._located", fail)

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        name = EventName.GEO_FAULT if isinstance(fault, GeoError) else EventName.SERVICE_FAULT
        assert str(fault) in (await world.announcer.until(name)).message
        assert {outcome.kind for outcome in await world.service.refresh()} == {OutcomeKind.SKIPPED}
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(Environment(tmp_path, geo_databases=(database,)), BOTH, life, serve=True)


def test_a_stop_does_not_wait_for_a_look_up(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, ended = asyncio.Event(), []

    async def hang(*_: object) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    monkeypatch.setattr("banlistd.services.geo_enricher.Enricher._look_up", hang)

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        await begun.wait()
        assert not ended

    async def after(world: DaemonWorld) -> None:
        assert ended
        assert EventName.SERVICE_FAULT not in world.announcer.names()

    run(Environment(tmp_path, geo_databases=(database,)), BOTH, life, after=after, serve=True)


def test_a_source_of_whole_countries_is_due_when_a_database_changes(tmp_path: Path, database: Path) -> None:
    norway = source(ONE, url=None, block=Block(countries=("NO",)))
    config: Config = config_of(norway, geo=Geo(databases=(database, tmp_path / "later.mmdb")))

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        world.fetcher.bodies[ONE] = b"198.51.100.0/24\n"
        write_mmdb(database, {"198.51.100.0/24": {"country_code": "NO"}})
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, 2)
        world.fetcher.bodies[ONE] = b"203.0.113.0/24\n"
        write_mmdb(tmp_path / "later.mmdb", {"203.0.113.0/24": {"country_code": "NO"}})
        event = await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, 3)
        assert "of the IPv4 space" in event.message
        assert world.banned() == {"203.0.113.0 - 203.0.113.255"}

    run(Environment(tmp_path), config, life, serve=True)


def test_another_country_is_another_list_at_once(tmp_path: Path, database: Path) -> None:
    def config(country: str) -> Config:
        return config_of(source(ONE, url=None, block=Block(countries=(country,))), geo=Geo(databases=(database,)))

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        world.fetcher.bodies[ONE] = b"198.51.100.0/24\n"
        world.environment.next_config = config("SE")
        await world.service.reload()
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, 2)

    run(Environment(tmp_path), config("NO"), life, serve=True)


def test_a_reload_brings_other_databases_into_use(tmp_path: Path, database: Path) -> None:
    config = config_of(source(ONE), geo=Geo(databases=(database,)))

    async def life(world: DaemonWorld) -> None:
        seen: list[Geo] = []

        def open_resolvers(geo: Geo) -> GeoResolvers:
            seen.append(geo)
            return GeoResolvers()

        world.enricher._open_resolvers = open_resolvers
        world.environment.next_config = config
        await world.service.reload()
        await world.service.reload()
        assert seen == [config.geo], "what stays the same goes on, and remembers when it was asked last"

    run(Environment(tmp_path), config_of(source(ONE)), life, serve=True)
