"""What is seen only over many polls: slow changes, and none at all. Real ledger and quarantine, across restarts."""

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.core.config.model import Config
from banlistd.core.config.sections.allow import AllowEntry
from banlistd.core.config.sections.guards import Guards
from banlistd.events import EventName
from banlistd.model import Outcome, OutcomeKind, SourceId
from support.fakes import FakeFetcher
from support.sources import config_of, source
from worlds import DaemonWorld, Environment, run

FEED = SourceId("feed")
HOUR, DAY = 3600.0, 86400.0


def hosts(number: int, start: int = 0) -> bytes:
    return b"".join(
        b"198.%d.%d.%d\n" % (51 + (index >> 16), index >> 8 & 255, index & 255) for index in range(start, start + number)
    )


def environment_on(disk: Path) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({FEED: hosts(2000)}))


def config_with(**keys: object) -> Config:
    return config_of(source(FEED, **keys))


async def poll(world: DaemonWorld, body: bytes | None = None, later: float = HOUR) -> Outcome:
    world.clock.time += later
    if body is not None:
        world.fetcher.bodies[FEED] = body
    return await world.poll(FEED)


async def refusing(world: DaemonWorld, body: bytes, later: float = HOUR) -> str:
    """The guard that refuses a list, or an empty string."""
    outcome = await poll(world, body, later)
    assert (outcome.kind is OutcomeKind.REFUSED) == bool(outcome.error)
    return outcome.error.partition(":")[0]


def test_a_list_that_shrinks_by_a_little_at_each_poll_is_refused_after_restarts_too(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    clock = 0.0

    async def life(world: DaemonWorld) -> None:
        nonlocal clock
        world.clock.time += clock
        for count in (2000, 1500):
            assert await refusing(world, hosts(count)) == ""
        clock += 2 * HOUR

    async def later(world: DaemonWorld) -> None:
        world.clock.time += clock
        assert await refusing(world, hosts(999)) == "shrunk"
        assert await refusing(world, hosts(1001)) == ""

    run(environment, config_with(), life)
    run(environment, config_with(), later)


def test_approved_content_is_what_the_next_lists_are_compared_with(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        assert await refusing(world, hosts(500)) == "shrunk"
        held = await world.quarantine.quarantined(FEED)
        assert held is not None
        await world.quarantine.approve(FEED, held.content_hash)
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        assert await refusing(world, hosts(400)) == ""
        assert await refusing(world, hosts(240)) == "shrunk"

    run(environment_on(tmp_path), config_with(), life)


def test_a_shrunken_list_that_was_accepted_is_what_the_next_lists_are_compared_with(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        while await refusing(world, hosts(500), later=2 * HOUR):
            pass
        assert await refusing(world, hosts(400)) == ""
        assert await refusing(world, hosts(240)) == "shrunk"

    run(environment_on(tmp_path), config_with(), life)


def test_a_list_that_stays_replaced_is_accepted_after_the_same_time(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        refusals = 0
        while guard := await refusing(world, hosts(2000, start=5000)):
            assert guard == "turnover"
            refusals += 1
        assert refusals == 72

    run(environment_on(tmp_path), config_with(), life)


def test_a_list_that_is_swapped_by_way_of_both_lists_together_is_refused_after_restarts_too(tmp_path: Path) -> None:
    environment, config = environment_on(tmp_path), config_with()
    first, second = hosts(2000), hosts(5000, start=9000)
    for body, guard in ((first, ""), (first + second, ""), (first + second + hosts(3, start=20_000), ""), (second, "turnover")):

        async def life(world: DaemonWorld, body: bytes = body, guard: str = guard) -> None:
            assert await refusing(world, body) == guard

        run(environment, config, life)

    async def approve(world: DaemonWorld) -> None:
        quarantined = await world.quarantine.quarantined(FEED)
        assert quarantined is not None
        assert (
            quarantined.reason == "more than 50 % of the list were replaced in steps within the last 30 days (guards: turnover)"
        )
        await world.quarantine.approve(FEED, quarantined.content_hash)
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        assert await refusing(world, second + hosts(3, start=30_000)) == ""

    run(environment, config, approve)


def test_the_administrator_may_give_a_source_another_list(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await poll(world)

    async def second(world: DaemonWorld) -> None:
        assert await refusing(world, hosts(2000, start=5000)) == ""

    run(environment, config_with(), first)
    run(environment, config_with(url="https://other.example/list"), second)


def test_a_list_that_does_not_change_is_reported_once(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for day in range(60):
            # Its header changes: only its content counts.
            await poll(world, b"# day %d\n" % day + hosts(2000), later=DAY)
        (event,) = [event for event in world.announcer.events if event.name is EventName.SOURCE_FROZEN]
        assert event.message == "feed: the list has not changed for 45.0 days; its bans stay"
        assert len(world.enforcer.state or ()) == 2000
        await poll(world, hosts(2001), later=DAY)
        await poll(world, later=46 * DAY)
        assert world.announcer.names().count(EventName.SOURCE_FROZEN) == 2

    run(environment_on(tmp_path), config_with(), life)


@pytest.mark.parametrize("keys", [{"path": Path("/srv/list")}, {"guards": Guards(frozen=float("inf"))}], ids=["file", "off"])
def test_a_file_may_stay_as_it_is(tmp_path: Path, keys: dict[str, object]) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await poll(world, later=400 * DAY)
        assert EventName.SOURCE_FROZEN not in world.announcer.names()

    run(environment_on(tmp_path), config_with(**({"url": None} if "path" in keys else {}), **keys), life)


def test_a_critical_network_of_the_administrator_is_carved_out_with_an_event(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await refusing(world, b"203.0.113.0/24\n192.0.2.1\n" + hosts(2000)) == ""
        events = [event for event in world.announcer.events if event.name is EventName.CRITICAL_CARVED]
        assert [event.message for event in events] == [
            "feed would have banned 203.0.113.0/25 (critical_addresses): carved out",
            "feed would have banned 203.0.113.200 (allow): carved out",
        ]

    mine = (ip_address("203.0.113.0"), ip_address("203.0.113.127"))
    guards = Guards(critical_addresses=(mine,), critical_allow=True)
    entry = AllowEntry(first=ip_address("203.0.113.200"), last=ip_address("203.0.113.200"))
    run(environment_on(tmp_path), replace(config_with(guards=guards), allow=(entry,)), life)


def test_a_critical_address_is_announced_once_until_the_list_is_without_it(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        for body in (b"8.8.8.8\n", b"8.8.8.8\n# again\n", b"8.8.8.8\n203.0.113.1\n", b"", b"8.8.8.8\n"):
            assert await refusing(world, body + hosts(2000)) == ""
            assert len(world.enforcer.state or ()) in (2000, 2001)
        events = [event for event in world.announcer.events if event.name is EventName.CRITICAL_CARVED]
        assert [event.fields["ADDRESS"] for event in events] == ["8.8.8.8", "8.8.8.8"]
        assert events[0].message == "feed would have banned 8.8.8.8 (resolver of Google): carved out"

    run(environment_on(tmp_path), config_with(), life)
