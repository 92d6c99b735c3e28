"""The one place where tests put a daemon together: real services and a real database file, with adapters that a test controls.

    def test_a_list_reaches_the_firewall(tmp_path: Path) -> None:
        async def life(world: DaemonWorld) -> None:
            await world.poll(ONE)
            assert world.banned() == {"192.0.2.1"}

        run(Environment(tmp_path), config_of(source(ONE)), life)

A second `run` on the same Environment is a restart. With `serve=True` the service's loops run as well. The clock does not move
by itself, so nothing becomes due on its own; a test waits for an event, never for a time.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from banlistd.adapters.fetch.file import stamp_of
from banlistd.adapters.geo.mmdb import MmdbFile
from banlistd.adapters.host.peer import user_name
from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.evidence.hits import HitTable
from banlistd.adapters.storage.evidence.totals import TotalTable
from banlistd.adapters.storage.geo_cache import GeoCacheTable
from banlistd.adapters.storage.host.exemptions import ExemptionTable
from banlistd.adapters.storage.host.logins import LoginTable
from banlistd.adapters.storage.host.manual_allows import ManualAllowTable
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.list_ends import EndTable
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.orders.orders_seen import SeenOrderTable
from banlistd.adapters.storage.polling.findings import FindingTable
from banlistd.adapters.storage.polling.request_log import RequestTable
from banlistd.adapters.storage.polling.source_records import SourceRecordTables
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.adapters.storage.reports.stores import ReportTables
from banlistd.adapters.storage.start.boot_snapshot import BootSnapshotTable
from banlistd.adapters.storage.start.kept_configs import KeptConfigTable
from banlistd.adapters.storage.value.shadows import ShadowTable
from banlistd.adapters.storage.versions.departures import DepartureTable
from banlistd.adapters.storage.versions.suspension_table import SuspensionTable
from banlistd.adapters.storage.versions.version_table import VersionTable
from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.control.parts import ExportInProgress, Parts
from banlistd.control.read_request import read_request
from banlistd.control.seen import SeenContents
from banlistd.core.addresses.sets import to_text
from banlistd.core.config.kept import Loaded
from banlistd.core.config.model import Config
from banlistd.core.ruleset.policy import Policy, identities, policy_of
from banlistd.daemon import Outside, Service, Services
from banlistd.errors import BanlistdError, UsageError
from banlistd.events import EventName
from banlistd.model import Outcome, Remark, SourceId
from banlistd.ports import Connections, Firewall, TimedAddresses
from banlistd.ports.geo import Resolver
from banlistd.services.enforcer import Enforcer
from banlistd.services.evidence.evidence import Evidence
from banlistd.services.evidence.hits import HitRecorder
from banlistd.services.evidence.totals import CounterTotals
from banlistd.services.file_stamps import FileStamps
from banlistd.services.geo_enricher import Enricher, GeoResolvers
from banlistd.services.history.exemptions import ExemptionRecord
from banlistd.services.history.list_history import ListHistory
from banlistd.services.history.suspended import SuspendedSources
from banlistd.services.importer import Importer
from banlistd.services.imports.combinations import Combinations
from banlistd.services.imports.endings import Endings
from banlistd.services.imports.needs import Stores
from banlistd.services.imports.parts_under_way import PartsUnderWay
from banlistd.services.imports.publishers import Publishers
from banlistd.services.loops.allowing import ManualAllowlist
from banlistd.services.loops.intervals import Intervals
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.null_objects import NoConnections
from banlistd.services.obeying.remembered import RememberedOrders
from banlistd.services.orders.marks import marks_by_hand
from banlistd.services.poll_record import PollRecord
from banlistd.services.poll_scheduler import PollScheduler, WaitingTimes
from banlistd.services.protected_host import ProtectedHost
from banlistd.services.reloading.trial import ConfirmedSnapshots, Trial
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream
from banlistd.services.value.reporting import ValueReports
from banlistd.services.value.shadows import Shadows
from banlistd.services.verdicts.coverage import Coverage
from support.commands import command_named, unfit
from support.fakes import (
    FakeAnnouncer,
    FakeClock,
    FakeFetcher,
    FakeFirewall,
    FakeHost,
    FakeHostMonitor,
    FakeLogins,
    FakePackets,
    FakeSupervisor,
)
from support.sources import BODIES

NEVER = 1e9

AdapterT = TypeVar("AdapterT")


class Wrapper(Protocol):
    """Puts something around an adapter, for example a call that may fail."""

    def __call__(self, adapter: AdapterT, /) -> AdapterT: ...


def at_once(_source_id: SourceId, _sources: int) -> float:
    """Missed polls are not spread: the clock of most tests does not move."""
    return 0.0


def unchanged(adapter: AdapterT) -> AdapterT:
    return adapter


@dataclass
class Environment:
    """What survives the end of a process: the disk, the firewall, the network, the clock, and what was reported.

    `next_config`: what a reload reads, or raises; by default the configuration of the start. `geo_databases`: mmdb files.
    `trimmed`: set when the service gives memory back. `collected`: when it looks for garbage.
    `names`: the host names that have addresses.
    """

    disk: Path
    firewall: FakeFirewall = field(default_factory=FakeFirewall)
    fetcher: FakeFetcher = field(default_factory=lambda: FakeFetcher(dict(BODIES)))
    host: FakeHost = field(default_factory=FakeHost)
    logins: FakeLogins = field(default_factory=FakeLogins)
    monitor: FakeHostMonitor = field(default_factory=FakeHostMonitor)
    login_monitor: FakeHostMonitor = field(default_factory=FakeHostMonitor)
    clock: FakeClock = field(default_factory=FakeClock)
    announcer: FakeAnnouncer = field(default_factory=FakeAnnouncer)
    supervisor: FakeSupervisor = field(default_factory=FakeSupervisor)
    geo_databases: Iterable[Path] = ()
    resolvers: Iterable[Resolver] = ()
    next_config: Config | BanlistdError | None = None
    trimmed: threading.Event = field(default_factory=threading.Event)
    collected: threading.Event = field(default_factory=threading.Event)
    names: dict[str, Sequence[str]] = field(default_factory=dict)
    ttls: dict[str, float] = field(default_factory=dict)
    packets: FakePackets = field(default_factory=FakePackets)
    boot: str = "the first boot"
    connections: Connections = field(default_factory=NoConnections)

    async def resolve(self, name: str) -> Sequence[str]:
        """The addresses of a name; that of the name service is tested with its adapter."""
        if name not in self.names:
            raise UsageError(f"{name!a} is no address, and the name service knows no such name")
        return self.names[name]

    async def answer(self, name: str) -> TimedAddresses:
        return TimedAddresses(await self.resolve(name), self.ttls.get(name))

    def banned(self) -> set[str]:
        """The entries of the firewall's own maps: an address, or `first - last`."""
        entries = set()
        for map_entries in self.firewall.maps.values():
            for ends in zip(map_entries.first, map_entries.last, strict=True):
                entries.add(" - ".join(dict.fromkeys(to_text(map_entries.family, end) for end in ends)))
        return entries


@dataclass(frozen=True)
class Timing:
    """Seconds between the turns of the service's loops."""

    reconcile_every: float = NEVER
    first_retry: float = NEVER
    look_every: float = NEVER
    catch_up: Callable[[SourceId, int], float] = at_once


@dataclass(frozen=True)
class DaemonWorld:
    """The parts of one daemon, and the environment that they use."""

    environment: Environment
    database: Database
    ledger: ImportRuns
    quarantine: QuarantineTable
    geo_cache: GeoCacheTable
    enforcer: Enforcer
    polls: PollRecord
    importer: Importer
    manual_bans: ManualBanService
    enricher: Enricher
    scheduler: PollScheduler
    service: Service
    parts: Parts
    trial: Trial
    endings: Endings

    @property
    def firewall(self) -> FakeFirewall:
        return self.environment.firewall

    @property
    def fetcher(self) -> FakeFetcher:
        return self.environment.fetcher

    @property
    def clock(self) -> FakeClock:
        return self.environment.clock

    @property
    def announcer(self) -> FakeAnnouncer:
        return self.environment.announcer

    async def poll(self, source_id: SourceId, *, anyway: bool = False) -> Outcome:
        (source,) = (source for source in self.service.config.sources if source.id == source_id)
        return await self.importer.import_source(source, anyway=anyway)

    async def completed(self, *source_ids: SourceId) -> None:
        """Wait until each source was imported once."""
        for source_id in source_ids:
            await self.announcer.until(EventName.IMPORT_COMPLETED, source_id)

    async def ask(self, name: str, *, uid: int = 0, **fields: Any) -> Any:
        """The answer to a command, as the control socket would read it for the user `uid`.

        It has the declared shape and is fit for JSON.
        """
        command = command_named(name)
        is_get = command.method == "GET"
        query = {key: str(value) for key, value in fields.items()} if is_get else {}
        request = read_request(command, query, b"" if is_get else json.dumps(fields).encode(), uid)
        answer = await command.answer(self.parts, command.read(request))
        assert unfit(answer, command.shape) == ""
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
        return answer

    async def policy(self, config: Config) -> Policy:
        return policy_of(config, await self.ledger.marks_for(identities(config)), self.clock.now())

    def banned(self) -> set[str]:
        return self.environment.banned()

    def trial_remarks(self) -> list[Remark]:
        """What the trial of a configuration has to say."""
        return [*self.trial.remarks()]


def loaded_of(config: Config) -> Loaded:
    """A configuration with files that differ if it does."""
    return Loaded(config, {"banlistd.yaml": repr(config).encode()})


Life = Callable[[DaemonWorld], Awaitable[None]]


async def assemble(
    environment: Environment,
    config: Config,
    database: Database,
    *,
    firewall: Firewall | None = None,
    timing: Timing | None = None,
    wrap: Wrapper = unchanged,
) -> DaemonWorld:
    """The parts on an open database, put together as compose.py does it.

    `firewall`: instead of the environment's. `wrap`: applied to the adapters whose calls may change something outside.
    """
    timing = timing or Timing()
    clock = environment.clock
    announcer = EventStream(environment.announcer, clock)
    kernel = wrap(firewall or environment.firewall)
    ledger, quarantine = wrap(ImportRuns(database)), wrap(QuarantineTable(database))
    marks = await ledger.marks_for(identities(config), await kernel.markers())
    shadows = await Shadows.opened(ShadowTable(database), announcer, clock)
    policy = policy_of(config, marks, clock.now(), shadows.now_in_shadow(config))
    table = LoginTable(database)
    allowlist = ManualAllowlist(
        wrap(ManualAllowTable(database)), environment.answer, announcer, clock, lambda: 0.5, look_every=0.005
    )
    host = ProtectedHost(
        environment.host, environment.logins, table, clock, await table.load(), tells_answers=True, allowed=allowlist.protection
    )
    trial = Trial(wrap(KeptConfigTable(database)), database, clock, "", announcer)
    snapshots = BootSnapshotTable(database, config.backend, config.owner, translated=True)
    exemptions = ExemptionRecord(ConfirmedSnapshots(snapshots, trial), wrap(ExemptionTable(database)), clock)
    enforcer = Enforcer(kernel, ledger, policy, host, announcer, exemptions, environment.connections)
    manual_bans = ManualBanService(
        ManualBanTable(database),
        enforcer,
        host,
        announcer,
        clock,
        marks=partial(marks_by_hand, ledger, kernel) if config.backend.kind.capabilities.scopes else None,
        look_every=0.005,
        retry_every=0.005,
    )
    geo_cache = GeoCacheTable(database)
    resolvers = GeoResolvers(tuple(MmdbFile(path) for path in environment.geo_databases), tuple(environment.resolvers))
    enricher = Enricher(config.geo, lambda _: resolvers, geo_cache, ledger, announcer, clock)
    publishers, findings = Publishers(wrap(RequestTable(database)), clock), wrap(FindingTable(database))
    records = wrap(SourceRecordTables(database))
    polls = PollRecord(records, ledger, quarantine, publishers, findings, announcer, clock, lambda: 0.5)
    fetcher = Combinations(enforcer.content, wrap(DepartureTable(database)), clock, wrap(environment.fetcher))
    stores = Stores(records, ledger, quarantine, wrap(EndTable(database)))
    importer = Importer(fetcher, stores, enforcer, polls, publishers, announcer, clock)

    def load() -> Loaded:
        if isinstance(environment.next_config, BanlistdError):
            raise environment.next_config
        return loaded_of(environment.next_config or config)

    calls = OwnThreads("file stamp", 8)
    times = WaitingTimes(watch_every=0.005, look_every=timing.look_every, catch_up=timing.catch_up)
    scheduler = PollScheduler(
        ledger, publishers, FileStamps(stamp_of), clock, calls, PartsUnderWay(enforcer.content, ledger), times
    )
    endings = Endings(stores, enforcer, importer.take, announcer, clock)
    hits = HitRecorder(environment.packets, wrap(HitTable(database)), ledger, enforcer, config.hits, announcer, clock)
    evidence = Evidence(hits, CounterTotals(enforcer, wrap(TotalTable(database)), environment.boot))
    history = ListHistory(wrap(VersionTable(database)), ledger)
    suspended = SuspendedSources(
        wrap(SuspensionTable(database)), history, ledger, enforcer.content, importer.take, announcer, clock
    )
    services = Services(
        scheduler,
        importer,
        enforcer,
        manual_bans,
        enricher,
        host,
        trial,
        endings,
        allowlist,
        shadows,
        suspended,
        evidence,
        RememberedOrders(SeenOrderTable(database)),
        (),
    )
    outside = Outside(
        ledger,
        database,
        announcer,
        environment.supervisor,
        clock,
        environment.trimmed.set,
        environment.collected.set,
        environment.monitor,
        environment.login_monitor,
    )
    intervals = Intervals(
        reconcile=timing.reconcile_every, first_retry=timing.first_retry, memory_rest=0.001, trial=0.001, endings=0.005
    )
    service = Service(loaded_of(config), load, services, outside, intervals)
    place = "the place of the configuration"
    now, seen = clock.now(), SeenContents()
    parts = Parts(
        service,
        enforcer,
        manual_bans,
        records,
        ledger,
        quarantine,
        polls,
        findings,
        database,
        clock,
        place,
        enricher,
        host,
        now,
        seen,
        ExportInProgress(),
        kernel.remarks,
        environment.resolve,
        user_name,
        allowlist,
        history,
        exemptions,
        suspended,
        ValueReports(enforcer, shadows, history, NoConnections(), evidence),
        Coverage(kernel.gaps, enforcer, kernel.remarks),
        announcer,
        BrokerRecord(),
        evidence,
        lambda: trial.files,
        ReportTables(database, environment.disk / "db"),
        lambda: None,
        lambda: None,
    )
    return DaemonWorld(
        environment,
        database,
        ledger,
        quarantine,
        geo_cache,
        enforcer,
        polls,
        importer,
        manual_bans,
        enricher,
        scheduler,
        service,
        parts,
        trial,
        endings,
    )


@asynccontextmanager
async def daemon_world(environment: Environment, config: Config, timing: Timing | None = None) -> AsyncIterator[DaemonWorld]:
    """A daemon on the environment's disk, before it has restored anything."""
    async with open_database(environment.disk / "db") as database:
        yield await assemble(environment, config, database, timing=timing)


def run(
    environment: Environment,
    config: Config,
    life: Life,
    *,
    restore: bool = True,
    serve: bool = False,
    before: Life | None = None,
    after: Life | None = None,
    timing: Timing | None = None,
) -> None:
    """One process: restore, live, end. `serve`: with the loops; `before` they start, and `after` they have stopped."""

    async def live() -> None:
        async with daemon_world(environment, config, timing) as world:
            if restore:
                await world.service.restore()
            if before:
                await before(world)
            await (_serve(world, life) if serve else life(world))
            if after:
                await after(world)

    asyncio.run(live())


async def _serve(world: DaemonWorld, life: Life) -> None:
    started = world.announcer.names().count(EventName.SERVICE_STARTED)
    stop = asyncio.Event()
    running = asyncio.ensure_future(world.service.run(stop))
    try:
        await world.announcer.until(EventName.SERVICE_STARTED, times=started + 1)
        await life(world)
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await running
