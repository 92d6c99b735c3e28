"""The loop that repairs, against a program that deletes the bans again and again; in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import cycle, repeat
from typing import Any

from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.repair.recurring_drift import CALM, RECURRING
from banlistd.core.ruleset.repair.repair_budget import REPAIR_BURST, REPAIR_SHARE
from banlistd.errors import FirewallError
from banlistd.events import EventName
from banlistd.model import ExternalChange
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.loops.repair import RepairLoop
from support.fakes import FakeAnnouncer
from support.virtual_time import run_in_virtual_time

EVERY = 10.0
LOST = Change((), reshape=True, replace=True, maps=(), allowed=None, markers=(), retired=())
NOTHING = Change((), reshape=False, replace=False, maps=(), allowed=None, markers=(), retired=())


def now() -> float:
    return asyncio.get_running_loop().time()


class Contested:
    """A firewall whose bans another program deletes; the Clock of the loop that repairs it as well.

    `cost`: processor seconds of a repair; `duration`: seconds, more than `cost` on a busy machine. `used_by_others`: processor
    seconds of other threads meanwhile. `at_once`: whether a deletion is reported.
    """

    def __init__(self, cost: float, *, duration: float = 0.0, used_by_others: float = 0.0, at_once: bool = True) -> None:
        self.cost = cost
        self.used = 0.0
        self.fails: Iterator[bool] = repeat(False)
        self.repairs = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.restored = asyncio.Event()
        self.restored.set()
        self.announcer = FakeAnnouncer()
        self._duration = duration or cost
        self._used_by_others = used_by_others
        self._at_once = at_once
        self._gone = self._gone_since = 0.0
        self._deletions: asyncio.Queue[ExternalChange] = asyncio.Queue()

    @property
    def gone(self) -> float:
        """Seconds without bans so far."""
        return self._gone + (0.0 if self.restored.is_set() else now() - self._gone_since)

    def now(self) -> float:
        return now()

    def monotonic(self) -> float:
        return now()

    def processor(self) -> float:
        return self.used

    def delete(self, number: int = 0) -> None:
        if self.restored.is_set():
            self.restored.clear()
            self._gone_since = now()
        if self._at_once:
            self.report(number)

    def report(self, number: int = 0) -> None:
        self._deletions.put_nowait(ExternalChange(f"nft[{number}]"))

    async def delete_every(self, period: float, seconds: float) -> None:
        for number in range(round(seconds / period)):
            self.delete(number)
            await asyncio.sleep(period)

    async def reconcile(self) -> Change:
        await self.idle.wait()
        await asyncio.sleep(self._duration)
        self.used += self.cost + self._used_by_others
        if next(self.fails):
            raise FirewallError("the kernel said no")
        if self.restored.is_set():
            return NOTHING
        self._gone = self.gone
        self.restored.set()
        self.repairs += 1
        return LOST

    def names(self) -> list[EventName]:
        return self.announcer.names()

    @asynccontextmanager
    async def repaired(self) -> AsyncIterator[None]:
        """While the loop runs."""
        faults = FaultRecorder(self.announcer)
        loop = RepairLoop(
            self._deletions.get, self._until_idle, self.reconcile, lambda: None, self.announcer, self, faults, EVERY
        )
        running = asyncio.ensure_future(loop.run())
        try:
            yield
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def _until_idle(self) -> None:
        await self.idle.wait()


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_in_virtual_time(test())

    return run


@in_virtual_time
async def test_a_repair_below_the_share_comes_at_once_however_often() -> None:
    firewall = Contested(cost=0.02)
    async with firewall.repaired():
        await firewall.delete_every(1.0, 600)
    assert firewall.gone < 0.021 * 600


@in_virtual_time
async def test_repairs_use_no_more_than_their_share_against_a_faster_program() -> None:
    firewall = Contested(cost=0.3)
    async with firewall.repaired():
        await firewall.delete_every(0.05, 600)
        used = firewall.used
    assert REPAIR_SHARE * 599 <= used <= REPAIR_SHARE * 600 + REPAIR_BURST + firewall.cost


@in_virtual_time
async def test_looks_that_find_nothing_are_paid_for_as_well() -> None:
    firewall = Contested(cost=0.3)
    async with firewall.repaired():
        for _ in range(12_000):
            firewall.report()
            await asyncio.sleep(0.05)
        used = firewall.used
    assert used <= REPAIR_SHARE * 600 + REPAIR_BURST + firewall.cost
    assert firewall.names() == []


@in_virtual_time
async def test_repairs_that_fail_are_paid_for_as_well() -> None:
    firewall = Contested(cost=8.0)
    firewall.fails = repeat(True)
    async with firewall.repaired():
        firewall.delete()
        await asyncio.sleep(600)
        used = firewall.used
    assert used <= REPAIR_SHARE * 600 + REPAIR_BURST + firewall.cost


@in_virtual_time
async def test_after_a_peace_a_repair_is_at_once_again() -> None:
    firewall = Contested(cost=0.3)
    async with firewall.repaired():
        await firewall.delete_every(0.05, 60)
        await asyncio.sleep(60)
        began = now()
        firewall.delete()
        await firewall.restored.wait()
        assert now() - began < 0.31


@in_virtual_time
async def test_what_an_import_uses_meanwhile_is_not_the_cost_of_the_repair() -> None:
    firewall = Contested(cost=0.01)
    async with firewall.repaired():
        firewall.idle.clear()
        firewall.delete()
        await asyncio.sleep(5)
        firewall.used += 5
        firewall.idle.set()
        await firewall.restored.wait()
        began = now()
        firewall.delete()
        await firewall.restored.wait()
        assert now() - began < 0.02


@in_virtual_time
async def test_of_what_other_threads_use_a_repair_is_charged_no_more_than_its_own_duration() -> None:
    firewall = Contested(cost=0.02, used_by_others=100.0)
    async with firewall.repaired():
        await firewall.delete_every(1.0, 60)
    assert firewall.gone < 0.021 * 60


@in_virtual_time
async def test_the_time_that_a_busy_machine_gives_to_other_programs_is_no_cost() -> None:
    firewall = Contested(cost=0.02, duration=0.5)
    async with firewall.repaired():
        await firewall.delete_every(1.0, 60)
    assert firewall.repairs == 60


@in_virtual_time
async def test_recurring_drift_is_one_event_with_the_culprit_and_its_end_another() -> None:
    firewall = Contested(cost=0.02)
    async with firewall.repaired():
        await firewall.delete_every(1.0, 600)
        single = [EventName.FIREWALL_DRIFT_REPAIRED] * (RECURRING - 1)
        assert firewall.names() == [*single, EventName.FIREWALL_DRIFT_RECURRING]
        begun = firewall.announcer.events[-1]
        assert (begun.fields["CULPRIT"], begun.fields["REPAIRS"]) == ("nft[3]", RECURRING)
        assert begun.message.startswith("nft[3] keeps changing the bans, which were repaired 4 times within 3 s")
        await asyncio.sleep(CALM + EVERY)
        assert firewall.names() == [*single, EventName.FIREWALL_DRIFT_RECURRING, EventName.FIREWALL_DRIFT_ENDED]
        ended = firewall.announcer.events[-1]
        assert (ended.fields["CULPRIT"], ended.fields["REPAIRS"]) == ("nft[599]", 600)
        firewall.delete()
        await firewall.restored.wait()
        await asyncio.sleep(EVERY)
        assert firewall.names()[-1] is EventName.FIREWALL_DRIFT_REPAIRED


@in_virtual_time
async def test_a_backend_without_notices_finds_it_at_its_looks_and_names_no_program() -> None:
    firewall = Contested(cost=0.02, at_once=False)
    async with firewall.repaired():
        await firewall.delete_every(1.0, 100)
        begun = firewall.announcer.events[-1]
    assert begun.name is EventName.FIREWALL_DRIFT_RECURRING
    assert begun.fields["CULPRIT"] == ""
    assert begun.message.startswith("another program keeps changing the bans")


@in_virtual_time
async def test_repairs_that_recurring_drift_lets_fail_are_tried_again_at_once_and_recorded_once() -> None:
    firewall = Contested(cost=0.001)
    async with firewall.repaired():
        await firewall.delete_every(0.1, 10)
        firewall.fails = cycle([*[True] * 9, False])
        before = firewall.repairs
        await firewall.delete_every(0.1, 600)
        assert firewall.repairs - before > 500
        assert firewall.names().count(EventName.SERVICE_FAULT) == 600 // CALM
        assert EventName.FIREWALL_DRIFT_ENDED not in firewall.names()


@in_virtual_time
async def test_a_firewall_that_cannot_be_repaired_any_more_is_recorded_again_and_not_called_calm() -> None:
    firewall = Contested(cost=0.001)
    async with firewall.repaired():
        await firewall.delete_every(1.0, 10)
        firewall.fails = repeat(True)
        await asyncio.sleep(10 * CALM)
        assert 9 <= firewall.names().count(EventName.SERVICE_FAULT) <= 10
        assert EventName.FIREWALL_DRIFT_ENDED not in firewall.names()
        assert firewall.used < 1


@in_virtual_time
async def test_repairs_that_fail_from_the_first_change_on_are_tried_again_at_each_and_recorded_once() -> None:
    firewall = Contested(cost=0.001)
    async with firewall.repaired():
        firewall.fails = repeat(True)
        await firewall.delete_every(1.0, 60)
        assert firewall.used >= 60 * firewall.cost
        assert firewall.names() == [EventName.SERVICE_FAULT]
        assert "the kernel said no (changed by nft[0])" in firewall.announcer.events[0].message
        firewall.fails = repeat(False)
        firewall.delete()
        await asyncio.sleep(0.1)
        assert firewall.restored.is_set()


@in_virtual_time
async def test_a_failure_that_another_program_is_no_reason_for_is_tried_again_less_and_less() -> None:
    firewall = Contested(cost=0.001, at_once=False)
    async with firewall.repaired():
        firewall.fails = repeat(True)
        firewall.delete()
        await asyncio.sleep(20 * EVERY)
        assert firewall.used < 30 * firewall.cost
