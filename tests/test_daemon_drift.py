"""The loop that repairs: it is woken by whoever disturbs the firewall, and looks now and then anyway."""

import asyncio
from pathlib import Path

from banlistd.errors import FirewallError
from banlistd.events import EventName
from banlistd.model import ExternalChange
from support.serving import BOTH, NEVER, ONE, TWO, Application, completed, config_of, serve


def test_a_disturbance_is_repaired_at_once_and_its_culprit_named(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def before(application: Application) -> None:
        application.firewall.wait_for_external_change = news.get  # type: ignore[method-assign]

    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        for times in (1, 2):
            await application.firewall.teardown()
            news.put_nowait(ExternalChange("nft[4711]"))
            repaired = await application.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=times)
            assert repaired.fields["CULPRIT"] == "nft[4711]"
            assert "nft[4711]" in repaired.message
            assert application.banned() == {"192.0.2.1", "192.0.2.2"}

    serve(tmp_path, BOTH, life, before=before, reconcile_every=NEVER)


def test_what_is_not_ours_is_not_even_looked_at(tmp_path: Path) -> None:
    elsewhere = [ExternalChange(f"iptables[{number}]", ours=False) for number in range(3)]
    waits_again = asyncio.Event()

    async def wait_for_external_change() -> ExternalChange:
        if elsewhere:
            return elsewhere.pop()
        waits_again.set()
        return await asyncio.Future()

    async def before(application: Application) -> None:
        application.firewall.looked.clear()
        application.firewall.wait_for_external_change = wait_for_external_change  # type: ignore[method-assign]

    async def life(application: Application) -> None:
        await waits_again.wait()
        assert not application.firewall.looked.is_set()

    serve(tmp_path, config_of(), life, before=before, reconcile_every=NEVER)


def test_a_firewall_that_does_not_tell_is_recorded_once_and_looked_at_all_the_same(tmp_path: Path) -> None:
    async def deaf() -> ExternalChange:
        raise FirewallError("cannot be told of changes")

    async def before(application: Application) -> None:
        application.firewall.wait_for_external_change = deaf  # type: ignore[method-assign]

    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        for times in (1, 2, 3):
            await application.firewall.teardown()
            await application.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=times)
            assert application.banned() == {"192.0.2.1", "192.0.2.2"}
        assert application.announcer.names().count(EventName.SERVICE_FAULT) == 1

    serve(tmp_path, BOTH, life, before=before, reconcile_every=0.001)


def test_a_repair_that_fails_is_tried_again_without_a_further_disturbance(tmp_path: Path) -> None:
    news: asyncio.Queue[ExternalChange] = asyncio.Queue()

    async def before(application: Application) -> None:
        application.firewall.wait_for_external_change = news.get  # type: ignore[method-assign]

    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        await application.firewall.teardown()
        application.firewall.fail_before = True
        news.put_nowait(ExternalChange("nft[4711]"))
        await application.announcer.until(EventName.SERVICE_FAULT, times=2)
        application.firewall.fail_before = False
        repaired = await application.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["CULPRIT"] == "nft[4711]"
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}

    serve(tmp_path, BOTH, life, before=before, reconcile_every=NEVER)
