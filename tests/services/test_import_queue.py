"""Imports that are ready together share a plan, and none waits for long."""

import asyncio
from collections.abc import Sequence
from typing import cast

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.diff import Change
from banlistd.model import ContentHash, SourceId
from banlistd.services.imports.needs import ListEnforcer
from banlistd.services.imports.queue import IMPORT_LIMIT, ImportQueue
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


def queue_for(plans: Plans) -> ImportQueue:
    return ImportQueue(cast("ListEnforcer", plans))


async def imported(queue: ImportQueue, number: int) -> tuple[int, int]:
    source_id = SourceId(f"s{number}")
    async with queue.place(source_id):
        await asyncio.sleep(0)
        return await queue.enforce(Content(source_id, ContentHash("0" * 64), AddressSet.none()))


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


def test_a_fault_of_a_plan_is_that_of_each_import_in_it() -> None:
    class Failing(Plans):
        async def enforce_all(self, contents: Sequence[Content]) -> Change:
            raise OSError("the kernel said no")

    async def life() -> None:
        queue = queue_for(Failing())
        results = await asyncio.gather(*(imported(queue, number) for number in range(20)), return_exceptions=True)
        assert {type(result) for result in results} == {OSError}

    asyncio.run(life())
