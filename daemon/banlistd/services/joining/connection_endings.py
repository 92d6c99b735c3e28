"""Ends the connections that changes ban newly, beside later changes.

With half a million connections that takes a second, for which the next ban would wait. What is applied meanwhile is looked for
together, so that a flood of bans does not read the connections once for each.
"""

import asyncio
from collections.abc import Sequence

from banlistd.core.addresses.sets import Ranges
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.newly_banned import bans_any
from banlistd.model import ServiceEndpoint
from banlistd.ports import Connections
from banlistd.services.joining.coalescer import Coalescer, Take


class ConnectionEndings:
    """`Connections.end`, one at a time, for changes that come at any time."""

    def __init__(self, connections: Connections) -> None:
        self._connections, self._answers = connections, list[ServiceEndpoint]()
        self._allowed: Ranges | None = None
        self._coalescer: Coalescer[Change, None] = Coalescer(self._end_batch)
        self._lock = asyncio.Lock()
        self._begun = set[asyncio.Future[Sequence[None]]]()

    def begin(self, change: Change, answers: Sequence[ServiceEndpoint], allowed: Ranges | None = None) -> None:
        """End those that the change bans newly. `answers`: what passes from banned addresses from now on; `allowed`: which
        IPv6 addresses do.
        """
        self._answers, self._allowed = list(answers), allowed
        if bans_any(change):
            begun = asyncio.ensure_future(self._coalescer.submit(change.without_wholes()))
            self._begun.add(begun)
            begun.add_done_callback(self._begun.discard)

    async def wait_until_idle(self) -> None:
        """Wait until those of all changes so far have ended."""
        await self._coalescer.submit()

    async def _end_batch(self, take: Take[Change]) -> Sequence[None]:
        async with self._lock:
            changes = take()
            if changes:
                await self._connections.end(changes, self._answers, self._allowed)
            return [None] * len(changes)
