"""Buttons of Home Assistant: messages without a signature, for what does no harm, and at most once in a minute."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from banlistd.core.config.service.orders import Press
from banlistd.ports import Clock

REST = 60.0
"""Seconds between two presses that are carried out."""


class Presses:
    """`carry_out`: what a button asks for. Raises BanlistdError."""

    def __init__(self, allowed: Collection[Press], carry_out: Callable[[Press], Awaitable[object]], clock: Clock) -> None:
        self._allowed = allowed
        self._carry_out = carry_out
        self._clock = clock
        self._last: float | None = None
        self._is_pressing = False

    def configure(self, allowed: Collection[Press]) -> None:
        self._allowed = allowed

    async def press(self, verb: str, *, retained: bool = False) -> bool:
        """Whether a message of `press/<id>/<verb>` was carried out. Raises BanlistdError."""
        now = self._clock.monotonic()
        press = next((one for one in self._allowed if one == verb), None)
        if retained or press is None or self._is_pressing or (self._last is not None and now - self._last < REST):
            return False
        self._last, self._is_pressing = now, True
        work = asyncio.ensure_future(self._carry_out(press))
        work.add_done_callback(self._ended)
        # It goes on when the connection is lost: one that is cut again and again begins no second one.
        await asyncio.shield(work)
        return True

    def _ended(self, work: "asyncio.Future[object]") -> None:
        self._is_pressing = False
        if not work.cancelled():
            work.exception()  # retrieved, also where its caller was cancelled
