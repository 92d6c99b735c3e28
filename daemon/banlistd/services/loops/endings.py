"""What ends by itself, without a poll: looked for at an interval, in every source that has such a thing."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from banlistd.core.config.model import Source
from banlistd.model import Outcome, SourceId
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.reloading.live_config import LiveConfig


class SourceEndings(Protocol):
    """What the loop asks of the `Endings`."""

    async def due(self, sources: Iterable[Source]) -> Sequence[Source]:
        """Those of which something may be over by now."""

    async def apply(self, source: Source) -> Outcome | None:
        """End what is over by now, in an import run; None: nothing is. No other import of the source may be under way."""


class EndingLoop:
    """`is_suspended`: nothing of such a source ends. `lock`: locked during each import of a source.
    `on_outcome`: called after each run. `every`: seconds.
    """

    def __init__(
        self,
        live: LiveConfig,
        lock: Callable[[SourceId], asyncio.Lock],
        endings: SourceEndings,
        is_suspended: Callable[[SourceId], object],
        on_outcome: Callable[[Source, Outcome], None],
        faults: FaultRecorder,
        every: float,
    ) -> None:
        self._live = live
        self._lock = lock
        self._endings = endings
        self._is_suspended = is_suspended
        self._on_outcome = on_outcome
        self._faults = faults
        self._every = every

    async def turn(self) -> None:
        """Look at every source once, and wait. One that is imported now has its turn later."""
        for source in await self._endings.due(list(self._live.enabled.values())):
            if not self._lock(source.id).locked() and not self._is_suspended(source.id):
                async with self._lock(source.id):
                    apply = partial(self._endings.apply, source)
                    outcome = await self._faults.attempt(apply, failed=None, source_id=source.id)
                if outcome is not None:
                    self._on_outcome(source, outcome)
        await asyncio.sleep(self._every)
