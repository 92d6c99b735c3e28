"""Another configuration, or a wrong one, while the service runs."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from banlistd.core.config.model import Fail2ban
from banlistd.errors import ConfigError, FetchError, FirewallError, NoSuchSourceError
from banlistd.events import EventName
from banlistd.model import Action, BackendName
from support.serving import BOTH, ONE, THREE, TWO, Application, allow, completed, config_of, serve, source


def test_a_reload_takes_new_sources_and_drops_those_that_are_gone(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        application.given = config_of(source(TWO), source(THREE))
        await application.service.refresh()  # what was under way has reported
        application.supervisor.heard.clear()
        before = await application.service.reload()
        assert application.supervisor.heard == ["reloading", "1 bans from 2 sources", "ready"]
        assert before is BOTH
        assert application.service.config is application.given
        assert application.banned() == {"192.0.2.2"}
        polled = application.fetcher.polled().count(ONE)
        await completed(application, THREE)
        assert application.banned() == {"192.0.2.2", "192.0.2.3"}
        with pytest.raises(NoSuchSourceError):
            await application.service.refresh([ONE])
        application.clock.time += 86_400
        application.given = config_of(source(TWO), source(THREE))
        await application.service.reload()
        await application.announcer.until(EventName.IMPORT_SKIPPED, TWO, times=2)
        assert application.fetcher.polled().count(ONE) == polled

    serve(tmp_path, BOTH, life)


def test_a_source_that_comes_back_has_its_bans_back_at_once(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        application.given = config_of(source(ONE, enabled=False), source(TWO))
        await application.service.reload()
        assert application.banned() == {"192.0.2.2"}
        application.given = BOTH
        await application.service.reload()
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}
        assert application.fetcher.polled().count(ONE) == 1

    serve(tmp_path, BOTH, life)


def test_a_source_that_is_read_from_another_place_is_polled_at_once(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        application.given = config_of(source(ONE, url="http://192.0.2.99/elsewhere"), source(TWO))
        await application.service.reload()
        await application.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        assert application.fetcher.polled().count(ONE) == 2
        assert application.fetcher.polled().count(TWO) == 1

    serve(tmp_path, BOTH, life)


def test_a_wrong_configuration_changes_nothing_and_says_so(tmp_path: Path) -> None:
    problem = "banlistd.yaml:3: evry: is not a key (did you mean every?)"

    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        application.given = ConfigError("1 problem", problems=(problem,))
        with pytest.raises(ConfigError):
            await application.service.reload()
        rejected = await application.announcer.until(EventName.CONFIG_REJECTED)
        assert "NOT been changed" in rejected.message
        assert problem in rejected.message
        assert EventName.CONFIG_RELOADED not in application.announcer.names()
        assert application.service.config is BOTH
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}
        assert application.supervisor.heard[-1] == "ready"

    serve(tmp_path, BOTH, life)


OTHER_FIREWALLS = [{"backend": BackendName.NFTABLES}, {"fail2ban": Fail2ban(jail="another")}]


@pytest.mark.parametrize("changed", OTHER_FIREWALLS, ids=["backend", "jail"])
def test_another_firewall_needs_a_restart(tmp_path: Path, changed: dict[str, object]) -> None:
    async def life(application: Application) -> None:
        application.given = BOTH.model_copy(update=changed)
        with pytest.raises(ConfigError, match="backend"):
            await application.service.reload()
        assert application.service.config is BOTH
        await application.announcer.until(EventName.CONFIG_REJECTED)

    serve(tmp_path, BOTH, life)


def test_a_configuration_that_the_firewall_does_not_take_is_not_in_force(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        application.given = config_of(source(ONE))
        application.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await application.service.reload()
        application.firewall.fail_before = False
        assert application.service.config is BOTH
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}
        assert "NOT been changed" in (await application.announcer.until(EventName.CONFIG_REJECTED)).message

    serve(tmp_path, BOTH, life)


def test_the_comparison_with_the_firewall_does_not_put_the_old_policy_back_during_a_reload(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        asked = asyncio.Event()
        marks_for = application.ledger.marks_for

        async def heard(*arguments: Any) -> Any:
            asked.set()
            return await marks_for(*arguments)

        application.given = BOTH.model_copy(update={"allow": (allow("192.0.2.1"),)})
        application.firewall.gate.clear()
        application.firewall.entered.clear()
        reload = asyncio.ensure_future(application.service.reload())
        await application.firewall.entered.wait()
        application.ledger.marks_for = heard  # type: ignore[method-assign,assignment] # whoever makes a policy now makes the old one
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await asked.wait()
                await asyncio.Event().wait()
        application.firewall.gate.set()
        await reload
        for _ in range(3):
            application.firewall.looked.clear()
            async with asyncio.timeout(20):
                await application.firewall.looked.wait()  # the loop comes round
            assert application.banned() == {"192.0.2.2"}
        assert EventName.FIREWALL_DRIFT_REPAIRED not in application.announcer.names()

    serve(tmp_path, BOTH, life, reconcile_every=0.001)


def test_the_status_names_the_sources_that_fail_until_they_are_gone(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.fetcher.bodies[ONE] = FetchError("connection refused")

    async def life(application: Application) -> None:
        await application.announcer.until(EventName.IMPORT_FAILED, ONE)
        await application.service.refresh([TWO, ONE])
        assert application.supervisor.heard[-1] == "1 bans from 2 sources, 1 failing: one"
        application.given = config_of(source(TWO, action=Action.REJECT))
        await application.service.reload()
        assert "1 bans from 1 sources" in application.supervisor.heard

    serve(tmp_path, BOTH, life, before=before)
