"""Host names as a list: all of them answer, or the last good list stays."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.core.config.model import Source
from banlistd.core.config.sections.interval import ByTtl
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError, UsageError
from banlistd.model import Action, NotModified, OutcomeKind, SourceId, Validators
from banlistd.ports import OnBody, TimedAddresses
from banlistd.services.imports.host_names import MOST_ADDRESSES, HostNames
from support.fakes import FakeFetcher
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FEED, OFFICE = SourceId("feed"), SourceId("office")
NAMED = Source(id=OFFICE, names=("office.example", "home.example"), action=Action.ALLOW, ttl=3600.0)
CONFIG = config_of(NAMED, Source(id=FEED, url="http://lists.example/a"))
WHOLE = {"192.0.2.0 - 192.0.2.255"}


class NameService:
    """`answers`: the addresses of each name; one that is not there is not known. `ttls`: as far as they are known."""

    def __init__(self, answers: Mapping[str, Sequence[str]]) -> None:
        self.answers = dict(answers)
        self.ttls: dict[str, float] = {}

    async def addresses(self, host: str, _: float) -> TimedAddresses:
        if host not in self.answers:
            raise UsageError(f"the name service knows no {host}")
        return TimedAddresses(self.answers[host], self.ttls.get(host))


class WithNames(FakeFetcher):
    """Names by a name service, other lists from memory."""

    def __init__(self, names: NameService) -> None:
        super().__init__({FEED: b"192.0.2.0/24\n"})
        self._names = HostNames(names.addresses, FakeFetcher(self.bodies))

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        return await self._names.fetch(source, validators, on_body)


def world_of(tmp_path: Path, names: NameService) -> Environment:
    return Environment(tmp_path, fetcher=WithNames(names))


def test_addresses_of_names_are_allowed_and_follow_the_answers(tmp_path: Path) -> None:
    names = NameService({"office.example": ["192.0.2.0", "2001:db8::1"], "home.example": ["192.0.2.255"]})
    environment = world_of(tmp_path, names)

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.poll(OFFICE)
        assert world.banned() == {"192.0.2.1 - 192.0.2.254"}
        assert (await world.poll(OFFICE)).kind is OutcomeKind.SKIPPED
        names.answers["office.example"] = ["192.0.2.1"]
        await world.poll(OFFICE)
        assert world.banned() == {"192.0.2.2 - 192.0.2.254"}, "what was an answer within the hour stays allowed"

    run(environment, CONFIG, life)


def test_a_name_with_more_addresses_than_the_bound_is_a_failed_poll() -> None:
    names = NameService({"office.example": [f"192.0.2.{number}" for number in range(MOST_ADDRESSES)]})
    fetcher = HostNames(names.addresses, FakeFetcher({}))
    source = Source(id=OFFICE, names=("office.example",), action=Action.ALLOW, ttl=3600.0)

    async def no_body() -> None:
        """Names have none."""

    async def ask() -> None:
        found = await fetcher.fetch(source, Validators(), no_body)
        assert isinstance(found, Download)
        assert found.parsed.entries == MOST_ADDRESSES
        names.answers["office.example"] = [*names.answers["office.example"], "198.51.100.1"]
        with pytest.raises(FetchError, match="gives more than 64 addresses for office"):
            await fetcher.fetch(source, Validators(), no_body)

    asyncio.run(ask())


def test_without_an_answer_of_one_name_what_was_known_stays_across_a_restart(tmp_path: Path) -> None:
    names = NameService({"office.example": ["192.0.2.0"], "home.example": ["192.0.2.255"]})
    environment = world_of(tmp_path, names)

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.poll(OFFICE)

    async def without_answer(world: DaemonWorld) -> None:
        assert world.banned() == {"192.0.2.1 - 192.0.2.254"}
        outcome = await world.poll(OFFICE)
        assert (outcome.kind, "knows no home.example" in outcome.error) == (OutcomeKind.FAILED, True)
        assert world.banned() == {"192.0.2.1 - 192.0.2.254"}

    run(environment, CONFIG, life)
    del names.answers["home.example"]
    run(environment, CONFIG, without_answer)


@pytest.mark.parametrize(
    ("ttls", "delay"),
    [
        ({}, 300.0),
        ({"office.example": 1800.0, "home.example": 900.0}, 900.0),
        ({"office.example": 1800.0}, 300.0),
        ({"office.example": 100.0}, 100.0),
        ({"office.example": 0.0, "home.example": 900.0}, 60.0),
        ({"office.example": 2.0**31, "home.example": 2.0**31}, 3600.0),
    ],
)
def test_names_are_asked_for_again_when_the_first_answer_ends_within_bounds(
    tmp_path: Path, ttls: Mapping[str, float], delay: float
) -> None:
    names = NameService({"office.example": ["192.0.2.0"], "home.example": ["192.0.2.255"]})
    names.ttls |= ttls
    source = replace(NAMED, every=ByTtl(300.0))

    async def life(world: DaemonWorld) -> None:
        assert (await world.poll(OFFICE)).delay == pytest.approx(1.05 * delay)
        skipped = await world.poll(OFFICE)
        assert skipped.kind is OutcomeKind.SKIPPED
        assert skipped.delay == pytest.approx(1.05 * delay)
        assert (await world.parts.ledger.poll(OFFICE)).due_at == pytest.approx(world.clock.now() + 1.05 * delay)

    run(world_of(tmp_path, names), config_of(source), life)


def test_an_interval_that_is_written_counts_in_place_of_the_ttl(tmp_path: Path) -> None:
    names = NameService({"office.example": ["192.0.2.0"], "home.example": ["192.0.2.255"]})
    names.ttls |= dict.fromkeys(names.answers, 900.0)

    async def life(world: DaemonWorld) -> None:
        assert (await world.poll(OFFICE)).delay == pytest.approx(1.05 * 600)

    run(world_of(tmp_path, names), config_of(replace(NAMED, every=600.0)), life)
