"""The loops: a timer for each source, the comparison with the firewall, reload, watchdog, stop.

Here is the only broad `except` of the program: whatever goes wrong in one turn of one loop is recorded, and the loop goes on.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from banlistd.core.config.model import Config, Source
from banlistd.core.feeds.schedule import FIRST_RETRY
from banlistd.core.ruleset.policy import Policy, identities, policy_of
from banlistd.errors import BanlistdError, ConfigError, NoSuchSourceError
from banlistd.events import Event, EventName
from banlistd.model import Decision, ExternalChange, Mark, Outcome, OutcomeKind, SourceId
from banlistd.ports import Announcer, Clock, Ledger, Storage, Supervisor
from banlistd.services.enforcer import Enforcer, Restored
from banlistd.services.geo_enricher import Enricher
from banlistd.services.importer import Importer
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.poll_scheduler import PollScheduler

# How often the firewall is compared with what shall stand: a look costs about a millisecond, whatever it holds.
RECONCILE_EVERY = 10.0

# After a repair, before the next; doubled each time, so that two programs that undo each other use up no machine.
REPAIR_BACKOFF = 0.05

# How often it is tried to put the state back on a disk that did not take it.
MEND_EVERY = 30.0

# After an import, before the memory that it took goes back to the system: many in a row pay for that once.
REST = 1.0

# Imports side by side: enough to wait for slow servers together, few enough that their bodies fit in memory.
MOST_IMPORTS = 4

_IN_MEMORY = "; the state goes on in memory until the disk takes it"


class Service:
    """One configuration in force, and the tasks that serve it."""

    def __init__(
        self,
        config: Config,
        load: Callable[[], Config],
        timetable: PollScheduler,
        importer: Importer,
        enforcer: Enforcer,
        ledger: Ledger,
        storage: Storage,
        announcer: Announcer,
        supervisor: Supervisor,
        clock: Clock,
        enricher: Enricher,
        *,
        reconcile_every: float = RECONCILE_EVERY,
        first_retry: float = FIRST_RETRY,
        mend_every: float = MEND_EVERY,
        banning: ManualBanService | None = None,
        trim_memory: Callable[[], None] | None = None,
        rest: float = REST,
    ) -> None:
        """`give_back`: hands free memory back to the system, in a worker thread; it may take some milliseconds."""
        self._config = config
        self._load = load
        self._timetable = timetable
        self._importer = importer
        self._enforcer = enforcer
        self._ledger = ledger
        self._storage = storage
        self._announcer = announcer
        self._supervisor = supervisor
        self._clock = clock
        self._enricher = enricher
        self._reconcile_every = reconcile_every
        self._first_retry = first_retry
        self._mend_every = mend_every
        self._banning = banning
        self._trim_memory = trim_memory
        self._rest = rest
        self._work_done = asyncio.Event()
        self._work_done.set()  # by what comes before all else: the restore
        self._mend_now = asyncio.Event()
        self._marks: Mapping[SourceId, Mark] = {}
        self._locks: dict[SourceId, asyncio.Lock] = {}
        self._timers: dict[SourceId, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(MOST_IMPORTS)
        self._reloading = asyncio.Lock()
        self._failing: dict[SourceId, str] = {}
        self._last_listen_error = ""

    @property
    def config(self) -> Config:
        return self._config

    async def restore(self) -> Restored:
        """The first thing of all: what was banned before is banned again, with no network."""
        if self._banning is not None:
            await self._banning.restore()
        restored = await self._enforcer.restore(self._clock.now())
        repaired = [source_id for source_id, decision in restored.decisions.items() if decision is not Decision.SKIP]
        words = f"{len(repaired)} sources put back" if not restored.change.is_empty else "nothing to do"
        self._tell(
            EventName.FIREWALL_RESTORED,
            f"{restored.bans} bans stand: {words}",
            ADDED=restored.change.added,
            REMOVED=restored.change.removed,
        )
        return restored

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; bans stay in place afterwards."""
        self._supervisor.ready()
        self._tell(EventName.SERVICE_STARTED, f"polling {len(self._enabled())} sources")
        self._start_timers()
        duties = (
            self._reconcile_loop(),
            self._storage_loop(),
            self._watchdog_loop(),
            self._enriching_loop(),
            self._bans_loop(),
            self._memory_loop(),
        )
        loops = [asyncio.ensure_future(duty) for duty in duties]
        self._report()
        try:
            await stop.wait()
        finally:
            self._supervisor.stopping()
            tasks = [*loops, *self._timers.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._banning is not None:
                await self._banning.settle()
            await self._enforcer.settle()
            self._tell(EventName.SERVICE_STOPPED, "stopped; the bans stay in place")

    async def refresh(self, source_ids: Sequence[SourceId] = ()) -> Sequence[Outcome]:
        enabled = self._enabled()
        for source_id in source_ids:
            if source_id not in enabled:
                raise NoSuchSourceError(f"no enabled source is called {source_id!r}", "banlistctl sources lists them")
        outcomes = await asyncio.gather(*(self._import(enabled[source_id]) for source_id in source_ids or enabled))
        self._timetable.wake(outcome.source_id for outcome in outcomes)
        return outcomes

    async def reload(self) -> Config:
        async with self._reloading:
            self._supervisor.reloading()
            try:
                return await self._reload()
            finally:
                self._supervisor.ready()

    async def _reload(self) -> Config:
        try:
            config = await asyncio.to_thread(self._load)
            if (config.backend, config.fail2ban) != (self._config.backend, self._config.fail2ban):
                raise ConfigError("backend: cannot be changed while banlistd runs", "restart it")
            policy = await self._policy(config)
            await self._enforcer.reconcile(policy)
        except BanlistdError as error:
            problems = "; ".join(error.problems) if isinstance(error, ConfigError) else ""
            self._tell(
                EventName.CONFIG_REJECTED, f"configuration has NOT been changed: {problems or error}", REASON=error.message
            )
            raise
        before, self._config = self._config, config
        self._enricher.configure(config.geo)
        self._start_timers()
        self._timetable.wake()
        self._mend_now.set()
        self._work_done.set()
        self._tell(EventName.CONFIG_RELOADED, f"configuration reloaded: {len(self._enabled())} sources enabled")
        self._report()
        return before

    async def _policy(self, config: Config) -> Policy:
        # Asked once: the firewall is repaired whatever the disk does.
        if not set(identities(config)) <= self._marks.keys():
            self._marks = await self._marks_for(config)
        return policy_of(config, self._marks, self._clock.now())

    async def _marks_for(self, config: Config) -> Mapping[SourceId, Mark]:
        return await self._ledger.marks_for(identities(config), await self._enforcer.markers())

    def _enabled(self) -> Mapping[SourceId, Source]:
        return {source.id: source for source in self._config.sources if source.enabled}

    def _start_timers(self) -> None:
        for source_id in self._enabled():
            if source_id not in self._timers or self._timers[source_id].done():
                self._timers[source_id] = asyncio.ensure_future(self._timer(source_id))

    async def _timer(self, source_id: SourceId) -> None:
        """Poll one source whenever it is due, until it is no longer enabled."""
        while (source := self._enabled().get(source_id)) is not None:
            try:
                if await self._timetable.is_due(source, self._config.watched(source)):
                    await self._import(source)
            except Exception as error:  # noqa: BLE001 - the service loop: one source's fault must not end the others' protection
                self._fault(error, source_id)
                await asyncio.sleep(self._first_retry)

    async def _import(self, source: Source) -> Outcome:
        async with self._locks.setdefault(source.id, asyncio.Lock()), self._slots:
            await self._timetable.begin(source, self._config.watched(source))
            outcome = await self._importer.import_source(source)
            self._timetable.end(source, outcome)
        if outcome.error:
            self._failing[source.id] = outcome.error
        else:
            self._failing.pop(source.id, None)
        self._enricher.note(source, outcome)
        if outcome.kind is not OutcomeKind.SKIPPED:
            self._work_done.set()
        self._report()
        return outcome

    async def _reconcile_loop(self) -> None:
        """Repair what others broke as soon as they did, and let allow entries run out."""
        backoff = 0.0
        owed: ExternalChange | None = None
        while True:
            await asyncio.sleep(backoff)
            try:
                owed = owed or await self._disturbance()
                busy = await self._repair(owed)
                owed = None
            except Exception as error:  # noqa: BLE001 - as in _timer
                self._fault(error)
                busy = True
            backoff = min(max(2 * backoff, REPAIR_BACKOFF), self._reconcile_every) if busy else 0.0

    async def _disturbance(self) -> ExternalChange:
        """Whoever changes our part of the firewall next; nobody, once it is time to look anyway."""
        try:
            async with asyncio.timeout(self._reconcile_every):
                while not (change_seen := await self._enforcer.wait_for_external_change()).ours:
                    pass
        except TimeoutError:
            return ExternalChange()
        except BanlistdError as error:
            if str(error) != self._last_listen_error:
                self._last_listen_error = str(error)
                self._fault(error)
            await asyncio.sleep(self._reconcile_every)
            return ExternalChange()
        return change_seen

    async def _repair(self, change_seen: ExternalChange) -> bool:
        """Bring the firewall to what shall stand; whether it differed."""
        began = self._clock.monotonic()
        # Not while a reload is under way: it would put the old policy back.
        async with self._reloading:
            change = await self._enforcer.reconcile(await self._policy(self._config))
        if not change.is_empty:
            self._work_done.set()
            culprit = f" (changed by {change_seen.culprit})" if change_seen.culprit else ""
            self._tell(
                EventName.FIREWALL_DRIFT_REPAIRED,
                f"the firewall differed{culprit} and was repaired",
                ADDED=change.added,
                REMOVED=change.removed,
                CULPRIT=change_seen.culprit,
                DURATION_MS=round(1000 * (self._clock.monotonic() - began)),
            )
        return not change.is_empty

    async def _storage_loop(self) -> None:
        """Say what befalls the file of the ledger, let it know again what stands, and put it back on the disk."""
        while True:
            try:
                wait_for_fault = await self._storage.wait_for_fault()
                self._report()
                self._tell(
                    EventName.LEDGER_FAULT,
                    f"{wait_for_fault}{_IN_MEMORY if self._storage.fault else ''}",
                    REASON=wait_for_fault,
                )
                await self._resync_ledger()
                while self._storage.fault:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._mend_now.wait(), self._mend_every)
                    self._mend_now.clear()
                    if await self._storage.try_recover():
                        await self._resync_ledger()
                        self._tell(EventName.LEDGER_MENDED, "the state is on the disk again")
                self._report()
            except Exception as error:  # noqa: BLE001 - as in _timer
                self._fault(error)
                await asyncio.sleep(self._mend_every)

    async def _enriching_loop(self) -> None:
        """Look up where addresses belong, behind everything else."""
        self._enricher.recover(self._enabled().values())
        while True:
            try:
                await self._enricher.warm()
            except Exception as error:  # noqa: BLE001 - as in _timer
                self._fault(error)
                await asyncio.sleep(self._first_retry)

    async def _resync_ledger(self) -> None:
        self._marks = await self._marks_for(self._config)
        for source_id in self._enabled():
            async with self._locks.setdefault(source_id, asyncio.Lock()):
                await self._enforcer.resync_ledger(source_id, self._clock.now())
        if self._banning is not None:
            await self._banning.resync_ledger()

    async def _bans_loop(self) -> None:
        """Let bans by hand run out, and try again what the firewall did not take."""
        while self._banning is not None:
            try:
                await self._banning.turn()
            except Exception as error:  # noqa: BLE001 - as in _timer
                self._fault(error)
                await asyncio.sleep(self._reconcile_every)

    async def _memory_loop(self) -> None:
        """Give back what was used for large lists, so that an idle daemon is as small as one that was just started."""
        while self._trim_memory is not None:
            await self._work_done.wait()
            await asyncio.sleep(self._rest)
            self._work_done.clear()
            await asyncio.to_thread(self._trim_memory)

    async def _watchdog_loop(self) -> None:
        interval = self._supervisor.watchdog_interval
        while interval is not None:
            try:
                await self._enforcer.markers()
                self._supervisor.alive()
            except Exception as error:  # noqa: BLE001 - as in _timer; without a look at the kernel the watchdog is not fed
                self._fault(error)
            # A third: one look that fails is made good by the next one, in time.
            await asyncio.sleep(interval / 3)

    def _report(self) -> None:
        bans = len(self._enforcer.state or ())
        names = sorted(self._failing.keys() & self._enabled().keys())
        failing = f", {len(names)} failing: {', '.join(names)}" if names else ""
        ledger = f", state in memory only: {self._storage.fault}" if self._storage.fault else ""
        self._supervisor.status(f"{bans} bans from {len(self._enabled())} sources{failing}{ledger}")

    def _fault(self, error: Exception, source_id: SourceId | None = None) -> None:
        where = f"{source_id}: " if source_id else ""
        about = {"SOURCE_ID": source_id} if source_id else {}
        self._tell(
            EventName.SERVICE_FAULT,
            f"{where}{type(error).__name__}: {error}",
            REASON=str(error),
            ERROR_CLASS=type(error).__name__,
            **about,
        )

    def _tell(self, name: EventName, message: str, **fields: str | float) -> None:
        self._announcer.announce(Event(name, message, fields))
