"""A timer for each enabled source, and the import of one source at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from banlistd.control_api import RefreshProgress
from banlistd.core.config.combining.sources import allowing_first, import_waves
from banlistd.core.config.model import Source
from banlistd.core.feeds.guards import waits
from banlistd.errors import BanlistdError
from banlistd.model import Outcome, OutcomeKind, SourceId
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.reloading.live_config import LiveConfig

_LOG = logging.getLogger(__name__)

_UNFORESEEN = "an unforeseen error (the journal says which: this is a fault of banlistd, report it)"

_TOGETHER, _APART = 25, 0.02
"""Timers that begin at the same time, and seconds between two such groups. The first steps of 5,000 take the event loop half a
second, and `banlistctl status` waits for each turn of it: that took 0.3 to 0.5 s with groups of 250 (measured). Imports do not
wait for them: some 300 are done in a second, and 1,250 begin.
"""


class Scheduler(Protocol):
    """What the timers ask of the `PollScheduler`."""

    async def is_due(self, source: Source, files: Sequence[Path], sources: int) -> bool:
        """Wait until the source is due or one of its files changes; False if it was woken. `sources`: how many are enabled."""

    async def until_allow_lists_are_read(self, source_ids: Iterable[SourceId]) -> None:
        """Wait until each of them has content, or was polled once, but not for long."""

    async def begin(self, source: Source, files: Sequence[Path]) -> None:
        """A poll begins: what is written from now on to the files that the source is made of is not to be missed."""

    def end(self, source: Source, outcome: Outcome) -> None:
        """A poll has ended."""

    def expect(self, source_ids: Iterable[SourceId]) -> None:
        """Sources are about to be polled, each until it is left."""

    def leave(self, source_id: SourceId) -> None:
        """The poll of a source is over, however it ended."""

    def wake(self, source_ids: Iterable[SourceId] | None = None) -> None:
        """Let the timers of these sources read ledger and configuration again; None: all."""


class SourceImporter(Protocol):
    """What the timers ask of the `Importer`."""

    def place(self, source_id: SourceId) -> AbstractAsyncContextManager[None]:
        """Wait until the import of a source may begin, and keep its place; an import that can wait gives it up earlier."""

    async def import_source(self, source: Source, *, anyway: bool) -> Outcome:
        """Poll a source and bring the firewall up to date with it. `anyway`: also if its publisher allows no request yet."""


@dataclass(eq=False, slots=True)
class _Refresh:
    """How many sources of a refresh are polled, and of how many."""

    total: int
    done: int = 0


class PollLoop:
    """`instead`: what a suspended source has in place of a poll; None: it is polled. `on_outcome`: called after each import.

    `retry_after`: seconds after an unforeseen error; twice as many after each further one of the same source in a row, up to
    its interval.
    """

    def __init__(
        self,
        live: LiveConfig,
        scheduler: Scheduler,
        importer: SourceImporter,
        instead: Callable[[Source], Awaitable[Outcome | None]],
        on_outcome: Callable[[Source, Outcome], None],
        faults: FaultRecorder,
        retry_after: float,
    ) -> None:
        self._live = live
        self._scheduler = scheduler
        self._importer = importer
        self._instead = instead
        self._on_outcome = on_outcome
        self._faults = faults
        self._retry_after = retry_after
        self._locks: dict[SourceId, asyncio.Lock] = {}
        self._timers: dict[SourceId, asyncio.Task[None]] = {}
        self._others: asyncio.Task[None] | None = None  # begins the timers that did not begin at once
        self._errors: dict[SourceId, str] = {}
        self._faulty: dict[SourceId, int] = {}  # how many unforeseen errors in a row
        self._refreshes: list[_Refresh] = []
        self._imports = 0  # under way, or waiting for a place

    @property
    def timers(self) -> Sequence[asyncio.Task[None]]:
        """The running timers, and what begins the others."""
        return [*self._timers.values(), *([self._others] if self._others is not None else ())]

    @property
    def is_importing(self) -> bool:
        """Whether imports are under way, or wait for a place."""
        return self._imports > 0

    @property
    def failing(self) -> Sequence[SourceId]:
        """Enabled sources whose last import failed, sorted."""
        return sorted(self._errors.keys() & self._live.enabled.keys())

    @property
    def progress(self) -> RefreshProgress:
        """Of all refreshes under way together."""
        return RefreshProgress(sum(one.done for one in self._refreshes), sum(one.total for one in self._refreshes))

    def lock(self, source_id: SourceId) -> asyncio.Lock:
        """Locked during each import of the source."""
        return self._locks.setdefault(source_id, asyncio.Lock())

    def start_timers(self) -> None:
        """A timer for each enabled source that has none, one group after another. The timer of a source that is no longer
        enabled ends by itself.
        """
        if self._others is not None:
            self._others.cancel()
        first = allowing_first(list(self._live.enabled.values()))
        new = [one for one in self._live.enabled if one not in self._timers or self._timers[one].done()]
        new.sort(key=lambda one: one not in first)
        self._begin(new[:_TOGETHER], first)
        left = new[_TOGETHER:]
        self._others = asyncio.ensure_future(self._begin_later(left, first)) if left else None

    async def _begin_later(self, source_ids: Sequence[SourceId], first: Collection[SourceId]) -> None:
        for at in range(0, len(source_ids), _TOGETHER):
            await asyncio.sleep(_APART)
            self._begin(source_ids[at : at + _TOGETHER], first)

    def _begin(self, source_ids: Iterable[SourceId], first: Collection[SourceId]) -> None:
        """`first`: the sources that all others wait for."""
        for source_id in source_ids:
            before = frozenset() if source_id in first else first
            self._timers[source_id] = asyncio.ensure_future(self._run_timer(source_id, before))

    def wake(self) -> None:
        """Let all timers read ledger and configuration again."""
        self._scheduler.wake()

    def note_ending(self, source: Source, outcome: Outcome) -> None:
        """A run without a poll has ended: combinations that the source is a part of look at it."""
        self._scheduler.leave(source.id)
        self._on_outcome(source, outcome)

    async def refresh(self, sources: Sequence[Source], *, anyway: bool) -> Sequence[Outcome]:
        """Import these sources now, combinations after their parts, and what bans after what allows.

        `anyway`: also those whose publishers allow no request yet.
        """
        refresh = _Refresh(len(sources))
        self._refreshes.append(refresh)
        outcomes: list[Outcome] = []
        try:
            for wave in import_waves(sources):
                self._scheduler.expect(source.id for source in wave)
                outcomes += await asyncio.gather(*(self._import_for(refresh, source, anyway=anyway) for source in wave))
        finally:
            self._refreshes.remove(refresh)
        self._scheduler.wake(outcome.source_id for outcome in outcomes)
        return outcomes

    async def _run_timer(self, source_id: SourceId, before: Collection[SourceId]) -> None:
        """Poll one source whenever it is due, until it is no longer enabled. `before`: what is read before it."""
        await self._scheduler.until_allow_lists_are_read(before)
        while (source := self._live.enabled.get(source_id)) is not None:
            if not await self._faults.attempt(partial(self._turn, source), failed=False, source_id=source_id):
                self._back_off(source)
                await asyncio.sleep(self._retry_after)

    def _back_off(self, source: Source) -> None:
        """After an unforeseen error. It may have come before the ledger noted an attempt as failed."""
        faults = self._faulty[source.id] = self._faulty.get(source.id, 0) + 1
        # The exponent is bounded so that a source that fails for a year does not overflow.
        delay = min(source.every, self._retry_after * 2.0 ** min(faults - 1, 20))
        self._scheduler.end(source, Outcome(source.id, OutcomeKind.FAILED, delay=delay))

    async def _turn(self, source: Source) -> bool:
        if await self._scheduler.is_due(source, self._live.config.watched(source), len(self._live.enabled)):
            _LOG.debug("%s: due", source.id)
            await self._import(source, anyway=False)
        return True

    async def _import_for(self, refresh: _Refresh, source: Source, *, anyway: bool) -> Outcome:
        """An unforeseen error is recorded, and is the outcome of this source alone."""
        failed = Outcome(source.id, OutcomeKind.FAILED, error=_UNFORESEEN, exit_code=BanlistdError.exit_code)
        work = partial(self._import, source, anyway=anyway)
        outcome = await self._faults.attempt(work, failed=failed, source_id=source.id)
        if outcome is failed:
            self._back_off(source)
        refresh.done += 1
        return outcome

    async def _import(self, source: Source, *, anyway: bool) -> Outcome:
        self._imports += 1
        try:
            async with self.lock(source.id), self._importer.place(source.id):
                await self._scheduler.begin(source, self._live.config.watched(source))
                outcome = await self._instead(source) or await self._importer.import_source(source, anyway=anyway)
                self._scheduler.end(source, outcome)
                self._faulty.pop(source.id, None)
        finally:
            self._imports -= 1
            self._scheduler.leave(source.id)
        if outcome.error and not waits(outcome):
            self._errors[source.id] = outcome.error
        elif outcome.kind not in (OutcomeKind.DEFERRED, OutcomeKind.SUSPENDED):
            self._errors.pop(source.id, None)
        self._on_outcome(source, outcome)
        return outcome
