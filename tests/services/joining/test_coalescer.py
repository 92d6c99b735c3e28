"""Items that arrive together are carried out together, and each caller gets the result of its own."""

import asyncio
import gc
import itertools
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import pytest

from banlistd.services.joining.coalescer import Coalescer, Take


class Doubling:
    """Doubles each number of a batch. A batch waits for the `gate` before it is taken, and for the `end` afterwards."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.end = asyncio.Event()
        self.taken = asyncio.Event()
        self.batches: list[Sequence[int]] = []
        self.coalescer = Coalescer(self._double)

    async def _double(self, take: Take[int]) -> Sequence[int]:
        await self.gate.wait()
        numbers = take()
        self.batches.append(numbers)
        self.taken.set()
        await self.end.wait()
        if 0 in numbers:
            raise ZeroDivisionError
        return [2 * number for number in numbers]

    def submit(self, *numbers: int) -> asyncio.Task[Sequence[int]]:
        return asyncio.ensure_future(self.coalescer.submit(*numbers))


def run(life: Callable[[Doubling], Awaitable[None]]) -> None:
    async def live() -> None:
        async with asyncio.timeout(60):
            await life(Doubling())

    asyncio.run(live())


def test_items_join_until_the_batch_is_taken() -> None:
    async def life(doubling: Doubling) -> None:
        first, second = doubling.submit(1), doubling.submit(2, 3)
        await asyncio.sleep(0)
        doubling.gate.set()
        await doubling.taken.wait()
        third = doubling.submit(4)
        doubling.end.set()
        assert [await task for task in (first, second, third)] == [[2], [4, 6], [8]]
        assert doubling.batches == [[1, 2, 3], [4]]

    run(life)


def test_no_item_is_a_batch_too() -> None:
    async def life(doubling: Doubling) -> None:
        doubling.gate.set()
        doubling.end.set()
        assert await doubling.submit() == []
        assert doubling.batches == [[]]

    run(life)


def test_a_cancelled_caller_does_not_end_the_batch() -> None:
    async def life(doubling: Doubling) -> None:
        first, second = doubling.submit(1), doubling.submit(2)
        await asyncio.sleep(0)
        first.cancel()
        doubling.gate.set()
        doubling.end.set()
        assert await second == [4]
        assert doubling.batches == [[1, 2]]

    run(life)


def test_many_callers_get_their_results_in_several_turns_of_the_event_loop_and_in_order() -> None:
    async def life(doubling: Doubling) -> None:
        ended: list[int] = []

        def note(number: int, _: object) -> None:
            ended.append(number)

        tasks = [doubling.submit(number) for number in range(1, 1001)]
        for number, task in enumerate(tasks):
            task.add_done_callback(partial(note, number))
        doubling.gate.set()
        doubling.end.set()
        turns = set[int]()
        while len(ended) < len(tasks):
            await asyncio.sleep(0)
            turns.add(len(ended))
        assert ended == [*range(1000)]
        assert max(later - earlier for earlier, later in itertools.pairwise(sorted(turns))) <= 100
        assert [task.result() for task in tasks] == [[2 * number] for number in range(1, 1001)]

    run(life)


def test_a_batch_that_fails_without_a_caller_is_not_reported_as_unseen() -> None:
    async def life(doubling: Doubling) -> None:
        reports: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, about: reports.append(about))
        task = doubling.submit(0)
        await asyncio.sleep(0)
        task.cancel()
        doubling.gate.set()
        doubling.end.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await doubling.taken.wait()
        assert await doubling.submit(1) == [2]
        gc.collect()
        assert reports == []

    run(life)


def test_an_error_is_the_result_of_its_batch_alone() -> None:
    async def life(doubling: Doubling) -> None:
        doubling.gate.set()
        doubling.end.set()
        failed = [doubling.submit(0), doubling.submit(1)]
        for task in failed:
            with pytest.raises(ZeroDivisionError):
                await task
        assert await doubling.submit(2) == [4]

    run(life)


def test_a_batch_that_fails_before_it_is_taken_is_not_joined_later() -> None:
    async def life(_: Doubling) -> None:
        failures = [ZeroDivisionError()]

        async def work(take: Take[int]) -> Sequence[int]:
            if failures:
                raise failures.pop()
            return take()

        coalescer = Coalescer(work)
        with pytest.raises(ZeroDivisionError):
            await coalescer.submit(1)
        assert await coalescer.submit(2) == [2]

    run(life)
