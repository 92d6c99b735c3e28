"""The loop that repairs: it is woken by whoever disturbs the firewall, and looks now and then anyway."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from banlistd.errors import FirewallError
from banlistd.events import EventName
from banlistd.model import ExternalChange
from support.sources import BOTH, ONE, TWO, config_of, source
from worlds import NEVER, DaemonWorld, Environment, Timing, run


def heard(news: "asyncio.Queue[ExternalChange]") -> Callable[[DaemonWorld], Awaitable[None]]:
    """The firewall reports what comes into this queue."""

    async def before(world: DaemonWorld) -> None:
        world.firewall.wait_for_external_change = news.get  # type: ignore[method-assign]

    return before


def test_a_disturbance_is_repaired_at_once_and_its_culprit_named(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        for times in (1, 2):
            await world.firewall.teardown()
            news.put_nowait(ExternalChange("nft[4711]"))
            repaired = await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=times)
            assert repaired.fields["CULPRIT"] == "nft[4711]"
            assert "nft[4711]" in repaired.message
            assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(Environment(tmp_path), BOTH, life, before=heard(news), timing=Timing(reconcile_every=NEVER), serve=True)


def test_a_disturbance_that_another_change_of_ours_repairs_is_reported_with_its_culprit(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        await world.firewall.teardown()
        await world.service.reload()
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        news.put_nowait(ExternalChange("nft[4711]"))
        repaired = await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["CULPRIT"] == "nft[4711]"
        await world.firewall.teardown()
        news.put_nowait(ExternalChange("nft[4712]"))
        repaired = await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=2)
        assert repaired.fields["CULPRIT"] == "nft[4712]"

    run(Environment(tmp_path), BOTH, life, before=heard(news), timing=Timing(reconcile_every=NEVER), serve=True)


def test_a_repair_says_nothing_of_what_else_its_change_was_made_for(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        await world.firewall.teardown()
        world.environment.next_config = config_of(source(ONE))
        await world.service.reload()
        assert world.banned() == {"192.0.2.1"}
        news.put_nowait(ExternalChange("nft[4711]"))
        repaired = await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert (repaired.fields["ADDED"], repaired.fields["REMOVED"]) == (2, 0)

    run(Environment(tmp_path), BOTH, life, before=heard(news), timing=Timing(reconcile_every=NEVER), serve=True)


def test_drift_that_made_a_change_of_ours_fail_is_reported_when_the_next_one_repairs_it(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.firewall.fail_before = True
        world.environment.next_config = config_of(source(ONE))
        with pytest.raises(FirewallError):
            await world.service.reload()
        world.firewall.fail_before = False
        await world.firewall.teardown()
        world.environment.next_config = BOTH
        await world.service.reload()
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        news.put_nowait(ExternalChange("nft[4711]"))
        assert (await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)).fields["CULPRIT"] == "nft[4711]"

    run(Environment(tmp_path), BOTH, life, before=heard(news), timing=Timing(reconcile_every=NEVER), serve=True)


def test_a_change_that_follows_a_failed_one_is_no_repair(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(ONE))
        world.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await world.service.reload()
        world.firewall.fail_before = False
        await world.service.reload()
        world.firewall.looked.clear()
        news.put_nowait(ExternalChange("nft[4711]"))
        await world.firewall.looked.wait()
        await world.service.reload()
        assert world.banned() == {"192.0.2.1"}
        assert EventName.FIREWALL_DRIFT_REPAIRED not in world.announcer.names()

    run(Environment(tmp_path), BOTH, life, before=heard(news), timing=Timing(reconcile_every=NEVER), serve=True)


def test_what_is_not_ours_is_not_even_looked_at(tmp_path: Path) -> None:
    elsewhere = [ExternalChange(f"iptables[{number}]", ours=False) for number in range(3)]
    waits_again = asyncio.Event()

    async def wait_for_external_change() -> ExternalChange:
        if elsewhere:
            return elsewhere.pop()
        waits_again.set()
        return await asyncio.Future()

    async def before(world: DaemonWorld) -> None:
        world.firewall.looked.clear()
        world.firewall.wait_for_external_change = wait_for_external_change  # type: ignore[method-assign]

    async def life(world: DaemonWorld) -> None:
        await waits_again.wait()
        assert not world.firewall.looked.is_set()

    run(Environment(tmp_path), config_of(), life, before=before, timing=Timing(reconcile_every=NEVER), serve=True)


def test_a_firewall_that_does_not_tell_is_recorded_once_and_looked_at_all_the_same(tmp_path: Path) -> None:
    async def deaf() -> ExternalChange:
        raise FirewallError("cannot listen for changes")

    async def before(world: DaemonWorld) -> None:
        world.firewall.wait_for_external_change = deaf  # type: ignore[method-assign]

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        for times in (1, 2, 3):
            await world.firewall.teardown()
            await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=times)
            assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert world.announcer.names().count(EventName.SERVICE_FAULT) == 1

    run(Environment(tmp_path), BOTH, life, before=before, timing=Timing(reconcile_every=0.001), serve=True)


def test_a_repair_that_fails_is_tried_again_without_a_further_disturbance(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        await world.firewall.teardown()
        world.firewall.fail_before = True
        news.put_nowait(ExternalChange("nft[4711]"))
        await world.announcer.until(EventName.SERVICE_FAULT)
        world.firewall.fail_before = False
        repaired = await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["CULPRIT"] == "nft[4711]"
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(Environment(tmp_path), BOTH, life, before=heard(news), timing=Timing(reconcile_every=NEVER), serve=True)
