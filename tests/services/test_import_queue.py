"""Imports that are ready together share a plan, and none waits for long."""

import asyncio
import itertools
from collections.abc import Collection, Sequence
from typing import cast

import pytest

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content, Pending
from banlistd.core.ruleset.diff import Change
from banlistd.errors import FirewallError, LedgerError
from banlistd.model import ContentHash, ImportRun, PolicyHash, RunState, SourceId
from banlistd.ports import Ledger
from banlistd.services.imports.needs import ListEnforcer
from banlistd.services.imports.queue import IMPORT_LIMIT, MOST_SLOW, SLOW, TOGETHER, ImportQueue
from support.fakes import FakeClock
from support.virtual_time import run_in_virtual_time

NOTHING = Change((), reshape=False, replace=False, maps=(), allowed=None, markers=(), retired=())


class Plans:
    """The part of the enforcer that is asked. `open`: lets a plan end."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.open = asyncio.Event()
        self.began = asyncio.Event()

    async def enforce_all(self, contents: Sequence[Content]) -> Change:
        self.sizes.append(len(contents))
        self.began.set()
        await self.open.wait()
        return NOTHING


class Runs:
    """The part of the ledger that is asked. `full`: sources whose runs it cannot take."""

    def __init__(self, full: Collection[SourceId] = ()) -> None:
        self.failed: list[tuple[SourceId, str]] = []
        self._full = full

    async def upsert_pending(self, pending: Pending, now: float) -> ImportRun:
        await asyncio.sleep(0)
        if pending.source_id in self._full:
            raise LedgerError("the disk is full")
        return ImportRun(
            1, pending.source_id, pending.content_hash, RunState.PENDING, 1, 1, 0, 0, 0, 0, "", PolicyHash(""), now, None
        )

    async def mark_failed(self, run: ImportRun, error: str, now: float) -> None:
        self.failed.append((run.source_id, error))


def queue_for(plans: Plans, runs: Runs | None = None) -> ImportQueue:
    return ImportQueue(cast("ListEnforcer", plans), cast("Ledger", runs or Runs()), FakeClock())


def pending_of(source_id: SourceId, snapshot: bytes = b"") -> Pending:
    return Pending(source_id, ContentHash("0" * 64), PolicyHash(""), 0, 0, snapshot)


async def imported(queue: ImportQueue, number: int) -> tuple[int, int]:
    source_id = SourceId(f"s{number}")
    async with queue.place(source_id):
        await asyncio.sleep(0)
        _, added, removed = await queue.apply(pending_of(source_id), AddressSet.none())
        return added, removed


def test_all_that_are_ready_while_a_plan_is_carried_out_go_into_the_next_one() -> None:
    async def life() -> None:
        plans = Plans()
        queue = queue_for(plans)
        first = asyncio.ensure_future(imported(queue, 0))
        await plans.began.wait()
        others = [asyncio.ensure_future(imported(queue, number)) for number in range(1, 1000)]
        await asyncio.sleep(0.1)
        plans.open.set()
        assert await asyncio.gather(first, *others) == [(0, 0)] * 1000
        assert plans.sizes == [1, 999]

    run_in_virtual_time(life())


def test_a_place_is_free_again_once_its_content_is_ready() -> None:
    async def life() -> None:
        plans = Plans()
        queue = queue_for(plans)
        waiting = [asyncio.ensure_future(imported(queue, number)) for number in range(3 * IMPORT_LIMIT)]
        await plans.began.wait()
        async with asyncio.timeout(60), queue.place(SourceId("late")):
            plans.open.set()
        await asyncio.gather(*waiting)

    asyncio.run(life())


def test_a_plan_waits_for_an_import_that_is_prepared_but_not_for_long() -> None:
    async def life() -> None:
        plans = Plans()
        queue = queue_for(plans)
        slow = asyncio.ensure_future(imported(queue, 0))
        await plans.began.wait()
        await asyncio.sleep(0.02)
        plans.open.set()
        await slow
        loop = asyncio.get_running_loop()
        async with queue.place(SourceId("slow")):
            began = loop.time()
            await imported(queue, 1)
            assert 0.03 < loop.time() - began < 2
        began = loop.time()
        await imported(queue, 2)  # no other one is prepared
        assert loop.time() == began

    run_in_virtual_time(life())


def test_a_fault_of_a_plan_is_that_of_each_import_in_it_and_of_its_run() -> None:
    class Failing(Plans):
        async def enforce_all(self, contents: Sequence[Content]) -> Change:
            raise FirewallError("the kernel said no")

    async def life() -> None:
        runs = Runs()
        queue = queue_for(Failing(), runs)
        results = await asyncio.gather(*(imported(queue, number) for number in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {FirewallError}
        assert sorted(runs.failed) == sorted((SourceId(f"s{number}"), "the kernel said no") for number in range(20))

    asyncio.run(life())


def test_a_content_without_a_run_is_not_applied_and_keeps_no_other_one_from_it() -> None:
    async def life() -> None:
        plans = Plans()
        plans.open.set()
        queue = queue_for(plans, Runs(full=[SourceId("s1"), SourceId("s2")]))
        first, *others = await asyncio.gather(*(imported(queue, number) for number in range(4)), return_exceptions=True)
        assert [type(result) for result in (first, *others)] == [tuple, LedgerError, LedgerError, tuple]
        assert sum(plans.sizes) == 2

    asyncio.run(life())


def test_a_long_snapshot_is_written_before_its_import_waits_for_others() -> None:
    async def life() -> None:
        plans = Plans()
        queue = queue_for(plans, Runs(full=[SourceId("long")]))
        first = asyncio.ensure_future(imported(queue, 0))
        await plans.began.wait()
        async with queue.place(SourceId("long")):
            with pytest.raises(LedgerError):
                await queue.apply(pending_of(SourceId("long"), bytes(100_000)), AddressSet.none())
        plans.open.set()
        await first
        assert plans.sizes == [1]

    asyncio.run(life())


def test_where_many_wait_several_begin_together_and_none_is_left() -> None:
    async def life() -> None:
        queue = queue_for(Plans())
        begun: list[int] = []
        may_end = [asyncio.Event() for _ in range(2 * IMPORT_LIMIT + 3)]

        async def prepared(number: int) -> None:
            async with queue.place(SourceId(f"s{number}")):
                begun.append(number)
                await may_end[number].wait()

        tasks = [asyncio.ensure_future(prepared(number)) for number in range(len(may_end))]
        await asyncio.sleep(0)
        sizes = []
        for number, end in enumerate(may_end):
            end.set()
            await tasks[number]
            await asyncio.sleep(0)
            sizes.append(len(begun))
        rises = [after - before for before, after in itertools.pairwise([IMPORT_LIMIT, *sizes]) if after > before]
        assert sum(rises) == IMPORT_LIMIT + 3
        assert rises[0] == TOGETHER
        assert begun == sorted(begun)

    asyncio.run(life())


def test_imports_that_wait_for_servers_keep_no_other_one_from_beginning() -> None:
    async def life() -> None:
        queue = queue_for(Plans())
        may_end, begun = asyncio.Event(), list[int]()

        async def waiting(number: int) -> None:
            async with queue.place(SourceId(f"s{number}")):
                begun.append(number)
                await may_end.wait()

        tasks = [asyncio.ensure_future(waiting(number)) for number in range(2 * IMPORT_LIMIT + MOST_SLOW)]
        await asyncio.sleep(SLOW / 2)
        assert len(begun) == IMPORT_LIMIT
        await asyncio.sleep(100 * SLOW)
        assert len(begun) == IMPORT_LIMIT + MOST_SLOW
        may_end.set()
        await asyncio.gather(*tasks)
        tasks = [asyncio.ensure_future(waiting(number)) for number in range(2 * IMPORT_LIMIT)]
        await asyncio.gather(*tasks)
        may_end.clear()
        begun.clear()
        tasks = [asyncio.ensure_future(waiting(number)) for number in range(2 * IMPORT_LIMIT)]
        await asyncio.sleep(SLOW / 2)
        assert len(begun) == IMPORT_LIMIT
        may_end.set()
        await asyncio.gather(*tasks)

    run_in_virtual_time(life())


def test_an_import_that_is_cancelled_while_it_waits_leaves_its_place_to_others() -> None:
    async def life() -> None:
        queue = queue_for(Plans())
        may_end = asyncio.Event()

        async def prepared(number: int) -> int:
            async with queue.place(SourceId(f"s{number}")):
                await may_end.wait()
            return number

        tasks = [asyncio.ensure_future(prepared(number)) for number in range(IMPORT_LIMIT + 12)]
        await asyncio.sleep(0)
        for task in tasks[IMPORT_LIMIT : IMPORT_LIMIT + 6]:
            task.cancel()
        tasks[0].cancel()
        may_end.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        ended = [result for result in results if isinstance(result, int)]
        assert len(ended) == IMPORT_LIMIT + 12 - 7

    asyncio.run(life())


def test_all_imports_end_when_they_are_cancelled_together() -> None:
    async def life() -> None:
        queue = queue_for(Plans())

        async def prepared(number: int) -> None:
            async with queue.place(SourceId(f"s{number}")):
                await asyncio.Event().wait()

        tasks = [asyncio.ensure_future(prepared(number)) for number in range(5 * IMPORT_LIMIT)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
        async with queue.place(SourceId("one-more")):
            pass

    asyncio.run(life())
