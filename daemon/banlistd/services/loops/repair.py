"""Drift: repaired as soon as the firewall reports an external change, and looked for at an interval anyway."""

import asyncio
from collections.abc import Awaitable, Callable

from banlistd.core.ruleset.diff import Change
from banlistd.errors import BanlistdError
from banlistd.events import Event, EventName
from banlistd.model import ExternalChange
from banlistd.ports import Announcer, Clock
from banlistd.services.loops.faults import FaultRecorder

# The pause after a repair; doubled each time, so that two programs that undo each other's changes do not load the machine.
REPAIR_BACKOFF = 0.05


class RepairLoop:
    """`reconcile`: compares and repairs; returns the change. `on_repair`: called after a change. `every`: seconds."""

    def __init__(
        self,
        wait_for_external_change: Callable[[], Awaitable[ExternalChange]],
        reconcile: Callable[[], Awaitable[Change]],
        on_repair: Callable[[], None],
        announcer: Announcer,
        clock: Clock,
        faults: FaultRecorder,
        every: float,
    ) -> None:
        self._wait_for_external_change = wait_for_external_change
        self._reconcile = reconcile
        self._on_repair = on_repair
        self._announcer = announcer
        self._clock = clock
        self._faults = faults
        self._every = every
        # An external change that was seen and is not repaired yet.
        self._pending: ExternalChange | None = None
        self._last_listen_error = ""

    async def run(self) -> None:
        """Repair for ever; allow entries that expire are applied here too."""
        backoff = 0.0
        while True:
            await asyncio.sleep(backoff)
            drifted = await self._faults.attempt(self._turn, failed=True)
            backoff = min(max(2 * backoff, REPAIR_BACKOFF), self._every) if drifted else 0.0

    async def _turn(self) -> bool:
        """Wait and repair; whether there was drift."""
        self._pending = self._pending or await self._next_change()
        drifted = await self._repair(self._pending)
        self._pending = None
        return drifted

    async def _next_change(self) -> ExternalChange:
        """The next external change of our tables; one without a culprit when the interval is over."""
        try:
            async with asyncio.timeout(self._every):
                while not (change := await self._wait_for_external_change()).ours:
                    pass
        except TimeoutError:
            return ExternalChange()
        except BanlistdError as error:
            if str(error) != self._last_listen_error:
                self._last_listen_error = str(error)
                self._faults.record(error)
            await asyncio.sleep(self._every)
            return ExternalChange()
        return change

    async def _repair(self, external: ExternalChange) -> bool:
        began = self._clock.monotonic()
        change = await self._reconcile()
        if change.is_empty:
            return False
        self._on_repair()
        culprit = f" (changed by {external.culprit})" if external.culprit else ""
        fields: dict[str, str | int | float] = {
            "ADDED": change.added,
            "REMOVED": change.removed,
            "CULPRIT": external.culprit,
            "DURATION_MS": round(1000 * (self._clock.monotonic() - began)),
        }
        message = f"the firewall differed{culprit} and was repaired"
        self._announcer.announce(Event(EventName.FIREWALL_DRIFT_REPAIRED, message, fields))
        return True
