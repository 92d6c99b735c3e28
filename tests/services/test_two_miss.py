"""`two_miss`: an address leaves only after two successful polls without it, whatever comes in between."""

from pathlib import Path

import pytest

from banlistd.core.config.model import Config
from banlistd.core.config.sections.guards import Guards
from banlistd.errors import FetchError
from banlistd.model import OutcomeKind
from support.fakes import FakeFetcher
from support.sources import ONE, config_of, source
from support.written_config import problems_of, read
from worlds import DaemonWorld, Environment, run

A, B, C = "192.0.2.1", "192.0.2.2", "192.0.2.3"
CONFIG = config_of(source(ONE, two_miss=True))
LIST = "url: 'https://lists.example/a'"


def environment_on(disk: Path, *, etags: bool = True) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({}, etags=etags))


async def poll(world: DaemonWorld, *addresses: str) -> OutcomeKind:
    world.fetcher.bodies[ONE] = "".join(f"{address}\n" for address in addresses).encode()
    world.clock.time += 3600
    outcome = await world.poll(ONE)
    assert not outcome.error, outcome
    return outcome.kind


def test_an_address_that_one_poll_misses_stays_and_one_that_two_miss_leaves(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world, A, B)
        assert await poll(world, A) is OutcomeKind.SKIPPED
        assert world.banned() == {A, B}
        assert await poll(world, A, C) is OutcomeKind.COMPLETED
        assert world.banned() == {A, C}

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize("etags", [True, False])
def test_a_list_that_has_not_changed_misses_it_again(tmp_path: Path, *, etags: bool) -> None:
    """By the server's word (304), or by the same bytes."""

    async def life(world: DaemonWorld) -> None:
        await poll(world, A, B)
        await poll(world, A)
        assert world.banned() == {A, B}
        assert await poll(world, A) is OutcomeKind.COMPLETED
        assert world.banned() == {A}
        assert await poll(world, A) is OutcomeKind.SKIPPED
        assert world.banned() == {A}

    run(environment_on(tmp_path, etags=etags), CONFIG, life)


def test_an_address_that_comes_back_begins_anew(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for listed in ((A, B), (A,), (A, B), (A,)):
            await poll(world, *listed)
            assert world.banned() == {A, B}
        await poll(world, A)
        assert world.banned() == {A}

    run(environment_on(tmp_path), CONFIG, life)


def test_each_address_has_a_count_of_its_own_also_after_a_restart(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        await poll(world, A, B, C)
        await poll(world, A, C)
        assert world.banned() == {A, B, C}

    async def restarted(world: DaemonWorld) -> None:
        assert world.banned() == {A, B, C}
        await poll(world, A)
        assert world.banned() == {A, C}
        await poll(world, A)
        assert world.banned() == {A}

    run(environment, CONFIG, life)
    run(environment, CONFIG, restarted)


def test_a_poll_that_fails_is_no_poll_without_it(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world, A, B)
        await poll(world, A)
        world.fetcher.bodies[ONE] = FetchError("connection refused")
        assert (await world.poll(ONE)).kind is OutcomeKind.FAILED
        assert world.banned() == {A, B}
        await poll(world, A)
        assert world.banned() == {A}

    run(environment_on(tmp_path), CONFIG, life)


def test_a_part_of_a_network_that_leaves_stays_for_one_poll(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world, "198.51.100.0/24")
        await poll(world, "198.51.100.0/25")
        assert world.banned() == {"198.51.100.0 - 198.51.100.255"}
        await poll(world, "198.51.100.0/25")
        assert world.banned() == {"198.51.100.0 - 198.51.100.127"}

    run(environment_on(tmp_path), config_of(source(ONE, two_miss=True, guards=Guards(shrink=1.0))), life)


def test_the_key_may_be_in_the_defaults_and_does_not_reach_combinations() -> None:
    def config(keys: str, defaults: str = "two_miss: yes") -> Config:
        return read(f"defaults: {{{defaults}}}\nsources:\n- {{id: a, {LIST}}}\n- {{id: b, {keys}}}\n")

    first, second = config("merge: a").sources
    assert (first.two_miss, second.two_miss) == (True, False)
    assert not config(f"{LIST}, two_miss: no").sources[1].two_miss


@pytest.mark.parametrize(
    ("defaults", "keys", "problem"),
    [
        ("{}", f"{LIST}, two_miss: yes, ttl: 1d", "two_miss: two_miss and ttl exclude each other (delete one of them)"),
        ("{two_miss: yes}", f"{LIST}, ttl: 1d", "ttl: two_miss and ttl exclude each other"),
        ("{ttl: 1d}", f"{LIST}, two_miss: yes", "two_miss: two_miss and ttl exclude each other"),
        ("{}", "merge: a, two_miss: yes", "two_miss: does not go with a combination (write it at its parts)"),
        ("{}", f"{LIST}, two_miss: perhaps", "two_miss: "),
    ],
)
def test_what_does_not_go_together_is_refused(defaults: str, keys: str, problem: str) -> None:
    text = f"defaults: {defaults}\nsources:\n- {{id: a, {LIST}}}\n- {{id: b, {keys}}}\n"
    assert problem in " ".join(problems_of(text))
