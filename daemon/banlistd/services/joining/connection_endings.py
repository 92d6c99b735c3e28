"""Ends the connections that changes ban newly, beside later changes.

With half a million connections that takes a second, for which the next ban would wait. What is applied meanwhile is looked for
together, so that a flood of bans does not read the connections once for each.
"""

import asyncio
from collections.abc import Sequence

from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.newly_banned import bans_any
from banlistd.model import ServiceEndpoint
from banlistd.ports import Connections
from banlistd.services.joining.coalescer import Coalescer, Take


class ConnectionEndings:
    """`Connections.end`, one at a time, for changes that come at any time. `answers`: what passes from banned addresses now."""

    def __init__(self, connections: Connections) -> None:
        self.answers: Sequence[ServiceEndpoint] = ()
        self._connections, self._lock = connections, asyncio.Lock()
        self._coalescer: Coalescer[Change, None] = Coalescer(self._end_batch)

    async def end(self, change: Change) -> None:
        """Returns when they have ended."""
        if bans_any(change):
            await self._coalescer.submit(change)

    async def wait_until_idle(self) -> None:
        """Wait until those of all changes so far have ended."""
        await self._coalescer.submit()

    async def _end_batch(self, take: Take[Change]) -> Sequence[None]:
        async with self._lock:
            changes = take()
            if changes:
                await self._connections.end(changes, self.answers)
            return [None] * len(changes)
