"""The service manager's watchdog is fed while the kernel answers."""

import asyncio
from collections.abc import Awaitable, Callable

from banlistd.ports import Supervisor
from banlistd.services.loops.faults import FaultRecorder


class WatchdogLoop:
    """`look`: asks the kernel something cheap; an error means that the watchdog is not fed."""

    def __init__(self, supervisor: Supervisor, look: Callable[[], Awaitable[object]], faults: FaultRecorder) -> None:
        self._supervisor = supervisor
        self._look = look
        self._faults = faults

    async def run(self) -> None:
        """Ends at once if the service manager has no watchdog for us."""
        interval = self._supervisor.watchdog_interval
        while interval is not None:
            await self._faults.attempt(self._feed, failed=None)
            # A third: after one look that fails, the next one is still in time.
            await asyncio.sleep(interval / 3)

    async def _feed(self) -> None:
        await self._look()
        self._supervisor.alive()
