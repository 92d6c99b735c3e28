"""What is allowed by command: at once, to the moment, in lists and manual bans, across a restart and a lost database."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Source
from banlistd.core.config.reading.names import NAMES_EVERY, NAMES_TTL
from banlistd.core.ruleset.manual_allows import MOST_ALLOWS, MOST_OF_A_NAME
from banlistd.errors import RefusedError, UsageError
from banlistd.events import EventName
from banlistd.model import SourceId
from support.fakes import FakeFetcher
from support.sources import allow, config_of
from worlds import DaemonWorld, Environment, run

FEED = SourceId("feed")
CONFIG = config_of(Source(id=FEED, url="http://lists.example/a"))
TEN_MINUTES: dict[str, Any] = {"for": "10m"}
WHOLE, CUT = {"192.0.2.0 - 192.0.2.255"}, {"192.0.2.0", "192.0.2.2 - 192.0.2.255"}


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path, fetcher=FakeFetcher({FEED: b"192.0.2.0/24\n"}))


def names(environment: Environment) -> list[str]:
    return [event.name for event in environment.announcer.events if event.name.startswith("manual_allow")]


def test_what_is_allowed_is_cut_out_of_lists_and_manual_bans_and_banned_again_afterwards(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.ask("ban", address="203.0.113.7")
        row = await world.ask("allow", address="192.0.2.1", comment="audit", uid=0)
        assert (row["new"], row["carved"], row["until"], row["origin"]) == (True, ["feed"], None, "command")
        assert world.banned() == CUT | {"203.0.113.7"}
        assert (await world.ask("allow", address="203.0.113.0/24"))["carved"] == ["manual"]
        assert world.banned() == CUT
        with pytest.raises(RefusedError, match="allowed by command"):
            await world.ask("ban", address="203.0.113.8")
        checked = await world.ask("check", address="192.0.2.1")
        assert (checked["allowed"], checked["banned"]) == (True, False)
        assert [(row["address"], row["comment"]) for row in checked["allowed_by"]] == [("192.0.2.1", "audit")]
        assert (await world.ask("disallow", address="203.0.113.7"))["removed"] is None
        taken = await world.ask("disallow", address="203.0.113.0/24")
        assert (taken["removed"]["address"], taken["still"]) == ("203.0.113.0/24", [])
        await world.ask("disallow", address="192.0.2.1")
        assert world.banned() == WHOLE | {"203.0.113.7"}
        assert await world.ask("allowed") == []

    run(environment, CONFIG, life)
    assert names(environment) == [*[EventName.MANUAL_ALLOW_ADDED] * 2, *[EventName.MANUAL_ALLOW_REMOVED] * 2]


def test_an_entry_ends_at_its_moment_without_a_poll(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.ask("allow", address="192.0.2.1", **TEN_MINUTES)
        environment.clock.time += 599
        await world.enforcer.reconcile()
        assert world.banned() == CUT
        environment.clock.time += 1
        await world.parts.allowlist.wait_for_end()
        await world.enforcer.reconcile()
        assert world.banned() == WHOLE
        assert await world.ask("allowed") == []

    run(environment, CONFIG, life)
    assert names(environment) == [EventName.MANUAL_ALLOW_ADDED, EventName.MANUAL_ALLOW_EXPIRED]


@pytest.mark.parametrize("step", [-86_400.0, 86_400.0])
def test_what_is_allowed_for_ten_minutes_is_so_for_ten_minutes_when_the_clock_is_set(
    environment: Environment, step: float
) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.ask("allow", address="192.0.2.1", **TEN_MINUTES)
        environment.clock.ahead += step
        await world.ask("allow", address="198.51.100.200")
        environment.clock.time += 599
        await world.enforcer.reconcile()
        assert world.banned() == CUT
        environment.clock.time += 1
        await world.parts.allowlist.wait_for_end()
        await world.enforcer.reconcile()
        assert world.banned() == WHOLE

    run(environment, CONFIG, life)


def test_an_entry_that_ended_because_the_clock_was_ahead_is_back_once_it_is_set(environment: Environment) -> None:
    async def before(world: DaemonWorld) -> None:
        await world.poll(FEED)
        for address in ("192.0.2.1", "198.51.100.7"):
            await world.ask("allow", address=address, **TEN_MINUTES)

    async def after(world: DaemonWorld) -> None:
        await world.parts.allowlist.wait_for_end()
        assert await world.ask("allowed") == []
        await world.ask("allow", address="198.51.100.7")
        await world.ask("disallow", address="198.51.100.7")
        environment.clock.ahead = 0.0
        await world.parts.allowlist.wait_for_end()
        assert [row["address"] for row in await world.ask("allowed")] == ["192.0.2.1"]
        environment.clock.time += 600
        await world.parts.allowlist.wait_for_end()
        assert await world.ask("allowed") == []

    run(environment, CONFIG, before)
    environment.clock.ahead = 86_400.0
    run(environment, CONFIG, after)


def test_a_restart_keeps_what_is_in_force_and_bans_what_has_ended_meanwhile(environment: Environment) -> None:
    async def before(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.ask("allow", address="192.0.2.1")
        await world.ask("allow", address="192.0.2.9", **TEN_MINUTES)

    async def after(world: DaemonWorld) -> None:
        assert world.banned() == CUT
        assert [row["address"] for row in await world.ask("allowed")] == ["192.0.2.1"]

    run(environment, CONFIG, before)
    environment.clock.time += 600
    run(environment, CONFIG, after)


def test_a_second_order_replaces_the_end_and_the_comment(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        first = await world.ask("allow", address="192.0.2.1", comment="a", **TEN_MINUTES)
        environment.clock.time += 60
        second = await world.ask("allow", address="192.0.2.1", comment="b")
        assert (second["new"], second["until"], second["since"], second["comment"]) == (False, None, first["since"], "b")

    run(environment, CONFIG, life)


def test_entries_of_the_configuration_are_listed_beside_those_of_the_command(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.ask("allow", address="192.0.2.1")
        rows = await world.ask("allowed")
        assert [row["address"] for row in rows] == ["192.0.2.1", "192.0.2.7"]
        assert [row["origin"] for row in rows] == ["command", "configuration"]
        left = await world.ask("disallow", address="192.0.2.1")
        assert [row["address"] for row in left["still"]] == []

    run(environment, config_of(*CONFIG.sources, allow=[allow("192.0.2.7")]), life)


@pytest.mark.parametrize("address", ["0.0.0.0/0", "::/0", "10.0.0.0/7", "2000::/11"])
def test_what_is_too_wide_is_refused(environment: Environment, address: str) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError, match="wider than a command may allow"):
            await world.ask("allow", address=address)
        assert await world.ask("allowed") == []

    run(environment, CONFIG, life)


def test_one_entry_too_many_is_refused(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        for number in range(MOST_ALLOWS):
            await world.ask("allow", address=f"198.51.100.{number}")
        with pytest.raises(RefusedError, match="there may not be more"):
            await world.ask("allow", address="192.0.2.1")
        assert (await world.ask("allow", address="198.51.100.1"))["new"] is False

    run(environment, CONFIG, life)


def test_a_database_that_is_replaced_gets_the_entries_again(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.ask("allow", address="192.0.2.1")
        await world.database.run("DELETE FROM allow_entries")
        await world.parts.allowlist.resync_ledger()
        await world.parts.allowlist.restore()
        assert [row["address"] for row in await world.ask("allowed")] == ["192.0.2.1"]

    run(environment, CONFIG, life)


NAME = "vpn.example.org"


async def followed(world: DaemonWorld) -> None:
    """The name service is asked once more, and the firewall follows its answer."""
    world.clock.time += 1.1 * NAMES_EVERY
    await world.parts.allowlist.wait_for_end()
    await world.enforcer.reconcile()


def test_a_host_name_is_allowed_with_what_it_is_and_follows_the_name_service(environment: Environment) -> None:
    environment.names[NAME] = ["192.0.2.1", "2001:db8::1"]

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        row = await world.ask("allow", address=f"{NAME}.", comment="office", uid=0)
        assert (row["address"], row["addresses"]) == (NAME, ["192.0.2.1", "2001:db8::1"])
        assert (row["new"], row["carved"]) == (True, ["feed"])
        assert world.banned() == CUT
        checked = await world.ask("check", address="192.0.2.1")
        assert [by["address"] for by in checked["allowed_by"]] == [NAME]
        environment.names[NAME] = ["192.0.2.255"]
        await followed(world)
        assert world.banned() == {"192.0.2.0", "192.0.2.2 - 192.0.2.254"}, "the old address goes later"
        environment.names[NAME] = ["192.0.2.255", "198.51.100.1"]
        world.clock.time += NAMES_TTL
        await followed(world)
        assert world.banned() == {"192.0.2.0 - 192.0.2.254"}
        assert (await world.ask("disallow", address="192.0.2.255"))["removed"] is None
        taken = await world.ask("disallow", address=NAME)
        assert taken["removed"]["addresses"] == ["192.0.2.255", "198.51.100.1"]
        assert world.banned() == WHOLE
        with pytest.raises(UsageError, match="knows no such name"):
            await world.ask("allow", address="gone.example.org")

    run(environment, CONFIG, life)
    followed_twice = [EventName.MANUAL_ALLOW_FOLLOWED] * 2
    assert names(environment) == [EventName.MANUAL_ALLOW_ADDED, *followed_twice, EventName.MANUAL_ALLOW_REMOVED]


def test_a_name_without_an_answer_stays_what_it_was_across_a_restart_and_ends_in_time(environment: Environment) -> None:
    environment.names[NAME] = ["192.0.2.1"]

    async def before(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.ask("allow", address=NAME, **TEN_MINUTES)

    async def after(world: DaemonWorld) -> None:
        del environment.names[NAME]
        world.clock.time += 1.1 * NAMES_EVERY
        await environment.announcer.until(EventName.MANUAL_ALLOW_UNRESOLVED)
        assert world.banned() == CUT
        world.clock.time += 600
        await environment.announcer.until(EventName.MANUAL_ALLOW_EXPIRED)
        assert await world.ask("allowed") == []

    run(environment, CONFIG, before)
    run(environment, CONFIG, after, serve=True)


def test_a_name_is_asked_for_again_when_its_answer_ends_and_later_and_later_without_one(environment: Environment) -> None:
    environment.names[NAME] = ["192.0.2.1"]
    environment.ttls[NAME] = 600.0

    async def left(world: DaemonWorld) -> float:
        (row,) = await world.ask("allowed")
        return float(row["asked_at"] - environment.clock.time)

    async def asked_again(world: DaemonWorld) -> float:
        """How long until the next question, once the one that is due was answered."""
        environment.clock.time += await left(world)
        while await left(world) <= 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await world.parts.allowlist.wait_for_end()
        return await left(world)

    async def life(world: DaemonWorld) -> None:
        row = await world.ask("allow", address=NAME)
        assert (row["answered_at"], row["asked_at"] - row["answered_at"]) == (environment.clock.time, pytest.approx(630))
        environment.ttls[NAME] = 5.0
        assert await asked_again(world) == pytest.approx(63)
        answered = environment.clock.time
        addresses = environment.names.pop(NAME)
        assert [await asked_again(world) for _ in range(4)] == pytest.approx([45, 90, 180, 225])
        (row,) = await world.ask("allowed")
        assert (row["addresses"], row["answered_at"]) == (addresses, answered)
        environment.names[NAME] = addresses
        assert await asked_again(world) == pytest.approx(63)

    run(environment, CONFIG, life)
    assert names(environment).count(EventName.MANUAL_ALLOW_UNRESOLVED) == 1


def test_one_name_may_not_take_more_addresses_than_an_entry_of_the_configuration(environment: Environment) -> None:
    environment.names[NAME] = [f"198.51.100.{at}" for at in range(MOST_OF_A_NAME + 1)]

    async def life(world: DaemonWorld) -> None:
        with pytest.raises(RefusedError, match="gives more than 64 addresses"):
            await world.ask("allow", address=NAME)
        assert await world.ask("allowed") == []

    run(environment, CONFIG, life)


def test_holes_say_which_entries_each_allow_entry_cuts_and_what_it_costs(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.ask("ban", address="203.0.113.0/24")
        await world.ask("allow", address="203.0.113.64/26", comment="audit")
        rows = await world.ask("protected", holes="true")
        by_allowed = {row["allowed"]: row for row in rows}
        assert (by_allowed["192.0.2.5"]["source"], by_allowed["192.0.2.5"]["addresses4"]) == ("feed", 1)
        assert by_allowed["192.0.2.5"]["first"] == ["192.0.2.0/24"]
        cut = by_allowed["203.0.113.64/26"]
        assert (cut["origin"], cut["source"], cut["cut"], cut["addresses4"]) == ("command", "manual", 1, 64)
        assert "198.51.100.7" not in by_allowed

    config = config_of(Source(id=FEED, url="http://lists.example/a"), allow=(allow("192.0.2.5"), allow("198.51.100.7")))
    run(environment, config, life)
