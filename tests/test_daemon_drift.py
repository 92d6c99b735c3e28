"""The loop that repairs: it is woken by whoever disturbs the firewall, and looks now and then anyway."""

import asyncio
from pathlib import Path

from banlistd.errors import FirewallError
from banlistd.model import Disturbance, EventName
from support.serving import BOTH, NEVER, ONE, TWO, House, completed, config_of, serve


def test_a_disturbance_is_repaired_at_once_and_its_culprit_named(tmp_path: Path) -> None:
    news: asyncio.Queue[Disturbance] = asyncio.Queue()

    async def before(house: House) -> None:
        house.firewall.disturbed = news.get  # type: ignore[method-assign]

    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        for times in (1, 2):
            await house.firewall.teardown()
            news.put_nowait(Disturbance("nft[4711]"))
            repaired = await house.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=times)
            assert repaired.fields["CULPRIT"] == "nft[4711]"
            assert "nft[4711]" in repaired.message
            assert house.banned() == {"192.0.2.1", "192.0.2.2"}

    serve(tmp_path, BOTH, life, before=before, reconcile_every=NEVER)


def test_what_is_not_ours_is_not_even_looked_at(tmp_path: Path) -> None:
    elsewhere = [Disturbance(f"iptables[{number}]", ours=False) for number in range(3)]
    waits_again = asyncio.Event()

    async def disturbed() -> Disturbance:
        if elsewhere:
            return elsewhere.pop()
        waits_again.set()
        return await asyncio.Future()

    async def before(house: House) -> None:
        house.firewall.looked.clear()
        house.firewall.disturbed = disturbed  # type: ignore[method-assign]

    async def life(house: House) -> None:
        await waits_again.wait()
        assert not house.firewall.looked.is_set()

    serve(tmp_path, config_of(), life, before=before, reconcile_every=NEVER)


def test_a_firewall_that_does_not_tell_is_recorded_once_and_looked_at_all_the_same(tmp_path: Path) -> None:
    async def deaf() -> Disturbance:
        raise FirewallError("cannot be told of changes")

    async def before(house: House) -> None:
        house.firewall.disturbed = deaf  # type: ignore[method-assign]

    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        for times in (1, 2, 3):
            await house.firewall.teardown()
            await house.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED, times=times)
            assert house.banned() == {"192.0.2.1", "192.0.2.2"}
        assert house.announcer.names().count(EventName.SERVICE_FAULT) == 1

    serve(tmp_path, BOTH, life, before=before, reconcile_every=0.001)


def test_a_repair_that_fails_is_tried_again_without_a_further_disturbance(tmp_path: Path) -> None:
    news: asyncio.Queue[Disturbance] = asyncio.Queue()

    async def before(house: House) -> None:
        house.firewall.disturbed = news.get  # type: ignore[method-assign]

    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        await house.firewall.teardown()
        house.firewall.fail_before = True
        news.put_nowait(Disturbance("nft[4711]"))
        await house.announcer.until(EventName.SERVICE_FAULT, times=2)
        house.firewall.fail_before = False
        repaired = await house.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["CULPRIT"] == "nft[4711]"
        assert house.banned() == {"192.0.2.1", "192.0.2.2"}

    serve(tmp_path, BOTH, life, before=before, reconcile_every=NEVER)
