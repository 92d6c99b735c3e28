"""What a part has listed within the window counts as listed, and no longer."""

from pathlib import Path
from typing import Any

from banlistd.core.config.model import Config
from banlistd.core.config.sections.guards import Guards
from banlistd.model import OutcomeKind, SourceId
from support.fakes import FakeFetcher
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

WEEK, DAY = SourceId("week"), 86400.0
LOOSE = Guards(shrink=1.0, grow=1e9, turnover=1.0)


def windowed(**keys: Any) -> Config:
    return config_of(source(WEEK, guards=LOOSE, **{"merge": (ONE,), "window": 7 * DAY, **keys}), *LISTS)


LISTS = tuple(source(one, guards=LOOSE, allow_empty=True) for one in (ONE, TWO))


def environment_on(disk: Path) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({ONE: b"192.0.2.1\n", TWO: b"192.0.2.2\n"}))


async def listed(world: DaemonWorld, *bodies: bytes, days: float = 1.0) -> set[int]:
    """The last octets in the combination after its part has had these contents, and time has passed after each."""
    for body in bodies:
        world.fetcher.bodies[ONE] = body
        assert (await world.poll(ONE)).kind is OutcomeKind.COMPLETED
        world.clock.time += days * DAY
    outcome = await world.poll(WEEK)
    assert not outcome.error
    content = world.enforcer.content(WEEK)
    assert content is not None
    return {int(host) & 255 for host in content.addresses.hosts4}


async def remembered(world: DaemonWorld) -> int:
    rows = await world.database.run("SELECT count(*) FROM departures")
    return int(rows[0][0])


def test_what_left_a_list_counts_until_the_window_has_passed(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n192.0.2.5\n") == {1, 5}
        assert await listed(world, b"192.0.2.5\n", b"192.0.2.6\n", b"192.0.2.7\n") == {1, 5, 6, 7}
        world.clock.time += 3 * DAY
        assert await listed(world) == {1, 5, 6, 7}
        world.clock.time += 1.5 * DAY
        assert await listed(world) == {5, 6, 7}
        world.clock.time += 30 * DAY
        assert await listed(world) == {7}

    run(environment_on(tmp_path), windowed(), life)


def test_nothing_is_imported_where_the_window_passes_for_nothing(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n", b"192.0.2.2\n") == {1, 2}
        world.clock.time += DAY
        assert (await world.poll(WEEK)).kind is OutcomeKind.SKIPPED
        world.clock.time += 7 * DAY
        assert (await world.poll(WEEK)).kind is OutcomeKind.COMPLETED

    run(environment_on(tmp_path), windowed(), life)


def test_an_address_counts_from_the_last_time_that_it_left(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n", b"192.0.2.9\n", b"192.0.2.1\n", b"192.0.2.9\n", days=2.0) == {1, 9}
        world.clock.time += 4 * DAY
        assert await listed(world) == {1, 9}
        world.clock.time += 2 * DAY
        assert await listed(world) == {9}

    run(environment_on(tmp_path), windowed(), life)


def test_an_empty_list_leaves_what_it_had_to_the_window(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n198.51.100.0/30\n", b"", days=0.1) == {1}
        content = world.enforcer.content(WEEK)
        assert content is not None
        assert len(content.addresses.nets4) == 1

    run(environment_on(tmp_path), windowed(), life)


def test_the_window_widens_the_parts_and_not_what_is_excluded(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(TWO)
        world.fetcher.bodies[TWO] = b"192.0.2.77\n"
        await world.poll(TWO)
        assert await listed(world, b"192.0.2.2\n", b"192.0.2.77\n") == {2}

    run(environment_on(tmp_path), windowed(exclude=(TWO,)), life)


def test_only_lists_that_a_window_asks_for_are_remembered_and_only_so_long(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        for number in range(10):
            world.fetcher.bodies |= {one: f"192.0.2.{number}\n".encode() for one in (ONE, TWO)}
            await world.poll(ONE)
            await world.poll(TWO)
            world.clock.time += DAY
        assert await remembered(world) == 8  # of the days 2 to 9, both included

    async def without_a_window(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = b"192.0.2.99\n"
        await world.poll(ONE)
        assert await remembered(world) == 0

    run(environment, windowed(), life)
    run(environment, windowed(window=None), without_a_window)


def test_what_left_a_source_that_is_gone_is_forgotten_after_the_longest_window(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def two_leaves(world: DaemonWorld) -> None:
        await world.poll(TWO)
        world.fetcher.bodies[TWO] = b"192.0.2.77\n"
        await world.poll(TWO)
        assert await remembered(world) == 1

    async def without_two(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n", b"192.0.2.2\n", days=89.0) == {2}
        assert await remembered(world) == 2
        assert await listed(world, b"192.0.2.3\n") == {2, 3}
        assert await remembered(world) == 1

    run(environment, windowed(merge=(TWO,)), two_leaves)
    run(environment, config_of(source(WEEK, guards=LOOSE, merge=(ONE,), window=7 * DAY), LISTS[0]), without_two)


def test_what_left_is_remembered_over_a_restart_and_counted_once(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await listed(world, b"192.0.2.1\n")

    async def crash(world: DaemonWorld) -> None:
        world.firewall.fail_after = True
        world.fetcher.bodies[ONE] = b"192.0.2.3\n"
        assert (await world.poll(ONE)).kind is OutcomeKind.FAILED

    async def after(world: DaemonWorld) -> None:
        assert (await world.poll(ONE)).kind is not OutcomeKind.FAILED
        assert await listed(world) == {1, 3}

    run(environment, windowed(), first)
    run(environment, windowed(), crash)
    environment.firewall.fail_after = False
    run(environment, windowed(), after)


def test_a_clock_that_was_set_back_neither_lifts_nor_keeps_for_ever(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n", b"192.0.2.2\n") == {1, 2}
        world.clock.time -= 3 * DAY
        assert await listed(world) == {1, 2}
        world.clock.time -= 3650 * DAY
        assert await listed(world) == {2}

    run(environment_on(tmp_path), windowed(), life)


def test_departures_that_are_damaged_fail_the_combination(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await listed(world, b"192.0.2.1\n", b"192.0.2.2\n") == {1, 2}

        async def damage(connection: Any) -> None:
            await connection.execute("UPDATE departures SET body = x'00'")

        await world.database.write(damage)
        world.fetcher.bodies[ONE] = b"192.0.2.3\n"
        await world.poll(ONE)
        outcome = await world.poll(WEEK)
        assert outcome.kind is OutcomeKind.FAILED
        assert "what has left its parts cannot be read" in outcome.error
        content = world.enforcer.content(WEEK)
        assert content is not None
        assert len(content.addresses) == 2

    run(environment_on(tmp_path), windowed(), life)
