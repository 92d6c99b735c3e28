"""The loops: what is polled and when, what is repaired, who is told, and how it ends."""

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from banlistd.errors import FetchError, NoSuchSourceError
from banlistd.events import EventName
from banlistd.model import OutcomeKind, SourceId
from support.fakes import StandingClock
from support.serving import BOTH, ONE, THREE, TWO, Application, allow, completed, config_of, serve, source


def test_what_is_due_is_polled_and_what_is_not_waits_until_it_is(tmp_path: Path) -> None:
    config = config_of(source(ONE, every=3600.0), source(TWO, every=7200.0))

    async def life(application: Application) -> None:
        assert application.fetcher.polled() == [ONE]
        await completed(application, TWO)
        assert application.fetcher.polled() == [ONE, TWO]
        application.clock.time += 3600 * 1.1
        await application.service.reload()  # all timers look at the clock again
        await application.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        assert application.fetcher.polled() == [ONE, TWO, ONE]

    async def before(application: Application) -> None:
        await application.service.refresh([ONE])

    serve(tmp_path, config, life, before=before)


def test_a_source_comes_again_when_its_interval_is_over(tmp_path: Path) -> None:
    class Running(StandingClock):
        """A day a look."""

        def monotonic(self) -> float:
            self.time += 86_400
            return self.time

    async def life(application: Application) -> None:
        await application.announcer.until(EventName.IMPORT_SKIPPED, ONE, times=2)

    async def before(application: Application) -> None:
        application.service._timetable._clock = Running()

    serve(tmp_path, config_of(source(ONE)), life, before=before)


def test_what_came_due_while_the_machine_slept_is_polled_soon_after_and_once(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        await application.service.refresh()

    async def life(application: Application) -> None:
        await _let_timers_look(application)
        # asyncio's own clock has not moved meanwhile.
        application.clock.time += 86_400
        for source_id in (ONE, TWO):
            await application.announcer.until(EventName.IMPORT_SKIPPED, source_id)
        application.clock.time += 3000
        await application.service.reload()
        await _let_timers_look(application)
        assert sorted(application.fetcher.polled()) == sorted([ONE, TWO] * 2)

    serve(tmp_path, BOTH, life, before=before, look_every=0.005)


async def _let_timers_look(application: Application) -> None:
    """The ledger answers in turn, the timers' questions before these."""
    for source_id in (ONE, TWO) * 2:
        await application.ledger.poll(source_id)


def test_a_server_that_asks_for_more_patience_than_the_interval_gets_it(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.fetcher.bodies[ONE] = FetchError("429", retry_after=80_000.0)
        await application.service.refresh([ONE])

    async def life(application: Application) -> None:
        await completed(application, TWO)
        for times in range(1, 4):
            await _let_timers_look(application)
            application.clock.time += 20_000
            await application.announcer.until(EventName.IMPORT_SKIPPED, TWO, times)
        assert application.fetcher.polled().count(ONE) == 1
        application.clock.time += 20_001
        await application.announcer.until(EventName.IMPORT_FAILED, ONE, times=2)

    serve(tmp_path, BOTH, life, before=before, look_every=0.005)


def test_an_unforeseen_fault_of_one_source_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this\nlevel=info")

    async def life(application: Application) -> None:
        fault = await application.announcer.until(EventName.SERVICE_FAULT, ONE)
        assert fault.fields["ERROR_CLASS"] == "ZeroDivisionError"
        assert "nobody thought of this" in str(fault.fields["REASON"])
        await completed(application, TWO)
        assert application.banned() == {"192.0.2.2"}
        assert application.fetcher.polled() == [TWO]

    serve(tmp_path, BOTH, life, before=before)


def test_a_source_with_a_fault_is_tried_again_after_a_while(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this")

    async def life(application: Application) -> None:
        await application.announcer.until(EventName.SERVICE_FAULT, ONE, times=2)
        application.fetcher.faults.clear()
        await completed(application, ONE)

    serve(tmp_path, config_of(source(ONE)), life, before=before, first_retry=0.001)


def test_a_source_is_never_imported_twice_at_once(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.fetcher.gate.clear()

    async def life(application: Application) -> None:
        await application.fetcher.entered.wait()  # the timer's import is under way
        asked = [asyncio.ensure_future(application.service.refresh([ONE])) for _ in range(3)]
        await asyncio.sleep(0)
        application.fetcher.gate.set()
        outcomes = [outcome for (outcome,) in await asyncio.gather(*asked)]
        assert [outcome.kind for outcome in outcomes] == [OutcomeKind.SKIPPED] * 3
        assert application.fetcher.most == {ONE: 1}
        assert len(await application.ledger.history(ONE, 10)) == 1

    serve(tmp_path, config_of(source(ONE)), life, before=before)


def test_no_more_than_four_imports_are_under_way(tmp_path: Path) -> None:
    many = [SourceId(f"list-{number}") for number in range(9)]

    async def before(application: Application) -> None:
        application.fetcher.bodies = dict.fromkeys(many, b"192.0.2.1\n")
        application.fetcher.gate.clear()

    async def life(application: Application) -> None:
        await application.fetcher.entered.wait()
        asked = asyncio.ensure_future(application.service.refresh())
        await application.announcer.until(EventName.IMPORT_STARTED, times=4)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(application.fetcher.under_way) <= 4
        application.fetcher.gate.set()
        assert len(await asked) == 9

    serve(tmp_path, config_of(*(source(source_id) for source_id in many)), life, before=before)


def test_a_refresh_polls_what_is_named_or_everything_and_refuses_what_is_not_enabled(tmp_path: Path) -> None:
    config = config_of(source(ONE), source(TWO), source(THREE, enabled=False))

    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        asked = len(application.fetcher.asked)
        assert [outcome.source_id for outcome in await application.service.refresh([TWO])] == [TWO]
        assert [outcome.source_id for outcome in await application.service.refresh()] == [ONE, TWO]
        assert len(application.fetcher.asked) == asked + 3
        for wrong in (THREE, SourceId("nobody")):
            with pytest.raises(NoSuchSourceError):
                await application.service.refresh([ONE, wrong])
        assert len(application.fetcher.asked) == asked + 3

    serve(tmp_path, config, life)


def test_to_stop_leaves_the_bans_and_tells_the_service_manager(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await application.service.refresh()

    async def after(application: Application) -> None:
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}
        assert application.supervisor.heard[0] == "ready"
        assert application.supervisor.heard[-1] == "stopping"
        assert "2 bans from 2 sources" in application.supervisor.heard
        assert application.announcer.names()[-1] is EventName.SERVICE_STOPPED

    serve(tmp_path, BOTH, life, after=after)


def test_to_stop_does_not_wait_for_a_server_that_does_not_answer(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.fetcher.gate.clear()

    async def life(application: Application) -> None:
        await application.fetcher.entered.wait()

    async def after(application: Application) -> None:
        assert application.fetcher.under_way == []
        assert application.announcer.names()[-1] is EventName.SERVICE_STOPPED

    serve(tmp_path, config_of(source(ONE)), life, before=before, after=after)


def test_what_others_tear_down_is_put_back_without_a_download(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        asked = len(application.fetcher.asked)
        await application.firewall.teardown()
        repaired = await application.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["ADDED"] == 2
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}
        assert len(application.fetcher.asked) == asked

    serve(tmp_path, BOTH, life, reconcile_every=0.001)


def test_a_firewall_that_cannot_be_looked_at_is_recorded_and_looked_at_again(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        application.firewall.blind = True
        await application.announcer.until(EventName.SERVICE_FAULT, times=2)
        application.firewall.blind = False
        await application.firewall.teardown()
        await application.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert application.banned() == {"192.0.2.1", "192.0.2.2"}

    serve(tmp_path, BOTH, life, reconcile_every=0.001)


def test_a_ban_comes_back_when_its_allow_entry_runs_out(tmp_path: Path) -> None:
    until = dt.datetime.fromtimestamp(StandingClock().now() + 60, dt.UTC)

    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        assert application.banned() == {"192.0.2.2"}
        application.clock.time += 61
        while application.banned() != {"192.0.2.1", "192.0.2.2"}:
            application.firewall.looked.clear()
            async with asyncio.timeout(20):
                await application.firewall.looked.wait()

    config = BOTH.model_copy(update={"allow": (allow("192.0.2.1", until),)})
    serve(tmp_path, config, life, reconcile_every=0.001)


def test_a_local_list_is_read_again_when_it_changes_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("the fetcher has the words; the file has the time stamp")
    config = config_of(source(ONE, path=path))

    async def life(application: Application) -> None:
        await completed(application, ONE)
        for body, count in ((b"192.0.2.8\n", 2), (b"192.0.2.9\n", 3)):
            application.fetcher.bodies[ONE] = body
            path.write_bytes(body * count)
            await application.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=count)
            assert len(application.fetcher.asked) == count
        assert application.banned() == {"192.0.2.9"}

    serve(tmp_path, config, life)


def test_a_local_list_that_changes_while_it_is_imported_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("as it was")

    async def before(application: Application) -> None:
        application.fetcher.gate.clear()

    async def life(application: Application) -> None:
        await application.fetcher.entered.wait()
        path.write_text("as it is now, which nobody has read")
        application.fetcher.gate.set()
        await application.announcer.until(EventName.IMPORT_SKIPPED, ONE)

    serve(tmp_path, config_of(source(ONE, path=path)), life, before=before)


def test_memory_is_given_back_after_the_start_and_after_each_import(tmp_path: Path) -> None:
    async def life(application: Application) -> None:
        await completed(application, ONE, TWO)
        for address in ("192.0.2.8", "192.0.2.9"):
            assert await asyncio.to_thread(application.relief.wait, 20)
            application.relief.clear()
            application.fetcher.bodies[ONE] = address.encode() + b"\n"
            await application.service.refresh([ONE])
            assert address in application.banned()

    serve(tmp_path, BOTH, life)


def test_the_watchdog_is_fed_while_the_kernel_answers(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.supervisor.watchdog_interval = 0.003

    async def life(application: Application) -> None:
        for _ in range(3):
            application.supervisor.fed.clear()
            async with asyncio.timeout(20):
                await application.supervisor.fed.wait()

    serve(tmp_path, BOTH, life, before=before)


def test_the_watchdog_is_not_fed_while_the_kernel_does_not_answer_and_is_again_when_it_does(tmp_path: Path) -> None:
    async def before(application: Application) -> None:
        application.supervisor.watchdog_interval = 0.003
        application.firewall.blind = True

    async def life(application: Application) -> None:
        fault = await application.announcer.until(EventName.SERVICE_FAULT, times=4)
        assert fault.fields["ERROR_CLASS"] == "FirewallError"
        assert not application.supervisor.fed.is_set()
        application.firewall.blind = False
        async with asyncio.timeout(20):
            await application.supervisor.fed.wait()

    # No source, so that every fault is the watchdog's.
    serve(tmp_path, config_of(), life, before=before)
