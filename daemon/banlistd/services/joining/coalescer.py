"""Joins the items of several callers into batches: what arrives before a batch is taken goes into the same transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

_T = TypeVar("_T")
R = TypeVar("R")

Take = Callable[[], Sequence[_T]]
"""Closes a batch and returns its items, in the order of submission; later items go into the next batch."""

_AT_ONCE = 100
"""Callers that get their results in one turn of the event loop. What 2,750 imports did next in one turn of it took 115 ms, in
which `banlistctl status` had no answer (measured).
"""


@dataclass(slots=True)
class _Batch(Generic[_T, R]):
    """`callers`: of each that waits, what ends its wait."""

    items: list[_T] = field(default_factory=list)
    callers: list[asyncio.Future[None]] = field(default_factory=list)
    task: asyncio.Task[Sequence[R]] | None = None


class Coalescer(Generic[_T, R]):
    """`carry_out` gets the `Take` of its batch, calls it once no more items may join, and returns one result for each item.

    An error that it raises is the result of every item of the batch.
    """

    def __init__(self, carry_out: Callable[[Take[_T]], Awaitable[Sequence[R]]]) -> None:
        self._carry_out = carry_out
        self._batch: _Batch[_T, R] = _Batch()

    async def submit(self, *items: _T) -> Sequence[R]:
        """The results of these items. No item: a batch is carried out all the same."""
        batch = self._batch
        at = len(batch.items)
        batch.items += items
        if batch.task is None:
            batch.task = asyncio.ensure_future(self._run(batch))
            batch.task.add_done_callback(partial(_end, batch.callers))
        caller = asyncio.get_running_loop().create_future()
        batch.callers.append(caller)
        # A batch that has begun is finished, even if its callers are cancelled.
        await caller
        return batch.task.result()[at : at + len(items)]

    async def _run(self, batch: _Batch[_T, R]) -> Sequence[R]:
        def take() -> Sequence[_T]:
            if self._batch is batch:
                self._batch = _Batch()
            return batch.items

        try:
            return await self._carry_out(take)
        finally:
            take()


def _end(callers: list[asyncio.Future[None]], task: asyncio.Task[Sequence[R]]) -> None:
    if not task.cancelled():
        task.exception()  # seen, also where all callers were cancelled: it must not be reported as never retrieved
    _release(callers)


def _release(callers: list[asyncio.Future[None]]) -> None:
    """End the wait of some, and in the next turn of the event loop that of the others, in order."""
    for caller in callers[:_AT_ONCE]:
        if not caller.done():
            caller.set_result(None)
    if left := callers[_AT_ONCE:]:
        asyncio.get_running_loop().call_soon(_release, left)
