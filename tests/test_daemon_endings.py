"""Bans that end by themselves in the running daemon, without a poll, as an import run like any other."""

from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Config
from banlistd.core.config.sections.guards import Guards, OnStale
from banlistd.errors import FetchError
from banlistd.events import EventName
from banlistd.model import OutcomeKind, RunState
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

DAY = 86_400.0
GONE = FetchError("HTTP 404")
LIFT = Guards(on_stale=OnStale.LIFT)


def config(**keys: Any) -> Config:
    return config_of(source(ONE, **keys), source(TWO))


async def made_stale(world: DaemonWorld, days: float = 8.0) -> None:
    """The list of ONE cannot be fetched for so long."""
    world.fetcher.bodies[ONE] = GONE
    world.clock.time += days * DAY
    await world.service.refresh([ONE])


# on_stale


def test_a_stale_list_is_lifted_with_a_warning_and_no_other_one_is(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        await made_stale(world)
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=2)
        assert world.banned() == {"192.0.2.2"}
        (stale,) = [event for event in world.announcer.events if event.name is EventName.SOURCE_STALE]
        assert stale.message == "one: no good list for 8.0 days; the bans of the last one are lifted"
        lifted = [event for event in world.announcer.events if event.name is EventName.IMPORT_COMPLETED][-1]
        assert lifted.message == (
            "one: 0 entries in the list, 0 elements added to the firewall, 1 removed; lifted, because there was no good list "
            "for 8.0 days"
        )
        (row,) = [row for row in await world.ask("sources") if row["id"] == ONE]
        assert (row["entries"], row["stale_since"]) == (0, world.clock.now() - DAY)

    run(Environment(tmp_path), config(guards=LIFT), life, serve=True)


def test_marker_and_ledger_have_what_was_lifted_and_a_restart_leaves_it_so(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        await made_stale(world)
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=2)
        run_of_one = await world.ledger.newest(ONE)
        assert run_of_one is not None
        marker = await world.enforcer.marker(ONE)
        assert (run_of_one.state, run_of_one.entries, run_of_one.removed) == (RunState.COMPLETED, 0, 1)
        assert marker is not None
        assert marker.content_hash == run_of_one.content_hash

    async def second(world: DaemonWorld) -> None:
        assert world.banned() == {"192.0.2.2"}
        assert len(await world.ledger.history(ONE, 10)) == 3  # imported, failed, lifted

    run(environment, config(guards=LIFT), first, serve=True)
    run(environment, config(guards=LIFT), second)


@pytest.mark.parametrize("days", [8.0, 40.0, 300.0])
def test_a_lifted_list_comes_back_with_its_next_good_list(tmp_path: Path, days: float) -> None:
    hosts = b"".join(b"198.51.100.%d\n" % number for number in range(1, 201))

    async def life(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = hosts
        await world.service.refresh([ONE])
        await made_stale(world, days)
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=2)
        assert world.banned() <= {"192.0.2.2"}
        world.fetcher.bodies[ONE] = hosts
        (outcome,) = await world.service.refresh([ONE], anyway=True)
        assert (outcome.kind, outcome.error, outcome.added) == (OutcomeKind.COMPLETED, "", 200)
        # It is good again, so that it may grow stale again.
        await made_stale(world)
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=4)
        assert world.announcer.names().count(EventName.SOURCE_STALE) == 2

    run(Environment(tmp_path), config(guards=LIFT), life, serve=True)


def test_a_list_is_not_lifted_before_it_is_stale_nor_while_its_polls_are_good(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        world.fetcher.bodies[ONE] = GONE
        world.clock.time += 6.9 * DAY
        await world.poll(ONE)
        assert await world.endings.apply(one) is None
        world.fetcher.bodies[ONE] = b"192.0.2.1\n"
        await world.poll(ONE)
        # The clock was set ahead by years: whether the list can be fetched is not known yet.
        world.clock.time += 3652 * DAY
        assert await world.endings.apply(one) is None
        assert "192.0.2.1" in world.banned()

    run(Environment(tmp_path), config(guards=LIFT), life)


def test_without_the_key_the_bans_stay(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        world.fetcher.bodies[ONE] = GONE
        world.clock.time += 8 * DAY
        await world.poll(ONE)
        assert not world.endings.concerns(one)
        assert await world.endings.apply(one) is None
        assert "192.0.2.1" in world.banned()

    run(Environment(tmp_path), config(), life)
