"""Drift: repaired as soon as the firewall reports an external change, and looked for at an interval anyway.

Repairs have a budget of processor time, so that a program that undoes them again and again does not load the machine.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from banlistd.control_api import Repairs
from banlistd.core.printing import counted
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.measuring.repair_counts import RepairCounts
from banlistd.core.ruleset.repair.recurring_drift import CALM, Drift, Recurrence
from banlistd.core.ruleset.repair.repair_budget import RepairBudget
from banlistd.errors import BanlistdError
from banlistd.events import Event, EventName
from banlistd.model import ExternalChange
from banlistd.ports import Announcer, Clock
from banlistd.services.loops.faults import FaultRecorder

# The pause after a repair that failed, in seconds; doubled each time.
FAILURE_PAUSE = 0.05


class RepairLoop:
    """`wait_until_idle`: returns when no other change of ours is under way. `reconcile`: compares and repairs; returns the
    change, or one since its last call that repaired drift and was made for another reason. `on_repair`: called after a change.
    `every`: seconds.
    """

    def __init__(
        self,
        wait_for_external_change: Callable[[], Awaitable[ExternalChange]],
        wait_until_idle: Callable[[], Awaitable[None]],
        reconcile: Callable[[], Awaitable[Change]],
        on_repair: Callable[[], None],
        announcer: Announcer,
        clock: Clock,
        faults: FaultRecorder,
        every: float,
    ) -> None:
        self._wait_for_external_change = wait_for_external_change
        self._wait_until_idle = wait_until_idle
        self._reconcile = reconcile
        self._on_repair = on_repair
        self._announcer = announcer
        self._clock = clock
        self._faults = faults
        self._every = every
        self._budget = RepairBudget.full(clock.monotonic())
        self._recurrence = Recurrence()
        self._counts = RepairCounts()
        # The failures of recurring drift, and when they were recorded.
        self._recorded: dict[str, float] = {}
        # An external change that was seen and is not repaired yet.
        self._pending: ExternalChange | None = None
        self._last_listen_error = ""

    @property
    def repairs(self) -> Repairs:
        """Since the start, and whether drift recurs now."""
        recurs = self._recurrence.began is not None and not self._recurrence.is_over(self._clock.monotonic())
        return Repairs(self._counts.by_program, recurs)

    async def run(self) -> None:
        """Repair for ever; allow entries that expire are applied here too."""
        pause = 0.0
        while True:
            if await self._faults.attempt(self._turn, failed=False):
                pause = 0.0
                continue
            pause = min(max(2 * pause, FAILURE_PAUSE), self._every)
            await self._pause(pause)

    async def _pause(self, seconds: float) -> None:
        """A repair fails if another program deletes the table meanwhile. Its next change ends the pause."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                change = await self._next_change(self._every)
                while not change.culprit and self._recurrence.began is None:
                    change = await self._next_change(self._every)
                self._pending = change if change.culprit else self._pending

    async def _turn(self) -> bool:
        """Wait and repair; False after a failure that was recorded already."""
        self._pending = self._pending or await self._next_change(self._every)
        await asyncio.sleep(self._budget.wait(self._clock.monotonic()))
        # An import that is being applied is no cost of the repair.
        await self._wait_until_idle()
        try:
            await self._repair(self._pending)
        except BanlistdError as error:
            culprit = self._pending.culprit
            if self._was_recorded(error, culprit):
                return False
            if culprit:
                raise type(error)(f"{error.message} (changed by {culprit})", error.hint) from error
            raise
        self._pending = None
        if self._recurrence.began is None:
            self._recorded.clear()
        return True

    def _was_recorded(self, error: BanlistdError, culprit: str) -> bool:
        """Whether drift that recurs, or is another program's, had this failure before, and not long ago; if not, it has now."""
        now = self._clock.monotonic()
        if self._recurrence.began is None and not culprit:
            return False
        if now - self._recorded.get(str(error), -CALM) < CALM:
            return True
        self._recorded[str(error)] = now
        return False

    async def _next_change(self, within: float) -> ExternalChange:
        """The next external change of our tables; one without a culprit if there is none `within` so many seconds."""
        try:
            async with asyncio.timeout(within):
                while not (change := await self._wait_for_external_change()).ours:
                    pass
        except TimeoutError:
            return ExternalChange()
        except BanlistdError as error:
            if str(error) != self._last_listen_error:
                self._last_listen_error = str(error)
                self._faults.record(error)
            await asyncio.sleep(within)
            return ExternalChange()
        return change

    async def _repair(self, external: ExternalChange) -> None:
        began = self._clock.monotonic()
        change = await self._reconcile_within_budget(began)
        now = self._clock.monotonic()
        if self._recurrence.is_over(now):
            self._end_recurrence()
        if change.is_empty:
            return
        self._on_repair()
        self._counts = self._counts.note(external.culprit)
        drift, self._recurrence = self._recurrence.note(external.culprit, now)
        match drift:
            case Drift.SINGLE:
                self._announce_repair(external, change, now - began)
            case Drift.RECURRING:
                self._announce_recurrence()
            case Drift.KNOWN:
                pass

    async def _reconcile_within_budget(self, began: float) -> Change:
        used = self._clock.processor()
        try:
            return await self._reconcile()
        finally:
            now = self._clock.monotonic()
            # Of what other threads used meanwhile, no more is counted than the repair itself can have used.
            cost = min(self._clock.processor() - used, now - began)
            self._budget = self._budget.charge(cost, now)

    def _announce_repair(self, external: ExternalChange, change: Change, seconds: float) -> None:
        culprit = f" (changed by {external.culprit})" if external.culprit else ""
        fields: dict[str, str | int | float] = {
            "ADDED": change.added,
            "REMOVED": change.removed,
            "CULPRIT": external.culprit,
            "DURATION_MS": round(1000 * seconds),
        }
        message = f"the firewall differed{culprit} and was repaired"
        self._announcer.announce(Event(EventName.FIREWALL_DRIFT_REPAIRED, message, fields))

    def _announce_recurrence(self) -> None:
        found = self._recurrence
        who = found.culprit or "another program"
        message = (
            f"{who} keeps changing the bans, which were repaired {_repairs(found)}; further "
            f"repairs are not logged until {CALM:.0f} s pass without one"
        )
        self._announcer.announce(Event(EventName.FIREWALL_DRIFT_RECURRING, message, _fields_of(found)))

    def _end_recurrence(self) -> None:
        over, self._recurrence = self._recurrence, Recurrence()
        self._recorded.clear()
        who = over.culprit or "another program"
        message = f"the bans are no longer changed by {who}: repaired {_repairs(over)}"
        self._announcer.announce(Event(EventName.FIREWALL_DRIFT_ENDED, message, _fields_of(over)))


def _repairs(found: Recurrence) -> str:
    return f"{counted(found.repairs, 'time', 'times')} within {max(1, round(found.duration))} s"


def _fields_of(found: Recurrence) -> dict[str, str | int | float]:
    return {"CULPRIT": found.culprit, "REPAIRS": found.repairs, "DURATION_MS": round(1000 * found.duration)}
