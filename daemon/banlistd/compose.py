"""The one place where parts meet. They are opened in order on an exit stack and closed in reverse."""

import os
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version

from banlistd.adapters.fetch.connections import Listeners
from banlistd.adapters.fetch.file import LocalFiles, stamp_of
from banlistd.adapters.fetch.geo_blocks import GeoBlocks
from banlistd.adapters.fetch.http import Downloads
from banlistd.adapters.firewalls.dry_run import DryRunFirewall
from banlistd.adapters.firewalls.opener import open_backend
from banlistd.adapters.host.connections import LinuxConnections
from banlistd.adapters.host.coverage.uncovered import UncoveredTraffic
from banlistd.adapters.host.login_monitor import LoginMonitor
from banlistd.adapters.host.peer import user_name
from banlistd.adapters.host.protected import LinuxHost
from banlistd.adapters.host.resolver import Names
from banlistd.adapters.host.sessions import SystemLogins
from banlistd.adapters.parser_process.process import ParserProcesses
from banlistd.adapters.signatures.verifier import PublisherProofs
from banlistd.adapters.storage.backends_in_use import BackendsInUse
from banlistd.adapters.storage.database import open_copy
from banlistd.adapters.storage.evidence.hits import HitTable
from banlistd.adapters.storage.evidence.totals import TotalTable
from banlistd.adapters.storage.geo_cache import GeoCacheTable
from banlistd.adapters.storage.host.exemptions import ExemptionTable
from banlistd.adapters.storage.host.known_names import KnownNames
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
from banlistd.adapters.storage.state_files import is_there
from banlistd.adapters.storage.value.shadows import ShadowTable
from banlistd.adapters.storage.versions.departures import DepartureTable
from banlistd.adapters.storage.versions.suspension_table import SuspensionTable
from banlistd.adapters.storage.versions.version_table import VersionTable
from banlistd.adapters.system import allocator, config_file
from banlistd.adapters.system.clock import SystemClock, boot_name
from banlistd.adapters.system.journal import WarningsAnnouncer, find_announcer
from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.adapters.system.supervisor import find_supervisor
from banlistd.application import Application
from banlistd.backends import BackendName
from banlistd.control.parts import ExportInProgress, Parts, answered_by
from banlistd.control.seen import SeenContents
from banlistd.core.config.kept import Files, Loaded
from banlistd.core.config.model import Config
from banlistd.core.ruleset.lifting import Lift
from banlistd.core.ruleset.policy import identities, policy_of, unread
from banlistd.daemon import Outside, Service, Services
from banlistd.paths import Paths
from banlistd.ports import Firewall
from banlistd.services.backend_migration import BackendMigration
from banlistd.services.enforcer import Enforcer
from banlistd.services.evidence.evidence import Evidence
from banlistd.services.evidence.hits import HitRecorder
from banlistd.services.evidence.totals import CounterTotals
from banlistd.services.file_stamps import FileStamps
from banlistd.services.geo_enricher import Enricher
from banlistd.services.history.exemptions import ExemptionRecord
from banlistd.services.history.list_history import ListHistory
from banlistd.services.history.suspended import SuspendedSources
from banlistd.services.importer import Importer
from banlistd.services.imports.combinations import Combinations
from banlistd.services.imports.crowdsec import CrowdsecStreams
from banlistd.services.imports.endings import Endings
from banlistd.services.imports.host_names import HostNames
from banlistd.services.imports.needs import Stores
from banlistd.services.imports.parts_under_way import PartsUnderWay
from banlistd.services.imports.publishers import Publishers
from banlistd.services.imports.taxii import TaxiiCollections
from banlistd.services.loops.allowing import ManualAllowlist
from banlistd.services.loops.intervals import Intervals
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.null_objects import NoConnections
from banlistd.services.obeying.remembered import RememberedOrders
from banlistd.services.orders.marks import marks_by_hand
from banlistd.services.poll_record import PollRecord
from banlistd.services.poll_scheduler import PollScheduler
from banlistd.services.protected_host import ProtectedHost
from banlistd.services.reloading.trial import ConfirmedSnapshots, Trial
from banlistd.services.reports.exempt import exempt_at
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream
from banlistd.services.value.reporting import ValueReports
from banlistd.services.value.shadows import Shadows
from banlistd.services.verdicts.coverage import Coverage
from banlistd.starting import garbage
from banlistd.starting.first_start import Begun
from banlistd.starting.fleet import FleetInForce
from banlistd.starting.noting import ReportNotes
from banlistd.starting.opening import at_rest, closed, geo_resolvers, host_monitor, name_lookups, packets
from banlistd.starting.remarks import remarks_of_now
from banlistd.starting.state import effect, open_state


def load_config(places: Paths) -> Config:
    """The configuration, checked. Raises ConfigError with every problem."""
    return load_files(places).config


def load_files(places: Paths) -> Loaded:
    """The same, with the files that it was read from."""
    return config_file.load(places.config)


def files_of_now(places: Paths) -> Files:
    """The files of the configuration as they are at this moment, not parsed."""
    return config_file.read_files(places.config)


async def reload_effect(places: Paths, config: Config) -> Lift | None:
    """What a reload of this configuration would lift, by what is written down; None where nothing is. Raises LedgerError."""
    if not is_there(places.database):
        return None
    async with open_copy(places.database, places.scratch) as database:
        return await effect(database, config)


@asynccontextmanager
async def open_application(
    places: Paths,
    loaded: Loaded,
    *,
    dry_run: Callable[[str], None] | None = None,
    stdin: int | None = None,
    debug: bool = False,
    begun: Begun = None,
) -> AsyncIterator[Application]:
    """Build everything on these places.

    `dry_run`: touch nothing; it gets each change as lines of text, and the ledger is a copy in memory. `debug`: it
    announces every event, and not only what is wrong. `stdin`: the descriptor that a path `-` means. `begun`: forks parsers.
    """
    allocator.tune_malloc()
    async with AsyncExitStack() as stack:
        database, loaded, remark = await open_state(stack, places, loaded, dry_run=dry_run is not None)
        config, kept = loaded.config, KeptConfigTable(database)
        records, ledger, quarantine = SourceRecordTables(database), ImportRuns(database), QuarantineTable(database)
        parser = ParserProcesses(
            config.parser.memory, expects_lists=bool(unread(config, await ledger.newest_runs())), begun=begun
        )
        stack.push_async_callback(parser.close)
        clock, orders, stamps = SystemClock(), RememberedOrders(SeenOrderTable(database)), FileStamps(stamp_of)
        announcer = EventStream(
            find_announcer(config.log.format) if dry_run is None or debug else WarningsAnnouncer(sys.stderr), clock
        )
        trial, broker, notes = (
            Trial(kept, database, clock, remark, announcer),
            BrokerRecord(str(config.mqtt.broker) if config.mqtt else ""),
            ReportNotes(config.fleet, clock),
        )
        firewall: Firewall = open_backend(config.backend, config)
        if dry_run is not None:
            firewall = DryRunFirewall(firewall, dry_run)
        stack.push_async_callback(firewall.close)
        marks = await ledger.marks_for(identities(config), await firewall.markers())
        known_names = KnownNames(database)
        names = Names(clock, known=await known_names.every(), keep=known_names.keep)
        stack.push_async_callback(names.wait_until_idle)
        *monitors, (lookups, timed_lookups) = (
            host_monitor(stack),
            closed(stack, LoginMonitor()),
            name_lookups(stack, clock),
        )
        logins, history, allowlist = (
            LoginTable(database),
            ListHistory(VersionTable(database), ledger),
            ManualAllowlist(ManualAllowTable(database), timed_lookups.answer, announcer, clock, random.random),
        )
        host = ProtectedHost(
            LinuxHost(names.addresses, os.environ),
            SystemLogins(os.environ),
            logins,
            clock,
            await logins.load(),
            tells_answers=config.backend.kind.capabilities.tells_answers,
            allowed=allowlist.protection,
        )
        shadows = await Shadows.opened(ShadowTable(database), announcer, clock)
        policy = policy_of(config, marks, clock.now(), shadows.now_in_shadow(config))
        boot_snapshots, connections, uncovered = (
            BootSnapshotTable(database, config.backend, config.owner, translated=config.translated),
            closed(stack, LinuxConnections(translates=config.translates)),
            closed(stack, UncoveredTraffic()),
        )
        exemptions = ExemptionRecord(ConfirmedSnapshots(boot_snapshots, trial), ExemptionTable(database), clock)
        ended = connections if dry_run is None else NoConnections()
        enforcer = Enforcer(firewall, ledger, policy, host, announcer, exemptions, ended)
        stack.push_async_callback(at_rest, enforcer)
        bans = ManualBanService(
            ManualBanTable(database, notes.note),
            enforcer,
            host,
            announcer,
            clock,
            marks=partial(marks_by_hand, ledger, firewall) if config.backend.kind.capabilities.scopes else None,
        )
        reports, exempt = ReportTables(database, places.database), partial(exempt_at, enforcer, host)
        enricher = Enricher(
            config.geo, lambda geo: geo_resolvers(geo, places), GeoCacheTable(database), ledger, announcer, clock
        )
        local, findings = LocalFiles(parser, places.secret_folders, stdin=stdin, note=stamps.note), FindingTable(database)
        lists, publishers = GeoBlocks(lambda: enricher.databases, stamp_of, local), Publishers(RequestTable(database), clock)
        polls = PollRecord(records, ledger, quarantine, publishers, findings, announcer, clock, random.random)
        stores, listeners, under_way = (
            Stores(records, ledger, quarantine, EndTable(database)),
            Listeners(names.note_connection, polls.note_arrival),
            PartsUnderWay(enforcer.content, ledger),
        )
        downloads = Downloads(version("banlistd"), lists, parser, PublisherProofs(), places.credentials, listeners=listeners)
        streams = CrowdsecStreams(HostNames(timed_lookups.answer, TaxiiCollections(downloads, clock)), clock.monotonic)
        fleet = FleetInForce(config.fleet, database, places, enforcer.content, announcer, clock, streams)
        combinations = Combinations(enforcer.content, DepartureTable(database), clock, fleet.sighted(reports, exempt))
        importer = Importer(combinations, stores, enforcer, polls, publishers, announcer, clock)
        scheduler, endings, suspended, evidence = (
            PollScheduler(ledger, publishers, stamps, clock, OwnThreads("file stamp", 8), under_way),
            Endings(stores, enforcer, importer.take, announcer, clock),
            SuspendedSources(SuspensionTable(database), history, ledger, enforcer.content, importer.take, announcer, clock),
            Evidence(
                HitRecorder(
                    packets(stack, config, dry_run), HitTable(database), ledger, enforcer, config.hits, announcer, clock
                ),
                CounterTotals(enforcer, TotalTable(database), boot_name()),
            ),
        )
        services = Services(
            scheduler,
            importer,
            enforcer,
            bans,
            enricher,
            host,
            trial,
            endings,
            allowlist,
            shadows,
            suspended,
            evidence,
            orders,
            (notes.configure, fleet.configure),
        )
        outside = Outside(
            ledger, database, announcer, find_supervisor(), clock, allocator.trim_memory, garbage.look_at_rest, *monitors
        )
        service = Service(loaded, partial(load_files, places), services, outside, Intervals())
        remarks = partial(remarks_of_now, service, firewall, connections, uncovered, trial, evidence.hits, places, fleet)
        parts = Parts(
            service,
            enforcer,
            bans,
            records,
            ledger,
            quarantine,
            polls,
            findings,
            database,
            clock,
            str(places.config),
            enricher,
            host,
            clock.now(),
            SeenContents(),
            ExportInProgress(),
            remarks,
            lookups.addresses,
            user_name,
            allowlist,
            history,
            exemptions,
            suspended,
            ValueReports(enforcer, shadows, history, connections, evidence),
            Coverage(firewall.gaps, enforcer, uncovered.remarks),
            announcer,
            broker,
            evidence,
            lambda: trial.files,
            reports,
            fleet.lists,
            fleet.roll_out,
        )
        makers = {str(name): partial(open_backend, name, config) for name in BackendName if dry_run is None}
        migration = BackendMigration(BackendsInUse(database), str(config.backend), makers, announcer)
        yield Application(
            service,
            partial(answered_by, parts),
            enforcer,
            findings,
            database,
            announcer,
            migration,
            remarks,
            user_name,
            announcer,
            orders,
            clock,
            broker,
            ledger,
            reports,
            exempt,
            fleet.lists,
            parts.started_at,
            fleet.witness,
            fleet.roll_out,
        )
