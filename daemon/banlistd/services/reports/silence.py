"""Nodes of which nothing is heard: admitted, and silent for an hour."""

import asyncio

from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock
from banlistd.ports.reports import NodeRegister

SILENT_AFTER = 3600.0
_LOOK_EVERY = 60.0

_MOST_HEARD = 20_000


class Silence:
    """Begins to count when it is made: a hub that was off has heard nothing either."""

    def __init__(self, register: NodeRegister, announcer: Announcer, clock: Clock) -> None:
        self._register = register
        self._announcer = announcer
        self._clock = clock
        self._since = clock.monotonic()
        self._heard: dict[str, float] = {}
        self._silent: set[str] = set()

    def hear(self, node: str) -> None:
        """Something came from a node."""
        self._heard.pop(node, None)
        self._heard[node] = self._clock.monotonic()
        if len(self._heard) > _MOST_HEARD:
            del self._heard[next(iter(self._heard))]

    async def turn(self) -> None:
        """Wait, and look. Raises LedgerError."""
        await asyncio.sleep(_LOOK_EVERY)
        await self.look()

    async def look(self) -> None:
        """Announce those that have become silent, and that none is any more. Raises LedgerError."""
        now, admitted_before = self._clock.monotonic(), self._clock.now() - SILENT_AFTER
        nodes = [node for node in await self._register.every() if node.suspended_at is None]
        silent = {
            node.id
            for node in nodes
            if now - self._heard.get(node.id, self._since) >= SILENT_AFTER and node.admitted_at <= admitted_before
        }
        for node_id in sorted(silent - self._silent):
            self._announcer.announce(
                Event(EventName.NODE_SILENT, f"nothing was heard of {node_id} for an hour", {"NODE": node_id})
            )
        if self._silent and not silent:
            self._announcer.announce(Event(EventName.NODE_SILENT_OVER, "no admitted node is silent any more"))
        self._silent = silent
