"""The way of imports to the firewall: some are prepared at a time, and all that are ready together go into one plan.

A plan costs as much as the whole ruleset, whether one source is new in it or a thousand. So imports that are ready wait for
those that are still being prepared, but not for longer than `_SHARE` times what the last plan and its transaction took: however
many sources there are, planning takes a bounded share of the time. An import that no other one follows waits for nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from banlistd.core.feeds.content import Content
from banlistd.model import SourceId
from banlistd.services.coalescer import Coalescer, Take
from banlistd.services.imports.needs import ListEnforcer

IMPORT_LIMIT = 8
"""Imports that are prepared side by side: enough to wait for slow servers together. Two lists are parsed at a time.

*Measured* with 1,000 lists of 100 entries on two cores: 12.4 s with four, 10.0 with eight, 9.9 with sixteen.
"""

_SHARE = 8.0
_LONGEST = 5.0
"""Seconds: a plan of 5,000 sources takes 0.7 (measured)."""


class ImportQueue:
    """For imports that run side by side, each of another source."""

    def __init__(self, enforcer: ListEnforcer) -> None:
        self._enforcer = enforcer
        self._places = asyncio.Semaphore(IMPORT_LIMIT)
        self._preparing: set[SourceId] = set()
        self._waiting = 0
        self._all_ready = asyncio.Event()
        self._batches: Coalescer[Content, tuple[int, int]] = Coalescer(self._carry_out)
        self._lock = asyncio.Lock()
        self._rest_until = 0.0

    @asynccontextmanager
    async def place(self, source_id: SourceId) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the content of the source is ready, or its import ends."""
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        self._preparing.add(source_id)
        try:
            yield
        finally:
            self._leave(source_id)

    async def enforce(self, content: Content) -> tuple[int, int]:
        """Apply the content of a source with that of others; returns its elements added and removed. Raises FirewallError."""
        self._leave(content.source_id)
        (counts,) = await self._batches.submit(content)
        return counts

    def _leave(self, source_id: SourceId) -> None:
        if source_id in self._preparing:
            self._preparing.discard(source_id)
            self._places.release()
        if not self._preparing and not self._waiting:
            self._all_ready.set()

    async def _carry_out(self, take: Take[Content]) -> Sequence[tuple[int, int]]:
        async with self._lock:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._rest_until):
                    await self._until_all_are_ready()
            contents = take()
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                change = await self._enforcer.enforce_all(contents)
            finally:
                self._rest_until = loop.time() + min(_LONGEST, _SHARE * (loop.time() - began))
            counts = change.counts()
            return [counts.get(content.source_id, (0, 0)) for content in contents]

    async def _until_all_are_ready(self) -> None:
        while self._preparing or self._waiting:
            self._all_ready.clear()
            await self._all_ready.wait()
