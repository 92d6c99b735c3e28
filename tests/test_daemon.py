"""The loops: what is polled and when, what is repaired, who is told, and how it ends."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from banlistd.errors import FetchError, NoSuchSourceError
from banlistd.model import EventName, OutcomeKind, SourceId
from support.fakes import StandingClock
from support.serving import BOTH, ONE, THREE, TWO, House, allow, completed, config_of, serve, source


def test_what_is_due_is_polled_and_what_is_not_waits_until_it_is(tmp_path: Path) -> None:
    config = config_of(source(ONE, every=3600.0), source(TWO, every=7200.0))

    async def life(house: House) -> None:
        assert house.fetcher.polled() == [ONE]
        await completed(house, TWO)
        assert house.fetcher.polled() == [ONE, TWO]
        house.clock.time += 3600 * 1.1
        await house.service.reload()  # all timers look at the clock again
        await house.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        assert house.fetcher.polled() == [ONE, TWO, ONE]

    async def before(house: House) -> None:
        await house.service.refresh([ONE])

    serve(tmp_path, config, life, before=before)


def test_a_source_comes_again_when_its_interval_is_over(tmp_path: Path) -> None:
    class Running(StandingClock):
        """A day a look."""

        def monotonic(self) -> float:
            self.time += 86_400
            return self.time

    async def life(house: House) -> None:
        await house.announcer.until(EventName.IMPORT_SKIPPED, ONE, times=2)

    async def before(house: House) -> None:
        house.service._timetable._clock = Running()

    serve(tmp_path, config_of(source(ONE)), life, before=before)


def test_what_came_due_while_the_machine_slept_is_polled_soon_after_and_once(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        await house.service.refresh()

    async def life(house: House) -> None:
        await _let_timers_look(house)
        # asyncio's own clock has not moved meanwhile.
        house.clock.time += 86_400
        for source_id in (ONE, TWO):
            await house.announcer.until(EventName.IMPORT_SKIPPED, source_id)
        house.clock.time += 3000
        await house.service.reload()
        await _let_timers_look(house)
        assert sorted(house.fetcher.polled()) == sorted([ONE, TWO] * 2)

    serve(tmp_path, BOTH, life, before=before, look_every=0.005)


async def _let_timers_look(house: House) -> None:
    """The ledger answers in turn, the timers' questions before these."""
    for source_id in (ONE, TWO) * 2:
        await house.ledger.poll(source_id)


def test_a_server_that_asks_for_more_patience_than_the_interval_gets_it(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.fetcher.bodies[ONE] = FetchError("429", retry_after=80_000.0)
        await house.service.refresh([ONE])

    async def life(house: House) -> None:
        await completed(house, TWO)
        for times in range(1, 4):
            await _let_timers_look(house)
            house.clock.time += 20_000
            await house.announcer.until(EventName.IMPORT_SKIPPED, TWO, times)
        assert house.fetcher.polled().count(ONE) == 1
        house.clock.time += 20_001
        await house.announcer.until(EventName.IMPORT_FAILED, ONE, times=2)

    serve(tmp_path, BOTH, life, before=before, look_every=0.005)


def test_an_unforeseen_fault_of_one_source_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this\nlevel=info")

    async def life(house: House) -> None:
        fault = await house.announcer.until(EventName.SERVICE_FAULT, ONE)
        assert fault.fields["ERROR_CLASS"] == "ZeroDivisionError"
        assert "nobody thought of this" in str(fault.fields["REASON"])
        await completed(house, TWO)
        assert house.banned() == {"192.0.2.2"}
        assert house.fetcher.polled() == [TWO]

    serve(tmp_path, BOTH, life, before=before)


def test_a_source_with_a_fault_is_tried_again_after_a_while(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this")

    async def life(house: House) -> None:
        await house.announcer.until(EventName.SERVICE_FAULT, ONE, times=2)
        house.fetcher.faults.clear()
        await completed(house, ONE)

    serve(tmp_path, config_of(source(ONE)), life, before=before, first_retry=0.001)


def test_a_source_is_never_imported_twice_at_once(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.fetcher.gate.clear()

    async def life(house: House) -> None:
        await house.fetcher.entered.wait()  # the timer's import is under way
        asked = [asyncio.ensure_future(house.service.refresh([ONE])) for _ in range(3)]
        await asyncio.sleep(0)
        house.fetcher.gate.set()
        outcomes = [outcome for (outcome,) in await asyncio.gather(*asked)]
        assert [outcome.kind for outcome in outcomes] == [OutcomeKind.SKIPPED] * 3
        assert house.fetcher.most == {ONE: 1}
        assert len(await house.ledger.history(ONE, 10)) == 1

    serve(tmp_path, config_of(source(ONE)), life, before=before)


def test_no_more_than_four_imports_are_under_way(tmp_path: Path) -> None:
    many = [SourceId(f"list-{number}") for number in range(9)]

    async def before(house: House) -> None:
        house.fetcher.bodies = dict.fromkeys(many, b"192.0.2.1\n")
        house.fetcher.gate.clear()

    async def life(house: House) -> None:
        await house.fetcher.entered.wait()
        asked = asyncio.ensure_future(house.service.refresh())
        await house.announcer.until(EventName.IMPORT_STARTED, times=4)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(house.fetcher.under_way) <= 4
        house.fetcher.gate.set()
        assert len(await asked) == 9

    serve(tmp_path, config_of(*(source(source_id) for source_id in many)), life, before=before)


def test_a_refresh_polls_what_is_named_or_everything_and_refuses_what_is_not_enabled(tmp_path: Path) -> None:
    config = config_of(source(ONE), source(TWO), source(THREE, enabled=False))

    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        asked = len(house.fetcher.asked)
        assert [outcome.source_id for outcome in await house.service.refresh([TWO])] == [TWO]
        assert [outcome.source_id for outcome in await house.service.refresh()] == [ONE, TWO]
        assert len(house.fetcher.asked) == asked + 3
        for wrong in (THREE, SourceId("nobody")):
            with pytest.raises(NoSuchSourceError):
                await house.service.refresh([ONE, wrong])
        assert len(house.fetcher.asked) == asked + 3

    serve(tmp_path, config, life)


def test_to_stop_leaves_the_bans_and_tells_the_service_manager(tmp_path: Path) -> None:
    async def life(house: House) -> None:
        await house.service.refresh()

    async def after(house: House) -> None:
        assert house.banned() == {"192.0.2.1", "192.0.2.2"}
        assert house.supervisor.heard[0] == "ready"
        assert house.supervisor.heard[-1] == "stopping"
        assert "2 bans from 2 sources" in house.supervisor.heard
        assert house.announcer.names()[-1] is EventName.SERVICE_STOPPED

    serve(tmp_path, BOTH, life, after=after)


def test_to_stop_does_not_wait_for_a_server_that_does_not_answer(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.fetcher.gate.clear()

    async def life(house: House) -> None:
        await house.fetcher.entered.wait()

    async def after(house: House) -> None:
        assert house.fetcher.under_way == []
        assert house.announcer.names()[-1] is EventName.SERVICE_STOPPED

    serve(tmp_path, config_of(source(ONE)), life, before=before, after=after)


def test_what_others_tear_down_is_put_back_without_a_download(tmp_path: Path) -> None:
    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        asked = len(house.fetcher.asked)
        await house.firewall.teardown()
        repaired = await house.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["ADDED"] == 2
        assert house.banned() == {"192.0.2.1", "192.0.2.2"}
        assert len(house.fetcher.asked) == asked

    serve(tmp_path, BOTH, life, reconcile_every=0.001)


def test_a_firewall_that_cannot_be_looked_at_is_recorded_and_looked_at_again(tmp_path: Path) -> None:
    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        house.firewall.blind = True
        await house.announcer.until(EventName.SERVICE_FAULT, times=2)
        house.firewall.blind = False
        await house.firewall.teardown()
        await house.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert house.banned() == {"192.0.2.1", "192.0.2.2"}

    serve(tmp_path, BOTH, life, reconcile_every=0.001)


def test_a_ban_comes_back_when_its_allow_entry_runs_out(tmp_path: Path) -> None:
    until = dt.datetime.fromtimestamp(StandingClock().now() + 60, dt.UTC)

    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        assert house.banned() == {"192.0.2.2"}
        house.clock.time += 61
        while house.banned() != {"192.0.2.1", "192.0.2.2"}:
            house.firewall.looked.clear()
            async with asyncio.timeout(20):
                await house.firewall.looked.wait()

    config = BOTH.model_copy(update={"allow": (allow("192.0.2.1", until),)})
    serve(tmp_path, config, life, reconcile_every=0.001)


def test_a_local_list_is_read_again_when_it_changes_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("the fetcher has the words; the file has the time stamp")
    config = config_of(source(ONE, path=path))

    async def life(house: House) -> None:
        await completed(house, ONE)
        for body, count in ((b"192.0.2.8\n", 2), (b"192.0.2.9\n", 3)):
            house.fetcher.bodies[ONE] = body
            path.write_bytes(body * count)
            await house.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=count)
            assert len(house.fetcher.asked) == count
        assert house.banned() == {"192.0.2.9"}

    serve(tmp_path, config, life)


def test_a_local_list_that_changes_while_it_is_imported_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("as it was")

    async def before(house: House) -> None:
        house.fetcher.gate.clear()

    async def life(house: House) -> None:
        await house.fetcher.entered.wait()
        path.write_text("as it is now, which nobody has read")
        house.fetcher.gate.set()
        await house.announcer.until(EventName.IMPORT_SKIPPED, ONE)

    serve(tmp_path, config_of(source(ONE, path=path)), life, before=before)


def test_memory_is_given_back_after_the_start_and_after_each_import(tmp_path: Path) -> None:
    async def life(house: House) -> None:
        await completed(house, ONE, TWO)
        for address in ("192.0.2.8", "192.0.2.9"):
            assert await asyncio.to_thread(house.relief.wait, 20)
            house.relief.clear()
            house.fetcher.bodies[ONE] = address.encode() + b"\n"
            await house.service.refresh([ONE])
            assert address in house.banned()

    serve(tmp_path, BOTH, life)


def test_the_watchdog_is_fed_while_the_kernel_answers(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.supervisor.watchdog_interval = 0.003

    async def life(house: House) -> None:
        for _ in range(3):
            house.supervisor.fed.clear()
            async with asyncio.timeout(20):
                await house.supervisor.fed.wait()

    serve(tmp_path, BOTH, life, before=before)


def test_the_watchdog_is_not_fed_while_the_kernel_does_not_answer_and_is_again_when_it_does(tmp_path: Path) -> None:
    async def before(house: House) -> None:
        house.supervisor.watchdog_interval = 0.003
        house.firewall.blind = True

    async def life(house: House) -> None:
        fault = await house.announcer.until(EventName.SERVICE_FAULT, times=4)
        assert fault.fields["ERROR_CLASS"] == "FirewallError"
        assert not house.supervisor.fed.is_set()
        house.firewall.blind = False
        async with asyncio.timeout(20):
            await house.supervisor.fed.wait()

    # No source, so that every fault is the watchdog's.
    serve(tmp_path, config_of(), life, before=before)
