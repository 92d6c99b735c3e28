"""Items that arrive together are carried out together, and each caller gets the result of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from banlistd.services.coalescer import Coalescer, Take


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
