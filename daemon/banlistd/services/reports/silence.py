"""Nodes of which nothing is heard: admitted, and silent for an hour."""

import asyncio

from banlistd.core.fleet.reports.judging import Node
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock
from banlistd.ports.reports import NodeRegister

SILENT_AFTER = 3600.0
_LOOK_EVERY = 60.0

_MOST_HEARD = 20_000


class Silence:
    """Begins to count when it is made: a hub that was off has heard nothing either. A node that was silent before a restart
    stays so until it is heard: its notice is open.
    """

    def __init__(self, register: NodeRegister, announcer: Announcer, clock: Clock) -> None:
        self._register = register
        self._announcer = announcer
        self._clock = clock
        self._since = clock.monotonic()
        self._heard: dict[str, float] = {}
        self._was_silent = False

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
        nodes, now = await self._register.every(), self._clock.now()
        known = {node.id for node in nodes if node.silent_since is not None}
        silent = {node.id for node in nodes if node.suspended_at is None and self._is_silent(node, now - SILENT_AFTER)}
        if silent != known:
            await self._register.note_silent(silent, now)
        for node_id in sorted(silent - known):
            self._announcer.announce(
                Event(EventName.NODE_SILENT, f"nothing was heard of {node_id} for an hour", {"NODE": node_id})
            )
        if (known or self._was_silent) and not silent:
            self._announcer.announce(Event(EventName.NODE_SILENT_OVER, "no admitted node is silent any more"))
        self._was_silent = bool(silent)

    async def leave(self) -> None:
        """Nodes are no longer listened to, so none is silent. Raises LedgerError."""
        if any(node.silent_since is not None for node in await self._register.every()):
            await self._register.note_silent((), self._clock.now())
            self._announcer.announce(Event(EventName.NODE_SILENT_OVER, "this machine no longer listens to nodes"))

    def _is_silent(self, node: Node, admitted_before: float) -> bool:
        heard = self._heard.get(node.id)
        if heard is None and node.silent_since is not None:
            return True
        has_passed = self._clock.monotonic() - (self._since if heard is None else heard) >= SILENT_AFTER
        return has_passed and node.admitted_at <= admitted_before
