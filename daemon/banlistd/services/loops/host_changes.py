"""A new address, link or route of the host, or a login: what is protected follows at once, not at the next comparison."""

import asyncio
from collections.abc import Awaitable, Callable

from banlistd.core.ruleset.diff import Change
from banlistd.errors import BanlistdError
from banlistd.services.loops.faults import FaultRecorder

# Between two turns, in seconds: a link that flaps does not load the machine.
FOLLOW_PAUSE = 0.2


class HostChangeLoop:
    """`reconcile`: brings the firewall up to date. `every`: seconds after which it is tried again to watch the host."""

    def __init__(
        self,
        wait_for_change: Callable[[], Awaitable[None]],
        reconcile: Callable[[], Awaitable[Change]],
        on_repair: Callable[[], None],
        faults: FaultRecorder,
        every: float,
    ) -> None:
        self._wait_for_change = wait_for_change
        self._reconcile = reconcile
        self._on_repair = on_repair
        self._faults = faults
        self._every = every
        self._last_error = ""

    async def run(self) -> None:
        """Follow the host for ever."""
        while True:
            try:
                await self._wait_for_change()
            except BanlistdError as error:
                if str(error) != self._last_error:
                    self._last_error = str(error)
                    self._faults.record(error)
                await asyncio.sleep(self._every)
            await self._faults.attempt(self._follow, failed=None)
            await asyncio.sleep(FOLLOW_PAUSE)

    async def _follow(self) -> None:
        change = await self._reconcile()
        if not change.is_empty:
            self._on_repair()
