"""Sources that are paused, pinned and rolled back: across restarts, reloads, faults and a database that was lost."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.sections.guards import Guards, OnStale
from banlistd.errors import NoSuchSourceError, UsageError
from banlistd.events import EventName
from support.fakes import FakeFetcher
from support.sources import ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

A, B, C = b"192.0.2.1\n192.0.2.2\n", b"192.0.2.2\n198.51.100.0/24\n", b"192.0.2.9\n192.0.2.2\n"
IN_A, IN_B, IN_C = {"192.0.2.1", "192.0.2.2"}, {"192.0.2.2", "198.51.100.0 - 198.51.100.255"}, {"192.0.2.9", "192.0.2.2"}
CONFIG = config_of(source(ONE))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path, fetcher=FakeFetcher({ONE: A}))


async def bring(world: DaemonWorld, *bodies: bytes) -> None:
    for body in bodies:
        world.fetcher.bodies[ONE] = body
        (outcome,) = await world.service.refresh([ONE])
        assert not outcome.error
        world.clock.time += 3600


async def run_of(world: DaemonWorld, back: int) -> int:
    """The run of the version so many before the one in force."""
    rows = await world.ask("versions", source=ONE)
    number: int = rows[back]["run"]
    return number


async def refreshed(world: DaemonWorld) -> dict[str, Any]:
    (row,) = await world.ask("refresh", sources=[ONE])
    assert isinstance(row, dict)
    return row


def older(point: float | str) -> dict[str, Any]:
    """The field whose name is a keyword."""
    return {"from": str(point)}


def names(environment: Environment) -> list[str]:
    wanted = ("source_paused", "source_resumed", "source_pinned", "source_unpinned", "source_rolled_back")
    return [event.name for event in environment.announcer.events if event.name in wanted]


def test_a_source_that_is_paused_is_not_asked_and_its_bans_stay_until_it_is_resumed(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, A)
        (row,) = await world.ask("pause", sources=[ONE])
        assert (row["kind"], row["new"], row["user"]) == ("paused", True, "root")
        (again,) = await world.ask("pause", sources=[ONE])
        assert not again["new"]
        world.fetcher.bodies[ONE] = B
        asked = len(world.fetcher.asked)
        for fields in ({}, {"now": True}):
            (outcome,) = await world.ask("refresh", sources=[ONE], **fields)
            assert (outcome["outcome"], outcome["not_before"]) == ("suspended", None)
            assert "banlistctl resume one" in outcome["reason"]
        assert len(world.fetcher.asked) == asked

    async def restarted(world: DaemonWorld) -> None:
        assert (await refreshed(world))["outcome"] == "suspended"
        assert world.banned() == IN_A
        status = await world.ask("status")
        assert [(row["id"], row["kind"]) for row in status["suspended"]] == [(ONE, "paused")]
        assert (await world.ask("sources"))[0]["suspended"] == ["paused"]
        await world.service.reload()
        assert (await refreshed(world))["outcome"] == "suspended"
        (row,) = await world.ask("resume", sources=[ONE])
        assert (row["ended"], row["outcome"]["outcome"]) == (True, "completed")
        assert world.banned() == IN_B
        (row,) = await world.ask("resume", sources=[ONE])
        assert (row["ended"], row["outcome"]) == (False, None)
        assert (await world.ask("status"))["suspended"] == []

    run(environment, CONFIG, life)
    run(environment, CONFIG, restarted)
    assert names(environment) == [EventName.SOURCE_PAUSED, EventName.SOURCE_RESUMED]


def test_the_timer_of_a_paused_source_asks_for_nothing(environment: Environment) -> None:
    async def before(world: DaemonWorld) -> None:
        await bring(world, A)
        await world.ask("pause", sources=[ONE])
        world.fetcher.bodies[ONE] = B
        world.clock.time += 86_400

    async def life(world: DaemonWorld) -> None:
        asked = len(world.fetcher.asked)
        (row,) = await world.ask("refresh")
        assert row["outcome"] == "suspended"
        for _ in range(50):  # turns of the event loop, in which a timer that does not rest would spin
            await asyncio.sleep(0)
        assert len(world.fetcher.asked) == asked
        assert world.banned() == IN_A

    run(environment, CONFIG, life, serve=True, before=before)


def test_a_source_that_is_paused_is_not_lifted_when_it_grows_stale(environment: Environment) -> None:
    stale = config_of(source(ONE, guards=Guards(max_age=60.0, on_stale=OnStale.LIFT)))

    async def life(world: DaemonWorld) -> None:
        await bring(world, A)
        await world.ask("pause", sources=[ONE])
        world.clock.time += 86_400
        assert world.parts.suspended.of(ONE)
        assert world.banned() == IN_A

    run(environment, stale, life, serve=True)


def test_a_list_is_rolled_back_to_a_run_and_stays_so_until_it_is_unpinned(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, A, B, C)
        answer = await world.ask("rollback", sources=[ONE], to=str(await run_of(world, 2)))
        assert (answer["outcome"]["outcome"], answer["outcome"]["added"], answer["outcome"]["removed"]) == ("completed", 1, 1)
        assert world.banned() == IN_A
        assert (await refreshed(world))["outcome"] == "suspended"
        (row,) = (await world.ask("status"))["suspended"]
        assert (row["kind"], row["run"]) == ("pinned", answer["version"]["run"])

    async def restarted(world: DaemonWorld) -> None:
        assert world.banned() == IN_A
        assert (await refreshed(world))["outcome"] == "suspended"
        world.firewall.lose_structure()
        await world.service.restore()
        assert world.banned() == IN_A
        (row,) = await world.ask("unpin", sources=[ONE])
        assert row["outcome"]["outcome"] == "completed"
        assert world.banned() == IN_C
        assert [row["entries"] for row in await world.ask("versions", source=ONE)] == [2, 2, 2, 2, 2]

    run(environment, CONFIG, life)
    run(environment, CONFIG, restarted)
    assert names(environment) == [EventName.SOURCE_PINNED, EventName.SOURCE_ROLLED_BACK, EventName.SOURCE_UNPINNED]


def test_a_list_is_rolled_back_to_a_moment_and_further_without_unpinning(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        began = world.clock.time
        await bring(world, A, B, C)
        await world.ask("rollback", sources=[ONE], to=f"@{began + 3600 + 60:.0f}")
        assert world.banned() == IN_B
        answer = await world.ask("rollback", sources=[ONE], to=f"@{began + 60:.0f}")
        assert world.banned() == IN_A
        assert (await world.ask("rollback", sources=[ONE], to=str(answer["version"]["run"])))["outcome"][
            "outcome"
        ] == "suspended"
        with pytest.raises(UsageError, match="no version of that moment"):
            await world.ask("rollback", sources=[ONE], to=f"@{began - 60:.0f}")
        with pytest.raises(UsageError, match="no version that run 999 brought"):
            await world.ask("rollback", sources=[ONE], to="999")
        with pytest.raises(UsageError, match="to which version"):
            await world.ask("rollback", sources=[ONE])
        with pytest.raises(NoSuchSourceError):
            await world.ask("rollback", sources=[TWO], to="1")

    run(environment, CONFIG, life)


def test_a_rollback_that_the_firewall_does_not_take_is_tried_again(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, A, B)
        world.firewall.fail_before = True
        answer = await world.ask("rollback", sources=[ONE], to=str(await run_of(world, 1)))
        assert answer["outcome"]["outcome"] == "failed"
        assert world.banned() == IN_B

    async def restarted(world: DaemonWorld) -> None:
        world.firewall.fail_before = False
        assert (await refreshed(world))["outcome"] == "completed"
        assert world.banned() == IN_A

    run(environment, CONFIG, life)
    environment.firewall.fail_before = False
    run(environment, CONFIG, restarted)


def test_a_pinned_content_that_is_not_kept_any_more_is_said(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, A, B)
        world.firewall.fail_before = True
        await world.ask("rollback", sources=[ONE], to=str(await run_of(world, 1)))
        world.firewall.fail_before = False
        await world.database.run("DELETE FROM versions")
        row = await refreshed(world)
        assert (row["outcome"], "not kept any more" in row["error"]) == ("failed", True)
        assert world.banned() == IN_B

    run(environment, CONFIG, life)


def test_the_content_in_force_is_pinned_and_a_source_without_one_cannot_be(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError, match="no content of it is in force"):
            await world.ask("pin", sources=[ONE])
        await bring(world, A)
        (row,) = await world.ask("pin", sources=[ONE])
        assert (row["kind"], row["run"], row["new"]) == ("pinned", await run_of(world, 0), True)
        world.fetcher.bodies[ONE] = B
        await refreshed(world)
        assert world.banned() == IN_A
        await world.ask("pause", sources=[ONE])
        (row,) = await world.ask("unpin", sources=[ONE])
        assert row["outcome"]["outcome"] == "suspended"
        await world.ask("resume", sources=[ONE])
        assert world.banned() == IN_B

    run(environment, CONFIG, life)


def test_suspensions_are_written_again_to_a_database_that_was_lost(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        await bring(world, A)
        await world.ask("pin", sources=[ONE])
        await world.database.run("DELETE FROM suspensions")
        await world.parts.suspended.resync_ledger()

    async def restarted(world: DaemonWorld) -> None:
        assert [one.kind for one in world.parts.suspended.of(ONE)] == ["pinned"]

    run(environment, CONFIG, life)
    run(environment, CONFIG, restarted)


def test_two_versions_are_compared(environment: Environment) -> None:
    async def life(world: DaemonWorld) -> None:
        with pytest.raises(UsageError, match="no version is kept"):
            await world.ask("diff", source=ONE)
        await bring(world, A)
        with pytest.raises(UsageError, match="no version before"):
            await world.ask("diff", source=ONE)
        await bring(world, B, C)
        newest = await world.ask("diff", source=ONE)
        assert (newest["added_entries"], newest["removed_entries"]) == (["192.0.2.9"], ["198.51.100.0/24"])
        first = await run_of(world, 2)
        whole = await world.ask("diff", source=ONE, **older(str(first)))
        assert (whole["added_entries"], whole["removed_entries"]) == (["192.0.2.9"], ["192.0.2.1"])
        assert (whole["older"]["run"], whole["newer"]["left_at"]) == (first, None)
        back = await world.ask("diff", source=ONE, to=str(first), **older(f"@{world.clock.time}"))
        assert (back["added_entries"], back["removed_entries"]) == (["192.0.2.1"], ["192.0.2.9"])
        same = await world.ask("diff", source=ONE, to=str(first), **older(str(first)))
        assert (same["added"], same["removed"]) == (0, 0)
        with pytest.raises(UsageError, match="from='soon' is no moment"):
            await world.ask("diff", source=ONE, **older("soon"))

    run(environment, CONFIG, life)
