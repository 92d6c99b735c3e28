"""A configuration that is tried: confirmed, not confirmed, refused, and cut off by a crash at each step."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.start.boot_snapshot import last_boot_snapshot
from banlistd.adapters.storage.start.kept_configs import KeptConfigTable
from banlistd.core.config.kept import unconfirmed
from banlistd.core.config.reload import ReloadOrder
from banlistd.errors import ConfigError, FirewallError, LedgerError, RefusedError, UsageError
from banlistd.events import EventName
from support.sources import BOTH, ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, daemon_world, loaded_of, run

NEW = config_of(source(TWO))
OLD_FILES, NEW_FILES = loaded_of(BOTH).files, loaded_of(NEW).files
MANY = "".join(f"203.0.{at}.1\n" for at in range(30)).encode()
TRY = ReloadOrder(confirm=120.0)


async def many(world: DaemonWorld) -> None:
    world.fetcher.bodies[ONE] = MANY


async def begun(world: DaemonWorld) -> None:
    await world.completed(ONE, TWO)
    world.environment.next_config = NEW
    await world.service.reload(TRY)


async def sources_at_boot(world: DaemonWorld) -> set[str]:
    snapshot = await last_boot_snapshot(world.database)
    assert snapshot is not None
    return {str(owner.source_id) for owner in snapshot.policy.sources} - {"manual"}


def test_a_configuration_that_is_confirmed_stays(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await begun(world)
        assert len(world.banned()) == 1
        (remark,) = world.trial_remarks()
        assert remark.message == "the configuration in force waits for its confirmation"
        assert await sources_at_boot(world) == {"one", "two"}
        assert (await world.ask("confirm")) == {"sources": 1}
        assert await sources_at_boot(world) == {"two"}
        world.clock.time += 1000
        with pytest.raises(UsageError, match="no configuration waits"):
            await world.service.confirm()
        assert world.service.config is NEW
        kept = await KeptConfigTable(world.database).load()
        assert (kept.in_force, kept.tried, kept.refused) == (NEW_FILES, {}, {})
        assert world.trial_remarks() == []

    run(Environment(tmp_path), BOTH, life, before=many, serve=True)


def test_without_a_confirmation_the_configuration_before_comes_back_by_itself(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await begun(world)
        assert len(world.banned()) == 1
        world.clock.time += 121
        rejected = await world.announcer.until(EventName.CONFIG_REJECTED)
        assert "not confirmed in time" in rejected.message
        assert len(world.banned()) == 31
        assert world.service.config is BOTH
        with pytest.raises(UsageError):
            await world.service.confirm()
        kept = await KeptConfigTable(world.database).load()
        assert (kept.in_force, kept.tried, kept.refused) == (OLD_FILES, {}, NEW_FILES)
        assert unconfirmed(NEW_FILES, kept)
        (remark,) = world.trial_remarks()
        assert "was not confirmed in time" in remark.message
        await world.service.reload(ReloadOrder(lift=30))
        assert not unconfirmed(NEW_FILES, await KeptConfigTable(world.database).load())
        assert world.trial_remarks() == []

    run(Environment(tmp_path), BOTH, life, before=many, serve=True)


def test_the_end_of_a_trial_of_what_was_in_force_is_no_warning(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        await world.service.reload()
        await world.service.reload(TRY)
        world.clock.time += 121
        await world.announcer.until(EventName.CONFIG_REJECTED)
        assert world.trial_remarks() == []
        assert not unconfirmed(OLD_FILES, await KeptConfigTable(world.database).load())

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_no_other_reload_is_accepted_meanwhile(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await begun(world)
        for order in (ReloadOrder(), TRY):
            with pytest.raises(RefusedError, match="waits for its confirmation"):
                await world.service.reload(order)
        await world.service.confirm()
        await world.service.reload()

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_a_trial_that_does_not_begin_leaves_the_configuration_before(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = ConfigError("wrong")
        with pytest.raises(ConfigError):
            await world.service.reload(TRY)
        world.environment.next_config = NEW
        world.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await world.service.reload(TRY)
        world.firewall.fail_before = False
        assert world.service.config is BOTH
        kept = await KeptConfigTable(world.database).load()
        assert (kept.in_force, kept.tried, kept.refused) == (OLD_FILES, {}, {})
        await world.service.reload(TRY)
        assert world.service.config is NEW

    run(Environment(tmp_path), BOTH, life, serve=True)


class PowerCut(BaseException):
    pass


Step = Callable[[DaemonWorld], Awaitable[object]]


async def confirm(world: DaemonWorld) -> None:
    await world.service.confirm()


async def time_over(world: DaemonWorld) -> None:
    world.clock.time += 121
    await world.service._reloads.end_trial(world.service._intervals.trial)


def cut(world: DaemonWorld, monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> list[str]:
    """Let the power fail before or after the write with this number; returns the names of the writes."""
    writes: list[str] = []

    def watched(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        async def write(*arguments: Any, **options: Any) -> Any:
            writes.append(name)
            if len(writes) == at and not after:
                raise PowerCut
            done = await original(*arguments, **options)
            if len(writes) == at:
                raise PowerCut
            return done

        monkeypatch.setattr(owner, name, write)

    for name in ("begin_trial", "put_in_force", "end_trial"):
        watched(world.trial._kept, name)
    watched(world.firewall, "apply")
    watched(world.database, "write")
    return writes


@pytest.mark.parametrize("step", [confirm, time_over])
@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after it"])
@pytest.mark.parametrize("at", range(1, 9))
def test_a_crash_at_any_write_leaves_the_old_or_the_confirmed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, after: bool, step: Step
) -> None:
    environment = Environment(tmp_path)
    environment.next_config = NEW

    async def life() -> None:
        async with daemon_world(environment, BOTH) as world:
            await world.service.restore()
            await world.service.refresh()
            writes = cut(world, monkeypatch, at, after=after)
            try:
                await world.service.reload(TRY)
                await step(world)
            except PowerCut:
                pass
            confirmed = "put_in_force" in writes
        async with open_database(tmp_path / "db") as database:
            kept, snapshot = await KeptConfigTable(database).load(), await last_boot_snapshot(database)
        assert kept.in_force in (OLD_FILES, NEW_FILES)
        if kept.in_force == NEW_FILES:
            assert confirmed
            assert not kept.tried
        elif "write" in writes[: at - (not after)]:
            assert unconfirmed(NEW_FILES, kept)  # a start puts the old one in force
        if kept.in_force == OLD_FILES:
            assert snapshot is not None
            assert {str(owner.source_id) for owner in snapshot.policy.sources} == {"manual", "one", "two"}

    asyncio.run(life())


def test_a_trial_that_cannot_be_written_down_does_not_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = NEW
        monkeypatch.setattr(world.database, "_fault", "the disk is full")
        with pytest.raises(LedgerError, match="cannot be written down: the disk is full"):
            await world.service.reload(TRY)
        assert world.service.config is BOTH
        assert world.trial_remarks() == []
        monkeypatch.setattr(world.database, "_fault", "")

    run(Environment(tmp_path), BOTH, life, serve=True)
