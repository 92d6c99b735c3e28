"""Bans that end by themselves in the running daemon, without a poll, as an import run like any other."""

from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Config
from banlistd.core.config.sections.guards import Guards, OnStale
from banlistd.errors import FetchError
from banlistd.events import EventName
from banlistd.formats import Condition, Format, FormatType, Operator
from banlistd.model import OutcomeKind, RunState
from support.fakes import FakeFetcher
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
        assert await world.endings.due([one]) == []
        assert await world.endings.apply(one) is None
        assert "192.0.2.1" in world.banned()

    run(Environment(tmp_path), config(), life)


# Entries with an end of their own

NOW = 1_000_000
"""The time of a `FakeClock`."""

UNTIL = Format(FormatType.CSV, columns=("1",), where=(Condition("2", Operator.FUTURE, ()),))
# Small lists change in steps that would be large for a real one.
LOOSE = Guards(shrink=1.0, grow=1e9, turnover=1.0)


def timed(**seconds: int | None) -> bytes:
    """A row for each address, `a1` is 198.51.100.1: how many seconds after `NOW` it ends."""
    rows = [f"198.51.100.{name[1:]},{'2999-01-01' if after is None else NOW + after}" for name, after in seconds.items()]
    return "\n".join([*rows, ""]).encode()


def timed_environment(disk: Path, body: bytes) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({ONE: body, TWO: b"192.0.2.2\n"}, now=NOW))


def hosts(*numbers: int) -> set[str]:
    return {f"198.51.100.{number}" for number in numbers}


def test_an_entry_ends_when_its_time_has_come_without_a_poll(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=60, a2=3600, a3=None))

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert world.banned() == hosts(1, 2, 3) | {"192.0.2.2"}
        asked = len(world.fetcher.asked)
        world.clock.time = NOW + 60.0
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=2)
        assert world.banned() == hosts(2, 3) | {"192.0.2.2"}
        world.clock.time = NOW + 3600.0
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=3)
        assert world.banned() == hosts(3) | {"192.0.2.2"}
        assert len(world.fetcher.asked) == asked
        event = [event for event in world.announcer.events if event.name is EventName.IMPORT_COMPLETED][-1]
        assert event.message == (
            "one: 1 entry in the list, 0 elements added to the firewall, 1 removed; the time of the others is over"
        )

    run(environment, config(format=UNTIL, guards=LOOSE), life, serve=True)


def test_what_ended_is_not_asked_for_again_and_the_list_is_still_known(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=60, a2=None))

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        assert await world.endings.due([one]) == []
        world.clock.time = NOW + 61.0
        assert await world.endings.due([one]) == [one]
        assert (await world.endings.apply(one)) is not None
        assert await world.endings.due([one]) == []
        outcome = await world.poll(ONE)
        assert outcome.kind is OutcomeKind.SKIPPED
        assert world.fetcher.asked[-1][1].etag  # the server says that nothing changed
        assert world.banned() == hosts(2)

    run(environment, config(format=UNTIL, guards=LOOSE), life)


def test_what_a_clock_that_was_set_ahead_has_ended_comes_back_with_the_next_poll(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=3600, a2=None))

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        await world.endings.due([one])
        world.clock.ahead = 10 * 365 * DAY
        assert await world.endings.due([one]) == [one]
        await world.endings.apply(one)
        assert world.banned() == hosts(2)
        world.clock.ahead = 0.0
        assert (await world.poll(ONE)).kind is OutcomeKind.COMPLETED
        assert world.banned() == hosts(1, 2)

    run(environment, config(format=UNTIL, guards=LOOSE), life)


def test_an_end_that_the_publisher_moves_moves_the_end_of_the_ban(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=60, a2=None))

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        world.fetcher.bodies[ONE] = timed(a1=600, a2=None)
        assert (await world.poll(ONE)).kind is OutcomeKind.SKIPPED  # the same addresses
        world.clock.time = NOW + 61.0
        assert await world.endings.due([one]) == []
        assert await world.endings.apply(one) is None
        assert world.banned() == hosts(1, 2)
        world.clock.time = NOW + 600.0
        assert await world.endings.due([one]) == [one]
        await world.endings.apply(one)
        assert world.banned() == hosts(2)

    run(environment, config(format=UNTIL, guards=LOOSE), life)


def test_an_address_that_another_entry_covers_longer_stays(tmp_path: Path) -> None:
    body = f"198.51.100.7,{NOW + 60}\n198.51.100.0/28,{NOW + 600}\n198.51.100.7,{NOW + 30}\n".encode()
    environment = timed_environment(tmp_path, body)

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        for seconds in (31.0, 61.0):
            world.clock.time = NOW + seconds
            await world.endings.apply(one)
            assert world.banned() == {"198.51.100.0 - 198.51.100.15"}
        world.clock.time = NOW + 601.0
        await world.endings.apply(one)
        assert world.banned() == set()

    run(environment, config(format=UNTIL, guards=LOOSE), life)


def test_what_ended_while_the_daemon_was_off_ends_once_it_runs(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=60, a2=None))

    async def first(world: DaemonWorld) -> None:
        await world.poll(ONE)

    async def second(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=2)
        assert world.banned() - {"192.0.2.2"} == hosts(2)
        marker, newest = await world.enforcer.marker(ONE), await world.ledger.newest(ONE)
        assert marker is not None
        assert newest is not None
        assert marker.content_hash == newest.content_hash

    run(environment, config(format=UNTIL, guards=LOOSE), first)
    environment.clock.time = NOW + 61.0
    run(environment, config(format=UNTIL, guards=LOOSE), second, serve=True)


def test_ends_of_content_that_was_not_applied_end_nothing(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=None, a2=None))

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        world.fetcher.bodies[ONE] = timed(a3=60, a4=None)
        world.firewall.fail_before = True
        assert (await world.poll(ONE)).kind is OutcomeKind.FAILED
        world.firewall.fail_before = False
        world.clock.time = NOW + 61.0
        assert await world.endings.apply(one) is None
        assert world.banned() == hosts(1, 2)

    run(environment, config(format=UNTIL, guards=LOOSE), life)


# ttl


def listing(*numbers: int) -> bytes:
    return b"".join(b"198.51.100.%d\n" % number for number in numbers)


WEEK = 7 * DAY
LASTING = config(ttl=WEEK, guards=LOOSE)


async def next_list(world: DaemonWorld, body: bytes, *, later: float = 0.0) -> OutcomeKind:
    world.clock.time += later
    world.fetcher.bodies[ONE] = body
    outcome = await world.poll(ONE)
    assert outcome.error == ""
    return outcome.kind


def test_an_address_that_leaves_the_list_stays_banned_for_its_ttl_and_ends_without_a_poll(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, listing(1, 2))

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.clock.time += DAY
        world.fetcher.bodies[ONE] = listing(2, 3)
        await world.service.refresh([ONE])
        assert world.banned() - {"192.0.2.2"} == hosts(1, 2, 3)
        event = [event for event in world.announcer.events if event.name is EventName.IMPORT_COMPLETED][-1]
        assert event.message == (
            "one: 2 entries in the list, 1 element added to the firewall, 0 removed; 1 entry more that left it, banned yet"
        )
        asked = world.fetcher.polled().count(ONE)
        world.clock.time += WEEK - 1.0
        (one, _) = world.service.config.sources
        assert await world.endings.due([one]) == []
        world.clock.time += 1.0
        await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=3)
        assert world.banned() - {"192.0.2.2"} == hosts(2, 3)
        assert world.fetcher.polled().count(ONE) == asked

    run(environment, config(ttl=WEEK, guards=LOOSE, every=365 * DAY), life, serve=True)


def test_an_address_that_comes_back_stays_and_its_time_begins_anew_when_it_leaves_again(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, listing(1, 2))

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await next_list(world, listing(1, 2))
        await next_list(world, listing(2))
        assert await next_list(world, listing(1, 2), later=6 * DAY) is OutcomeKind.SKIPPED
        world.clock.time += 2 * DAY
        await world.endings.apply(one)
        assert world.banned() == hosts(1, 2)
        await next_list(world, listing(2))
        world.clock.time += WEEK - 1
        await world.endings.apply(one)
        assert world.banned() == hosts(1, 2)
        world.clock.time += 1
        await world.endings.apply(one)
        assert world.banned() == hosts(2)

    run(environment, LASTING, life)


def test_what_stays_survives_a_restart_and_lists_that_do_not_change_it(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, listing(1, 2, 3))

    async def first(world: DaemonWorld) -> None:
        await next_list(world, listing(1, 2, 3))
        await next_list(world, listing(2, 3))

    async def second(world: DaemonWorld) -> None:
        assert world.banned() == hosts(1, 2, 3)
        await next_list(world, listing(3), later=DAY)
        await next_list(world, listing(3, 4), later=DAY)
        assert world.banned() == hosts(1, 2, 3, 4)
        (one, _) = world.service.config.sources
        for days, left in ((5, (2, 3, 4)), (6, (3, 4))):
            world.clock.time = NOW + (days + 2) * DAY
            await world.endings.apply(one)
            assert world.banned() == hosts(*left)

    run(environment, LASTING, first)
    run(environment, LASTING, second)


def test_while_the_list_cannot_be_fetched_nothing_leaves_it(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, listing(1, 2))

    async def life(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await world.poll(ONE)
        world.fetcher.bodies[ONE] = GONE
        world.clock.time += 30 * DAY
        await world.poll(ONE)
        assert await world.endings.apply(one) is None
        assert world.banned() == hosts(1, 2)

    run(environment, LASTING, life)


def test_the_guards_compare_a_list_with_the_list_before_and_not_with_what_stays(tmp_path: Path) -> None:
    steady = config(ttl=WEEK, guards=Guards(shrink=0.5, turnover=1.0, grow=0.5))
    environment = timed_environment(tmp_path, listing(*range(1, 101)))

    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        assert await next_list(world, listing(*range(1, 61))) is OutcomeKind.SKIPPED
        assert len(world.banned()) == 100
        # Of a hundred that are banned the list has sixty: with them it is compared once the hundred are long ago.
        world.clock.time += 31 * DAY
        assert await next_list(world, listing(*range(1, 32))) is OutcomeKind.COMPLETED
        assert len(world.banned()) == 60

    run(environment, steady, life)


def test_an_entry_that_ends_by_itself_does_not_stay(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, timed(a1=60, a2=None, a3=None))

    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        world.clock.time = NOW + 61.0
        world.fetcher.now = NOW + 61
        world.fetcher.bodies[ONE] = timed(a1=60, a2=None, a4=None)
        await world.poll(ONE)
        assert world.banned() == hosts(2, 3, 4)

    run(environment, config(ttl=WEEK, format=UNTIL, guards=LOOSE), life)


def test_a_shorter_ttl_holds_from_the_next_list_on_and_none_lets_nothing_stay(tmp_path: Path) -> None:
    environment = timed_environment(tmp_path, listing(1, 2))

    async def first(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await next_list(world, listing(2))

    async def second(world: DaemonWorld) -> None:
        (one, _) = world.service.config.sources
        await next_list(world, listing(2, 3))
        world.clock.time += DAY
        await world.endings.apply(one)
        assert world.banned() == hosts(2, 3)
        await next_list(world, listing(3))
        assert world.banned() == hosts(2, 3)

    async def third(world: DaemonWorld) -> None:
        await next_list(world, listing(3, 4))
        assert world.banned() == hosts(3, 4)

    run(environment, LASTING, first)
    run(environment, config(ttl=DAY, guards=LOOSE), second)
    run(environment, config(guards=LOOSE), third)
