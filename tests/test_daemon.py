"""The loops: what is polled and when, what is repaired, who is told, and how it ends."""

import asyncio
import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd import daemon
from banlistd.core.config.model import Source
from banlistd.core.ruleset import ranking
from banlistd.core.ruleset.state import FirewallState
from banlistd.errors import FetchError, NoSuchSourceError
from banlistd.events import EventName
from banlistd.model import Outcome, OutcomeKind, SourceId
from banlistd.services.imports.queue import IMPORT_LIMIT
from support.fakes import FakeClock
from support.sources import BOTH, ONE, THREE, TWO, allow, config_of, source
from worlds import DaemonWorld, Environment, Timing, run


def test_what_is_due_is_polled_and_what_is_not_waits_until_it_is(tmp_path: Path) -> None:
    config = config_of(source(ONE, every=3600.0), source(TWO, every=7200.0))

    async def life(world: DaemonWorld) -> None:
        assert world.fetcher.polled() == [ONE]
        await world.completed(TWO)
        assert world.fetcher.polled() == [ONE, TWO]
        world.clock.time += 3600 * 1.1
        await world.service.reload()  # all timers look at the clock again
        await world.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        assert world.fetcher.polled() == [ONE, TWO, ONE]

    async def before(world: DaemonWorld) -> None:
        await world.service.refresh([ONE])

    run(Environment(tmp_path), config, life, before=before, serve=True)


def test_a_source_comes_again_when_its_interval_is_over(tmp_path: Path) -> None:
    class Running(FakeClock):
        """A day a look."""

        def monotonic(self) -> float:
            self.time += 86_400
            return self.time

    async def life(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.IMPORT_SKIPPED, ONE, times=2)

    async def before(world: DaemonWorld) -> None:
        world.scheduler._clock = Running()

    run(Environment(tmp_path), config_of(source(ONE)), life, before=before, serve=True)


def test_what_came_due_while_the_machine_slept_is_polled_soon_after_and_once(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        await world.service.refresh()

    async def life(world: DaemonWorld) -> None:
        await _let_timers_look(world)
        # asyncio's own clock has not moved meanwhile.
        world.clock.time += 86_400
        for source_id in (ONE, TWO):
            await world.announcer.until(EventName.IMPORT_SKIPPED, source_id)
        world.clock.time += 3000
        await world.service.reload()
        await _let_timers_look(world)
        assert sorted(world.fetcher.polled()) == sorted([ONE, TWO] * 2)

    run(Environment(tmp_path), BOTH, life, before=before, timing=Timing(look_every=0.005), serve=True)


def test_polls_that_were_missed_while_no_daemon_ran_are_spread_and_first_imports_wait_for_nothing(tmp_path: Path) -> None:
    environment = Environment(tmp_path)
    put_off = {ONE: 0.0, TWO: 30.0}
    timing = Timing(catch_up=lambda source_id, sources: put_off[source_id] if sources == 3 else -1e9)

    async def earlier(world: DaemonWorld) -> None:
        await world.service.refresh()

    async def life(world: DaemonWorld) -> None:
        await world.completed(THREE)
        await world.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        await world.service.reload()  # wakes all
        await _let_timers_look(world)
        assert TWO not in world.fetcher.polled()[2:]
        environment.clock.time += 30
        await world.service.reload()
        await world.announcer.until(EventName.IMPORT_SKIPPED, TWO)

    run(environment, BOTH, earlier)
    environment.clock.time += 86_400
    run(environment, config_of(*BOTH.sources, source(THREE)), life, timing=timing, serve=True)


def test_polls_that_were_missed_while_the_machine_slept_are_spread(tmp_path: Path) -> None:
    asked = asyncio.Event()

    def catch_up(source_id: SourceId, _: int) -> float:
        if source_id == TWO:
            asked.set()
        return 30.0 if source_id == TWO else 0.0

    async def before(world: DaemonWorld) -> None:
        await world.service.refresh()

    async def life(world: DaemonWorld) -> None:
        await _let_timers_look(world)
        world.clock.time += 86_400
        await world.announcer.until(EventName.IMPORT_SKIPPED, ONE)
        await asked.wait()
        await _let_timers_look(world)
        assert world.fetcher.polled()[2:] == [ONE]
        world.clock.time += 30
        await world.announcer.until(EventName.IMPORT_SKIPPED, TWO)

    run(Environment(tmp_path), BOTH, life, before=before, timing=Timing(look_every=0.005, catch_up=catch_up), serve=True)


async def _let_timers_look(world: DaemonWorld) -> None:
    """The ledger answers in turn: what an import still writes, and the questions of the timers, before the last of these."""
    for source_id in (ONE, TWO) * 8:
        await world.ledger.poll(source_id)


def test_a_server_that_asks_for_more_patience_than_the_interval_gets_it(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = FetchError("429", retry_after=80_000.0)
        await world.service.refresh([ONE])

    async def life(world: DaemonWorld) -> None:
        await world.completed(TWO)
        for times in range(1, 4):
            await _let_timers_look(world)
            world.clock.time += 20_000
            await world.announcer.until(EventName.IMPORT_SKIPPED, TWO, times)
        assert world.fetcher.polled().count(ONE) == 1
        world.clock.time += 20_001
        await world.announcer.until(EventName.IMPORT_FAILED, ONE, times=2)

    run(Environment(tmp_path), BOTH, life, before=before, timing=Timing(look_every=0.005), serve=True)


def test_an_unforeseen_fault_of_one_source_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this\nlevel=info")

    async def life(world: DaemonWorld) -> None:
        fault = await world.announcer.until(EventName.SERVICE_FAULT, ONE)
        assert fault.fields["ERROR_CLASS"] == "ZeroDivisionError"
        assert "nobody thought of this" in str(fault.fields["REASON"])
        await world.completed(TWO)
        assert world.banned() == {"192.0.2.2"}
        assert world.fetcher.polled() == [TWO]

    run(Environment(tmp_path), BOTH, life, before=before, serve=True)


def test_an_unforeseen_fault_of_one_source_ends_no_refresh(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this")
        one, two = await world.service.refresh()
        assert (one.kind, two.kind) == (OutcomeKind.FAILED, OutcomeKind.COMPLETED)
        assert "unforeseen error" in one.error
        assert world.banned() == {"192.0.2.2"}
        assert (await world.announcer.until(EventName.SERVICE_FAULT, ONE)).fields["ERROR_CLASS"] == "ZeroDivisionError"

    run(Environment(tmp_path), BOTH, life)


def test_a_source_with_a_fault_is_tried_again_after_a_while(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this")

    async def life(world: DaemonWorld) -> None:
        await world.announcer.until(EventName.SERVICE_FAULT, ONE)
        world.fetcher.faults.clear()
        world.clock.time += 1
        await world.completed(ONE)

    timing = Timing(first_retry=0.001, look_every=0.001)
    run(Environment(tmp_path), config_of(source(ONE)), life, before=before, timing=timing, serve=True)


def test_a_source_with_a_fault_waits_twice_as_long_after_each_further_one_up_to_its_interval(tmp_path: Path) -> None:
    """The fault comes before the ledger has noted the attempt."""
    delays: list[float] = []
    enough = asyncio.Event()

    async def before(world: DaemonWorld) -> None:
        def end(_: Source, outcome: Outcome) -> None:
            delays.append(outcome.delay)
            if len(delays) == 5:
                enough.set()

        world.scheduler.end = end  # type: ignore[method-assign,assignment] # so that the source is due again at once
        world.fetcher.faults[ONE] = ZeroDivisionError("nobody thought of this")

    async def life(_: DaemonWorld) -> None:
        async with asyncio.timeout(60):
            await enough.wait()

    timing = Timing(first_retry=0.001)
    run(Environment(tmp_path), config_of(source(ONE, every=0.005)), life, before=before, timing=timing, serve=True)
    assert delays[:5] == [0.001, 0.002, 0.004, 0.005, 0.005]


def test_a_source_is_never_imported_twice_at_once(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.gate.clear()

    async def life(world: DaemonWorld) -> None:
        await world.fetcher.entered.wait()  # the timer's import is under way
        asked = [asyncio.ensure_future(world.service.refresh([ONE])) for _ in range(3)]
        await asyncio.sleep(0)
        world.fetcher.gate.set()
        outcomes = [outcome for (outcome,) in await asyncio.gather(*asked)]
        assert [outcome.kind for outcome in outcomes] == [OutcomeKind.SKIPPED] * 3
        assert world.fetcher.most == {ONE: 1}
        assert len(await world.ledger.history(ONE, 10)) == 1

    run(Environment(tmp_path), config_of(source(ONE)), life, before=before, serve=True)


def test_no_more_imports_are_under_way_than_there_are_places(tmp_path: Path) -> None:
    many = [SourceId(f"list-{number}") for number in range(2 * IMPORT_LIMIT + 1)]

    async def before(world: DaemonWorld) -> None:
        world.fetcher.bodies = dict.fromkeys(many, b"192.0.2.1\n")
        world.fetcher.gate.clear()

    async def life(world: DaemonWorld) -> None:
        await world.fetcher.entered.wait()
        asked = asyncio.ensure_future(world.service.refresh())
        await world.announcer.until(EventName.IMPORT_STARTED, times=IMPORT_LIMIT)
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(world.fetcher.under_way) <= IMPORT_LIMIT
        world.fetcher.gate.set()
        assert len(await asked) == len(many)

    run(Environment(tmp_path), config_of(*(source(source_id) for source_id in many)), life, before=before, serve=True)


def test_refreshes_under_way_say_how_many_of_their_sources_are_polled(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert world.service.refreshing == (0, 0)
        async with world.service._polling.lock(TWO):
            asked = [asyncio.ensure_future(world.service.refresh(named)) for named in ([], [TWO])]
            await asyncio.sleep(0)
            assert world.service.refreshing == (0, 3)
            await world.service.refresh([ONE])  # after that of the first refresh
            assert world.service.refreshing == (1, 3)
        await asyncio.gather(*asked)
        assert world.service.refreshing == (0, 0)

    run(Environment(tmp_path), config_of(source(ONE), source(TWO)), life, serve=True)


def test_a_refresh_polls_what_is_named_or_everything_and_refuses_what_is_not_enabled(tmp_path: Path) -> None:
    config = config_of(source(ONE), source(TWO), source(THREE, enabled=False))

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        asked = len(world.fetcher.asked)
        assert [outcome.source_id for outcome in await world.service.refresh([TWO])] == [TWO]
        assert [outcome.source_id for outcome in await world.service.refresh()] == [ONE, TWO]
        assert len(world.fetcher.asked) == asked + 3
        for wrong in (THREE, SourceId("nobody")):
            with pytest.raises(NoSuchSourceError):
                await world.service.refresh([ONE, wrong])
        assert len(world.fetcher.asked) == asked + 3

    run(Environment(tmp_path), config, life, serve=True)


def test_the_bans_are_counted_once_for_imports_that_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[FirewallState] = []

    def noted(state: FirewallState) -> int:
        counted.append(state)
        return ranking.count(state)

    async def life(world: DaemonWorld) -> None:
        first, second = await world.service.refresh()
        await asyncio.sleep(0)
        counted.clear()
        for outcome in (first, second) * 5:
            world.service._note_outcome(source(ONE), outcome)
        await asyncio.sleep(0)
        assert len(counted) == 1
        assert world.environment.supervisor.heard[-1] == "2 bans from 2 sources"

    monkeypatch.setattr(daemon, "count", noted)
    run(Environment(tmp_path), BOTH, life)


def test_stop_leaves_the_bans_and_notifies_the_service_manager(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh()

    async def after(world: DaemonWorld) -> None:
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert world.environment.supervisor.heard[0] == "ready"
        assert world.environment.supervisor.heard[-1] == "stopping"
        assert "2 bans from 2 sources" in world.environment.supervisor.heard
        assert world.announcer.names()[-1] is EventName.SERVICE_STOPPED

    run(Environment(tmp_path), BOTH, life, after=after, serve=True)


def test_to_stop_does_not_wait_for_a_server_that_does_not_answer(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.fetcher.gate.clear()

    async def life(world: DaemonWorld) -> None:
        await world.fetcher.entered.wait()

    async def after(world: DaemonWorld) -> None:
        assert world.fetcher.under_way == []
        assert world.announcer.names()[-1] is EventName.SERVICE_STOPPED

    run(Environment(tmp_path), config_of(source(ONE)), life, before=before, after=after, serve=True)


def test_what_others_tear_down_is_put_back_without_a_download(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        asked = len(world.fetcher.asked)
        await world.firewall.teardown()
        repaired = await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert repaired.fields["ADDED"] == 2
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert len(world.fetcher.asked) == asked

    run(Environment(tmp_path), BOTH, life, timing=Timing(reconcile_every=0.001), serve=True)


def test_a_firewall_that_cannot_be_looked_at_is_recorded_and_looked_at_again(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        world.firewall.blind = True
        await world.announcer.until(EventName.SERVICE_FAULT, times=2)
        world.firewall.blind = False
        await world.firewall.teardown()
        await world.announcer.until(EventName.FIREWALL_DRIFT_REPAIRED)
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(Environment(tmp_path), BOTH, life, timing=Timing(reconcile_every=0.001), serve=True)


def test_a_ban_comes_back_when_its_allow_entry_runs_out(tmp_path: Path) -> None:
    until = dt.datetime.fromtimestamp(FakeClock().now() + 60, dt.UTC)

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        assert world.banned() == {"192.0.2.2"}
        world.clock.time += 61
        while world.banned() != {"192.0.2.1", "192.0.2.2"}:
            world.firewall.looked.clear()
            async with asyncio.timeout(60):
                await world.firewall.looked.wait()

    config = replace(BOTH, allow=(allow("192.0.2.1", until),))
    run(Environment(tmp_path), config, life, timing=Timing(reconcile_every=0.001), serve=True)


def test_a_local_list_is_read_again_when_it_changes_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("the fetcher has the words; the file has the time stamp")
    config = config_of(source(ONE, path=path))

    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE)
        for body, count in ((b"192.0.2.8\n", 2), (b"192.0.2.9\n", 3)):
            world.fetcher.bodies[ONE] = body
            path.with_suffix(".new").write_bytes(body * count)
            path.with_suffix(".new").rename(path)  # written in place, it would change twice
            await world.announcer.until(EventName.IMPORT_COMPLETED, ONE, times=count)
            assert len(world.fetcher.asked) == count
        assert world.banned() == {"192.0.2.9"}

    run(Environment(tmp_path), config, life, serve=True)


def test_a_local_list_that_changes_while_it_is_imported_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("as it was")

    async def before(world: DaemonWorld) -> None:
        world.fetcher.gate.clear()

    async def life(world: DaemonWorld) -> None:
        await world.fetcher.entered.wait()
        path.write_text("as it is now, which nobody has read")
        world.fetcher.gate.set()
        await world.announcer.until(EventName.IMPORT_SKIPPED, ONE)

    run(Environment(tmp_path), config_of(source(ONE, path=path)), life, before=before, serve=True)


def test_garbage_is_looked_for_after_imports_and_not_while_one_waits(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        trimmed, collected = world.environment.trimmed, world.environment.collected
        await world.completed(ONE, TWO)
        assert await asyncio.to_thread(collected.wait, 20)
        world.fetcher.gate.clear()
        world.fetcher.entered.clear()
        refresh = asyncio.ensure_future(world.service.refresh([ONE]))
        await world.fetcher.entered.wait()
        for event in (trimmed, collected, trimmed):  # a turn that began before the import may end in it
            event.clear()
            await world.service.reload()
            assert await asyncio.to_thread(trimmed.wait, 20)
        assert not collected.is_set()
        world.fetcher.gate.set()
        await refresh
        await world.service.reload()
        assert await asyncio.to_thread(collected.wait, 20)

    run(Environment(tmp_path), config_of(source(ONE), source(TWO)), life, serve=True)


def test_memory_is_given_back_after_the_start_and_after_each_import(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.completed(ONE, TWO)
        for address in ("192.0.2.8", "192.0.2.9"):
            assert await asyncio.to_thread(world.environment.trimmed.wait, 20)
            world.environment.trimmed.clear()
            world.fetcher.bodies[ONE] = address.encode() + b"\n"
            await world.service.refresh([ONE])
            assert address in world.banned()

    run(Environment(tmp_path), BOTH, life, serve=True)


def test_the_watchdog_is_fed_while_the_kernel_answers(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.environment.supervisor.watchdog_interval = 0.003

    async def life(world: DaemonWorld) -> None:
        for _ in range(3):
            world.environment.supervisor.fed.clear()
            async with asyncio.timeout(60):
                await world.environment.supervisor.fed.wait()

    run(Environment(tmp_path), BOTH, life, before=before, serve=True)


def test_the_watchdog_is_not_fed_while_the_kernel_does_not_answer_and_is_again_when_it_does(tmp_path: Path) -> None:
    async def before(world: DaemonWorld) -> None:
        world.environment.supervisor.watchdog_interval = 0.003
        world.firewall.blind = True

    async def life(world: DaemonWorld) -> None:
        fault = await world.announcer.until(EventName.SERVICE_FAULT, times=4)
        assert fault.fields["ERROR_CLASS"] == "FirewallError"
        assert not world.environment.supervisor.fed.is_set()
        world.firewall.blind = False
        async with asyncio.timeout(60):
            await world.environment.supervisor.fed.wait()

    # No source, so that every fault is the watchdog's.
    run(Environment(tmp_path), config_of(), life, before=before, serve=True)
