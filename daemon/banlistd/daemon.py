"""The running daemon: the first restore, the loops that serve one configuration, refresh, reload, and the stop."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from banlistd.control_api import RefreshProgress, Reloaded, Repairs
from banlistd.core.config.kept import Loaded
from banlistd.core.config.model import Config, Source
from banlistd.core.config.reload import ReloadOrder
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.printing import counted
from banlistd.core.ruleset.measuring.summary import LastVerdict, summary
from banlistd.core.ruleset.ranking import count
from banlistd.errors import BanlistdError, FirewallError, LedgerError
from banlistd.events import Event, EventName
from banlistd.model import Decision, Outcome, OutcomeKind, SourceId
from banlistd.ports import Announcer, Clock, HostMonitor, Ledger, Storage, Supervisor
from banlistd.services.enforcer import Enforcer
from banlistd.services.evidence.evidence import Evidence
from banlistd.services.evidence.loop import EvidenceLoop
from banlistd.services.geo_enricher import Enricher
from banlistd.services.history.suspended import SuspendedSources
from banlistd.services.importer import Importer
from banlistd.services.imports.endings import Endings
from banlistd.services.loops.allowing import ManualAllowlist
from banlistd.services.loops.endings import EndingLoop
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.loops.host_changes import HostChangeLoop
from banlistd.services.loops.intervals import Intervals
from banlistd.services.loops.logins import LoginLoop
from banlistd.services.loops.memory import MemoryLoop
from banlistd.services.loops.polling import PollLoop
from banlistd.services.loops.repair import RepairLoop
from banlistd.services.loops.shadows import ShadowLoop
from banlistd.services.loops.storage import StorageLoop
from banlistd.services.loops.watchdog import WatchdogLoop
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.obeying.remembered import RememberedOrders
from banlistd.services.planning.content_store import ContentStore
from banlistd.services.planning.restored import Restored
from banlistd.services.poll_scheduler import PollScheduler
from banlistd.services.protected_host import ProtectedHost
from banlistd.services.reloading.live_config import LiveConfig
from banlistd.services.reloading.reloads import Reloads
from banlistd.services.reloading.trial import Trial
from banlistd.services.value.shadows import Shadows

_PLAIN = ReloadOrder()


@dataclass(frozen=True, slots=True)
class Services:
    """What does the work of the loops. `follow_fleet`: each lets a part of it serve what a reload has put in force."""

    scheduler: PollScheduler
    importer: Importer
    enforcer: Enforcer
    manual_bans: ManualBanService
    enricher: Enricher
    host: ProtectedHost
    trial: Trial
    endings: Endings
    allowlist: ManualAllowlist
    shadows: Shadows
    suspended: SuspendedSources
    evidence: Evidence
    orders: RememberedOrders
    follow_fleet: Sequence[Callable[[Fleet | None], None]]


@dataclass(frozen=True, slots=True)
class Outside:
    """What the loops themselves need of the outside. `trim_memory`: returns free memory to the system; blocks.
    `collect_garbage`: stops all threads meanwhile.
    """

    ledger: Ledger
    storage: Storage
    announcer: Announcer
    supervisor: Supervisor
    clock: Clock
    trim_memory: Callable[[], None]
    collect_garbage: Callable[[], None]
    host_monitor: HostMonitor
    login_monitor: HostMonitor


class Service:
    """One configuration in force, and the tasks that serve it. `load`: reads the configuration again; raises ConfigError."""

    def __init__(
        self, loaded: Loaded, load: Callable[[], Loaded], services: Services, outside: Outside, intervals: Intervals
    ) -> None:
        self._files = loaded.files
        self._seen = LastVerdict()
        self._reports_soon = False
        self._services = services
        self._outside = outside
        self._intervals = intervals
        self._enforcer = enforcer = services.enforcer
        self._contents = ContentStore(outside.ledger)
        self._live = LiveConfig(loaded.config, outside.ledger, enforcer.markers, services.shadows.now_in_shadow, outside.clock)
        announcer = outside.announcer
        self._reloads = Reloads(load, self._live, enforcer, services.trial, self._take_over, outside.supervisor, announcer)
        reconcile = self._reloads.reconcile
        self._faults = faults = FaultRecorder(announcer)
        self._memory = MemoryLoop(
            outside.trim_memory, outside.collect_garbage, lambda: self._polling.is_importing, intervals.memory_rest
        )
        instead, of = services.suspended.in_place_of_a_poll, services.suspended.of
        self._polling = PollLoop(
            self._live, services.scheduler, services.importer, instead, self._note_outcome, faults, intervals.first_retry
        )
        self._endings = EndingLoop(
            self._live, self._polling.lock, services.endings, of, self._polling.note_ending, faults, intervals.endings
        )
        self._repair = RepairLoop(
            enforcer.wait_for_external_change,
            enforcer.wait_until_idle,
            self._reloads.repair,
            self._memory.note_work,
            announcer,
            outside.clock,
            faults,
            intervals.reconcile,
        )
        self._host_changes = HostChangeLoop(
            outside.host_monitor.wait_for_change, reconcile, self._memory.note_work, faults, intervals.reconcile
        )
        self._logins = LoginLoop(outside.login_monitor.wait_for_change, services.host.note_logins)
        self._after_logins = HostChangeLoop(
            self._logins.wait_until_noted, reconcile, self._memory.note_work, faults, intervals.reconcile
        )
        self._after_allows = HostChangeLoop(
            services.allowlist.wait_for_end, reconcile, self._memory.note_work, faults, intervals.reconcile
        )
        note, read = services.shadows.note, services.evidence.totals.now
        self._shadows = ShadowLoop(lambda: note(self.config, read), reconcile, intervals.endings)
        self._evidence = EvidenceLoop(services.evidence, faults, intervals.first_retry)
        self._storage = StorageLoop(
            outside.storage, self._resync_ledger, self._take_over_ledger, self._report, announcer, intervals.storage_retry
        )
        self._watchdog = WatchdogLoop(outside.supervisor, enforcer.markers, faults)

    @property
    def config(self) -> Config:
        return self._live.config

    async def wait_for_another(self, config: Config) -> None:
        """Until another configuration than this one is in force."""
        await self._live.wait_for_another(config)

    @property
    def refreshing(self) -> RefreshProgress:
        return self._polling.progress

    @property
    def repairs(self) -> Repairs:
        return self._repair.repairs

    async def restore(self) -> Restored:
        """The first thing that runs: puts the bans back, without a network."""
        services = self._services
        for part in (services.manual_bans, services.allowlist, services.suspended, self._evidence, services.orders):
            await part.restore()
        restored = await self._enforcer.restore(self._outside.clock.now())
        repaired = [source_id for source_id, decision in restored.decisions.items() if decision is not Decision.SKIP]
        words = f"{counted(len(repaired), 'source', 'sources')} put back" if not restored.change.is_empty else "nothing to do"
        self._announce(
            EventName.FIREWALL_RESTORED,
            f"{counted(restored.bans, 'ban is', 'bans are')} in force: {words}",
            ADDED=restored.change.added,
            REMOVED=restored.change.removed,
        )
        with suppress(LedgerError):
            await self._services.trial.note_started(self._files)
        return restored

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; bans stay in place afterwards."""
        supervisor, manual_bans, intervals = self._outside.supervisor, self._services.manual_bans, self._intervals
        supervisor.ready()
        self._announce(EventName.SERVICE_STARTED, f"polling {counted(len(self._live.enabled), 'source', 'sources')}")
        self._polling.start_timers()
        self._services.enricher.recover(self._live.enabled.values())
        duties = (
            self._repair.run(),
            self._host_changes.run(),
            self._faults.repeat(self._logins.turn, intervals.first_retry),
            self._after_logins.run(),
            self._after_allows.run(),
            self._faults.repeat(self._storage.turn, intervals.storage_retry),
            self._watchdog.run(),
            self._faults.repeat(self._services.enricher.warm, intervals.first_retry),
            self._faults.repeat(manual_bans.turn, intervals.reconcile),
            self._memory.run(),
            self._evidence.run(),
            self._faults.repeat(lambda: self._reloads.end_trial(intervals.trial), intervals.first_retry),
            self._faults.repeat(self._endings.turn, intervals.first_retry),
            self._faults.repeat(self._shadows.turn, intervals.first_retry),
        )
        loops = [asyncio.ensure_future(duty) for duty in duties]
        self._report()
        try:
            await stop.wait()
        finally:
            supervisor.stopping()
            tasks = [*loops, *self._polling.timers]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await manual_bans.wait_until_idle()
            await self._enforcer.wait_until_idle()
            await self._evidence.end()
            self._announce(EventName.SERVICE_STOPPED, "stopped; the bans stay in place")

    async def refresh(self, source_ids: Sequence[SourceId] = (), *, anyway: bool = False) -> Sequence[Outcome]:
        """Import these sources now (none named: all that are enabled), or `anyway`. Raises NoSuchSourceError."""
        return await self._polling.refresh(self._live.named(source_ids), anyway=anyway)

    async def reload(self, order: ReloadOrder = _PLAIN) -> Reloaded:
        """Put the configuration in force that is on the disk now, or raise BanlistdError and change nothing."""
        return await self._reloads.reload(order)

    async def confirm(self) -> None:
        """Confirm the configuration that is tried. Raises UsageError and LedgerError."""
        await self._reloads.confirm()

    def show(self, seen: LastVerdict) -> None:
        """Show this in the status line of the service manager, too."""
        self._seen = seen
        self._report()

    def _take_over(self, config: Config) -> None:
        """Let every loop serve a configuration that the firewall already has."""
        self._live.replace(config)
        self._services.enricher.configure(config.geo)
        self._services.evidence.hits.configure(config.hits)
        for follow in self._services.follow_fleet:
            follow(config.fleet)
        self._polling.start_timers()
        self._polling.wake()
        self._storage.retry_now()
        self._memory.note_work()
        self._report()

    async def _take_over_ledger(self) -> None:
        """Put in force what a ledger has that could not be read at the start, beside what has come since."""
        services = self._services
        await self._live.read_marks_again()
        await self._evidence.restore()
        for part in (services.allowlist, services.host, services.suspended, services.manual_bans):
            await part.take_over()
        unknown = [source_id for source_id in self._live.enabled if self._enforcer.content(source_id) is None]
        await asyncio.gather(*map(self._take_over_content, unknown))
        with suppress(BanlistdError):  # the next comparison tries again
            await self._reloads.reconcile()

    async def _take_over_content(self, source_id: SourceId) -> None:
        async with self._polling.lock(source_id):
            if self._enforcer.content(source_id) is None:
                _, content = await self._contents.accepted(source_id)
                if content is not None:
                    with suppress(FirewallError):  # its next poll tries again
                        await self._enforcer.enforce_all([content])

    async def _resync_ledger(self) -> None:
        """Write what is in force to a ledger that was replaced."""
        await self._live.read_marks_again()
        for source_id in self._live.enabled:
            async with self._polling.lock(source_id):
                await self._enforcer.resync_ledger(source_id, self._outside.clock.now())
        services = self._services
        for part in (services.manual_bans, services.host, services.allowlist, services.suspended, services.orders):
            await part.resync_ledger()
        await self._evidence.resync_ledger()

    def _note_outcome(self, source: Source, outcome: Outcome) -> None:
        self._services.enricher.note(source, outcome)
        if outcome.kind not in (OutcomeKind.SKIPPED, OutcomeKind.DEFERRED, OutcomeKind.SUSPENDED):
            self._memory.note_work()
        # Imports end together, and the bans of thousands of sources are counted once for all of them.
        if not self._reports_soon:
            self._reports_soon = True
            asyncio.get_running_loop().call_soon(self._report)

    def _report(self) -> None:
        """Update the status line of the service manager."""
        self._reports_soon = False
        state, fault = self._enforcer.state, self._outside.storage.fault
        bans, sources, failing = count(state) if state else 0, len(self._live.enabled), self._polling.failing
        line = summary(bans=bans, sources=sources, failing=failing, fault=fault, seen=self._seen)
        self._outside.supervisor.status(line)

    def _announce(self, name: EventName, message: str, **fields: str | float) -> None:
        self._outside.announcer.announce(Event(name, message, fields))
