"""Another configuration, or a wrong one, while the service runs."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from banlistd.backends import BackendName
from banlistd.core.config.reload import ReloadOrder
from banlistd.core.config.sections.fail2ban import Fail2ban
from banlistd.core.config.sections.log import Log, LogFormat
from banlistd.core.config.sections.parser import ParserSettings
from banlistd.errors import ConfigError, FetchError, FirewallError, NoSuchSourceError, RefusedError
from banlistd.events import EventName
from banlistd.model import Action, Ownership
from support.sources import BOTH, ONE, THREE, TWO, allow, config_of, source
from worlds import DaemonWorld, Environment, Timing, run


def test_a_reload_takes_new_sources_and_drops_those_that_are_gone(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(TWO), source(THREE))
        await world.service.refresh()  # what was under way has reported
        world.environment.supervisor.heard.clear()
        before = await world.service.reload()
        assert world.environment.supervisor.heard == ["reloading", "1 ban from 2 sources", "ready"]
        assert before.before is BOTH
        assert world.service.config is world.environment.next_config
        assert world.banned() == {"192.0.2.2"}
        polled = world.fetcher.polled().count(ONE)
        await world.completed(THREE)
        assert world.banned() == {"192.0.2.2", "192.0.2.3"}
        with pytest.raises(NoSuchSourceError):
            await world.service.refresh([ONE])
        world.clock.time += 86_400
        world.environment.next_config = config_of(source(TWO), source(THREE))
        await world.service.reload()
        await world.announcer.until(EventName.IMPORT_SKIPPED, TWO, times=2)
        assert world.fetcher.polled().count(ONE) == polled

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_a_source_that_comes_back_has_its_bans_back_at_once(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(ONE, enabled=False), source(TWO))
        await world.service.reload()
        assert world.banned() == {"192.0.2.2"}
        world.environment.next_config = BOTH
        await world.service.reload()
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert world.fetcher.polled().count(ONE) == 1

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_a_source_that_is_read_from_another_place_is_polled_at_once(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(ONE, url="http://192.0.2.99/elsewhere"), source(TWO))
        await world.service.reload()
        await world.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        assert world.fetcher.polled().count(ONE) == 2
        assert world.fetcher.polled().count(TWO) == 1

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_a_wrong_configuration_changes_nothing_and_says_so(tmp_path: Path) -> None:
    problem = "banlistd.yaml:3: evry: is not a key (did you mean every?)"

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = ConfigError("1 problem", problems=(problem,))
        with pytest.raises(ConfigError):
            await world.service.reload()
        rejected = await world.announcer.until(EventName.CONFIG_REJECTED)
        assert "NOT been changed" in rejected.message
        assert problem in rejected.message
        assert EventName.CONFIG_RELOADED not in world.announcer.names()
        assert world.service.config is BOTH
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert world.environment.supervisor.heard[-1] == "ready"

    run(Environment(tmp_path), BOTH, life, serve=True)


def _numbered(count: int) -> bytes:
    return "".join(f"203.{at >> 8}.{at & 255}.1\n" for at in range(count)).encode()


def test_a_reload_that_would_lift_more_than_half_of_the_bans_is_refused_with_their_number(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = _numbered(30)

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(TWO))
        for order in (ReloadOrder(), ReloadOrder(lift=29)):
            with pytest.raises(RefusedError, match=r"^the reload would lift 30 of 31 bans \(.*--lift 30"):
                await world.service.reload(order)
            assert "NOT been changed" in (await world.announcer.until(EventName.CONFIG_REJECTED)).message
        assert world.service.config is BOTH
        assert len(world.banned()) == 31
        assert (await world.ask("reload", lift=30))["lifted"] == 30
        assert world.banned() == {"192.0.2.2"}

    run(Environment(tmp_path), BOTH, life, before=before, serve=True)


def test_an_allow_entry_over_most_bans_and_a_source_that_only_watches_are_refused_alike(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = _numbered(30)

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        entry = replace(allow("203.0.0.0"), last=allow("203.255.255.255").last)
        for config in (replace(BOTH, allow=(entry,)), config_of(source(ONE, action=Action.COUNT), source(TWO))):
            world.environment.next_config = config
            with pytest.raises(RefusedError, match="would lift 30 of 31 bans"):
                await world.service.reload()
        assert len(world.banned()) == 31

    run(Environment(tmp_path), BOTH, life, before=before, serve=True)


def test_what_another_source_bans_too_is_not_lifted(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = world.fetcher.bodies[TWO] = _numbered(30)

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(TWO))
        assert (await world.service.reload()).lift.lifted == 0
        assert len(world.banned()) == 30

    run(Environment(tmp_path), BOTH, life, before=before, serve=True)


RESTART_ONLY = [
    {"backend": BackendName.NFTABLES},
    {"fail2ban": Fail2ban(jail="another")},
    {"owner": Ownership.YES},
    {"log": Log(format=LogFormat.JSON)},
    {"parser": ParserSettings(memory=2**28)},
]


@pytest.mark.parametrize("changed", RESTART_ONLY, ids=["backend", "fail2ban", "owner", "log", "parser"])
def test_a_key_that_needs_a_restart_is_refused_with_its_name(tmp_path: Path, changed: dict[str, Any]) -> None:
    (key,) = changed

    async def life(world: DaemonWorld) -> None:
        world.environment.next_config = replace(BOTH, **changed)
        with pytest.raises(ConfigError, match=rf"^{key}: cannot be changed while banlistd runs \(restart it\)"):
            await world.service.reload()
        assert world.service.config is BOTH
        await world.announcer.until(EventName.CONFIG_REJECTED)

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_a_configuration_that_the_firewall_does_not_take_is_not_in_force(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.environment.next_config = config_of(source(ONE))
        world.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await world.service.reload()
        world.firewall.fail_before = False
        assert world.service.config is BOTH
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert "NOT been changed" in (await world.announcer.until(EventName.CONFIG_REJECTED)).message

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_the_comparison_with_the_firewall_does_not_put_the_old_policy_back_during_a_reload(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        asked = asyncio.Event()
        marks_for = world.ledger.marks_for

        async def heard(*arguments: Any) -> Any:
            asked.set()
            return await marks_for(*arguments)

        world.environment.next_config = replace(BOTH, allow=(allow("192.0.2.1"),))
        world.firewall.gate.clear()
        world.firewall.entered.clear()
        reload = asyncio.ensure_future(world.service.reload())
        await world.firewall.entered.wait()
        world.ledger.marks_for = heard  # type: ignore[method-assign,assignment] # whoever makes a policy now makes the old one
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await asked.wait()
                await asyncio.Event().wait()
        world.firewall.gate.set()
        await reload
        for _ in range(3):
            world.firewall.looked.clear()
            async with asyncio.timeout(60):
                await world.firewall.looked.wait()  # the loop comes round
            assert world.banned() == {"192.0.2.2"}
        assert EventName.FIREWALL_DRIFT_REPAIRED not in world.announcer.names()

    run(Environment(tmp_path), BOTH, life, timing=Timing(reconcile_every=0.001), serve=True)


def test_the_status_names_the_sources_that_fail_until_they_are_gone(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = FetchError("connection refused")

    async def life(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.IMPORT_FAILED, ONE)
        await world.service.refresh([TWO, ONE])
        assert world.environment.supervisor.heard[-1] == "1 ban from 2 sources, 1 failing: one"
        world.environment.next_config = config_of(source(TWO, action=Action.REJECT))
        await world.service.reload()
        assert "1 ban from 1 source" in world.environment.supervisor.heard

    run(Environment(tmp_path), BOTH, life, before=before, serve=True)
