"""What a node does when it hears over MQTT that its fleet has something new: it polls, after a random part of `spread`."""

import asyncio
from collections.abc import Awaitable, Callable

from banlistd.core.mqtt.bell import rung_version
from banlistd.errors import BanlistdError

BELL_REST = 10.0
"""Seconds between two pulls that a bell causes: all who may publish there can ring as often as they like."""


class Bell:
    """`known`: the version of the newest timestamp that was verified. `poll`: the lists of the fleet. `jitter`: seconds,
    another number each time. `monotonic`: a clock.
    """

    def __init__(
        self,
        known: Callable[[], Awaitable[int]],
        poll: Callable[[], Awaitable[object]],
        jitter: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._known = known
        self._poll = poll
        self._jitter = jitter
        self._monotonic = monotonic
        self._rung = self._answered = 0
        self._polled_at = -BELL_REST
        self._task: asyncio.Task[None] | None = None

    def ring(self, payload: bytes) -> None:
        """Never blocks. Foreign bytes: at worst there is a poll in vain."""
        version = rung_version(payload)
        if version is None:
            return
        self._rung = version
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._answer())

    async def end(self) -> None:
        """Give up a poll that waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _answer(self) -> None:
        while self._rung != self._answered:
            version = self._rung
            try:
                if version != await self._known():
                    await asyncio.sleep(max(self._jitter(), self._polled_at + BELL_REST - self._monotonic()))
                    self._polled_at = self._monotonic()
                    version = self._rung
                    await self._poll()
            except BanlistdError:
                pass  # the events of the sources say what has failed
            self._answered = version
