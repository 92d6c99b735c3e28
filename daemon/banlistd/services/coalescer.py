"""Joins the items of several callers into batches: what arrives before a batch is taken goes into the same transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_T = TypeVar("_T")
R = TypeVar("R")

Take = Callable[[], Sequence[_T]]
"""Closes a batch and returns its items, in the order of submission; later items go into the next batch."""


@dataclass(slots=True)
class _Batch(Generic[_T, R]):
    items: list[_T] = field(default_factory=list)
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
        # A batch that has begun is finished, even if its callers are cancelled.
        results = await asyncio.shield(batch.task)
        return results[at : at + len(items)]

    async def _run(self, batch: _Batch[_T, R]) -> Sequence[R]:
        def take() -> Sequence[_T]:
            if self._batch is batch:
                self._batch = _Batch()
            return batch.items

        try:
            return await self._carry_out(take)
        finally:
            take()
