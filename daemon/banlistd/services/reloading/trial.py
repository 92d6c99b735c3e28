"""A configuration that is in force until it is confirmed or its time is over, and what is written down of it.

Every step is one transaction of the database. A start finds either the configuration before or the confirmed one.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.core.config.kept import Files
from banlistd.core.config.model import Config
from banlistd.core.config.reading.changes import written_changes
from banlistd.core.printing import counted
from banlistd.core.ruleset.policy import Policy
from banlistd.errors import LedgerError, RefusedError, UsageError
from banlistd.events import Event, EventName
from banlistd.model import PolicyHash, Protected, Remark
from banlistd.ports import Announcer, BootSnapshots, Clock, KeptConfigs, Storage

_ANNOUNCED = 50
"""Changes of one configuration that have an event each; a file of thousands of sources may be replaced as a whole."""


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """`before`: what comes back. `until`: on the monotonic clock; infinite while the change is carried out."""

    before: Config
    files: Files
    until: float = math.inf


class Trial:
    """At most one at a time. `remark`: why the configuration in force is not that of the files; empty if it is."""

    def __init__(self, kept: KeptConfigs, storage: Storage, clock: Clock, remark: str, announcer: Announcer) -> None:
        self._kept = kept
        self._announcer = announcer
        self._in_force: Files | None = None
        self._storage = storage
        self._clock = clock
        self._remark = remark
        self._pending: RunningTrial | None = None
        self._changed = asyncio.Event()

    @property
    def pending(self) -> RunningTrial | None:
        return self._pending

    @property
    def files(self) -> Files:
        """What the configuration in force was read from; empty while that is not known."""
        return self._pending.files if self._pending is not None else self._in_force or {}

    @property
    def is_over(self) -> bool:
        """Whether the configuration before is due."""
        return self._pending is not None and self._pending.until <= self._clock.monotonic()

    def remarks(self) -> Sequence[Remark]:
        """What the administrator should know."""
        if self._pending is not None:
            left = max(0.0, self._pending.until - self._clock.monotonic())
            words = "the configuration in force waits for its confirmation"
            return [Remark(words, f"banlistctl confirm; without it the one before comes back in {left:.0f} s")]
        hint = "banlistctl reload puts that of the files in force; banlistd --check says what it would lift"
        return [Remark(self._remark, hint)] if self._remark else []

    def refuse_another(self) -> None:
        """Raises RefusedError while a configuration waits for its confirmation."""
        if self._pending is not None:
            raise RefusedError(
                "a configuration waits for its confirmation", "banlistctl confirm, or wait until the one before is back"
            )

    async def begin(self, before: Config, files: Files) -> None:
        """Before the change: from here on, a start finds the configuration before. Raises LedgerError."""
        await self._kept.begin_trial(files)
        if self._storage.fault:
            await self._kept.end_trial(refused=False)
            raise LedgerError(f"the trial cannot be written down: {self._storage.fault}", "a reboot would not end it")
        self._pending = RunningTrial(before, files)

    async def carried_out(self, seconds: float, uid: int | None) -> None:
        """The change has been carried out, by this user, and is to be confirmed within so many seconds."""
        if self._pending is not None:
            await self._announce(self._in_force, self._pending.files, uid)
            until = self._clock.monotonic() + seconds
            self._pending = RunningTrial(self._pending.before, self._pending.files, until)
            self._changed.set()

    async def end(self, *, refused: bool) -> None:
        """The configuration before is in force again; `refused`: no start puts the other one in force. Raises LedgerError."""
        tried, self._pending = self._pending, None
        if refused:
            await self._announce(tried.files if tried else None, self._in_force or {}, None)
            if tried is not None and tried.files != self._in_force:
                self._remark = "the configuration of the files was not confirmed in time: the one before is in force"
        await self._kept.end_trial(refused=refused)

    async def confirm(self) -> None:
        """Raises UsageError if there is nothing to confirm, and LedgerError: then it was not confirmed."""
        if self._pending is None:
            raise UsageError("no configuration waits for its confirmation", "banlistctl reload --confirm 2m begins a trial")
        if self._storage.fault:
            raise LedgerError(f"the confirmation cannot be written down: {self._storage.fault}", "try again, or wait")
        self._in_force = self._pending.files
        await self.put_in_force(self._pending.files)

    async def put_in_force(self, files: Files, uid: int | None = None) -> None:
        """An administrator, this user if it is known, wants these files in force. Raises LedgerError."""
        await self._announce(self._in_force, files, uid)
        self._in_force = files
        await self._kept.put_in_force(files, confirmed=True)
        self._pending, self._remark = None, ""

    async def note_started(self, files: Files) -> None:
        """A start has put these in force. Raises LedgerError."""
        self._in_force = files
        kept = await self._kept.load()
        if kept.in_force:
            await self._announce(kept.in_force, files, None)
        if kept.tried:
            await self._kept.end_trial(refused=True)
        if kept.in_force != files:
            await self._kept.put_in_force(files, confirmed=not self._remark)

    async def wait(self, at_most: float) -> None:
        """Until a trial is over, or so many seconds have passed."""
        self._changed.clear()
        left = math.inf if self._pending is None else self._pending.until - self._clock.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(left, at_most))):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _announce(self, before: Files | None, after: Files, uid: int | None) -> None:
        """What the files change that have come into force. `before` None: it is not known."""
        if before is None or before == after:
            return
        changes = await asyncio.to_thread(written_changes, before, after)
        for change in changes[:_ANNOUNCED]:
            by = {} if uid is None else {"UID": uid}
            of = {"SOURCE_ID": change.source_id} if change.source_id else {}
            fields: dict[str, str | float] = {**of, "FILE": change.file, "LINE": change.line, **by}
            user = "" if uid is None else f", put in force by user {uid}"
            self._announcer.announce(Event(EventName.CONFIG_CHANGED, f"{change}{user}", fields))
        if (others := len(changes) - _ANNOUNCED) > 0:
            words = f"{counted(others, 'other change', 'other changes')} of the configuration"
            self._announcer.announce(Event(EventName.CONFIG_CHANGED, words))


class ConfirmedSnapshots:
    """The BootSnapshots of `ports` that keeps none of a configuration that is not confirmed: a boot restores the one before."""

    def __init__(self, snapshots: BootSnapshots, trial: Trial) -> None:
        self._snapshots = snapshots
        self._trial = trial

    async def keep(self, policy_hash: PolicyHash, policy: Policy, protected: Sequence[Protected]) -> None:
        if self._trial.pending is None:
            await self._snapshots.keep(policy_hash, policy, protected)
