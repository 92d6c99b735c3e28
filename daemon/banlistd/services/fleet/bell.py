"""What a node does when it hears over MQTT that its fleet has something new: it polls, after a random part of `spread`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from banlistd.core.fleet.trust import FleetState
from banlistd.core.mqtt.bell import rung_version
from banlistd.errors import BanlistdError

BELL_REST = 10.0
"""Seconds between two pulls that a bell causes: all who may publish there can ring as often as they like."""

LOOK_AGAIN = (10.0, 20.0, 40.0, 80.0, 160.0)
"""Seconds after a poll whose mirror was proven and did not have the version yet: copies and caches come later than the bell."""


class Bell:
    """`known`: what was verified. `poll`: the lists of the fleet. `jitter`: seconds, another number each time. `monotonic`: a
    clock.
    """

    def __init__(
        self,
        known: Callable[[], Awaitable[FleetState]],
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
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ring(self, payload: bytes) -> None:
        """Never blocks. Foreign bytes: at worst there is a poll in vain."""
        version = rung_version(payload)
        if version is None:
            return
        if version != self._rung:
            self._news.set()
        self._rung = version
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._answer())

    async def end(self) -> None:
        """Give up a poll that waits."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _answer(self) -> None:
        while (version := self._rung) != self._answered:
            with suppress(BanlistdError):  # the events of the sources say what has failed
                version = await self._look_for(version)
            self._answered = version

    async def _look_for(self, version: int) -> int:
        """Poll, and again where the mirrors are behind, until the bell rings anew; the version that was looked for last."""
        before = await self._known()
        if before.timestamp_version == version:
            return version
        await asyncio.sleep(self._jitter())
        for pause in (*LOOK_AGAIN, None):
            await asyncio.sleep(self._polled_at + BELL_REST - self._monotonic())
            self._polled_at = self._monotonic()
            version = self._rung
            self._news.clear()
            await self._poll()
            after = await self._known()
            # Where no mirror answered, or every list waits for its time, their own polls go on.
            is_behind = after.floor > before.floor and after.timestamp_version < version
            if pause is None or not is_behind or await self._rings_within(pause):
                break
            before = after
        return version

    async def _rings_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
                return True
        return False
