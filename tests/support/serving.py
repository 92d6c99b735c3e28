"""A service over real parts: importer, enforcer, a ledger on a real file; the memory backend stands for a kernel.

The clock stands until a test moves it, so what is not due stays so; a test waits for an event, never for a time.
"""

import asyncio
import datetime as dt
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from banlistd.adapters.fetch.file import stamp_of
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.addresses.sets import to_text
from banlistd.core.config.model import AllowEntry, Config, Source
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import identities, policy_of
from banlistd.daemon import Service
from banlistd.errors import BanlistdError, FetchError, FirewallError
from banlistd.events import Event, EventName
from banlistd.model import BackendName, Download, Marker, NotModified, SourceId, Validators
from banlistd.services.enforcer import Enforcer
from banlistd.services.geo_enricher import Enricher
from banlistd.services.importer import Importer
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.poll_scheduler import PollScheduler
from support.fakes import CannedFetcher, CountingFirewall, ListeningAnnouncer, OpenHost, StandingClock
from support.geography import enricher_of

ONE, TWO, THREE = SourceId("one"), SourceId("two"), SourceId("three")
BODIES: dict[SourceId, bytes | FetchError] = {ONE: b"192.0.2.1\n", TWO: b"192.0.2.2\n", THREE: b"192.0.2.3\n"}
NEVER = 1e9


def source(source_id: SourceId, **keys: object) -> Source:
    place = {} if "path" in keys else {"url": f"https://lists.example/{source_id}"}
    return Source.model_validate({"id": source_id, **place, **keys})


class Announcer(ListeningAnnouncer):
    """Lets a test wait for what happens."""

    def __init__(self) -> None:
        super().__init__()
        self._told = asyncio.Event()

    def announce(self, event: Event) -> None:
        super().announce(event)
        self._told.set()

    async def until(self, name: EventName, source_id: SourceId | None = None, times: int = 1) -> Event:
        while True:
            found = [event for event in self.events if event.name is name and self._is_about(event, source_id)]
            if len(found) >= times:
                return found[times - 1]
            self._told.clear()
            async with asyncio.timeout(20):
                await self._told.wait()

    @staticmethod
    def _is_about(event: Event, source_id: SourceId | None) -> bool:
        return source_id is None or event.fields.get("SOURCE_ID") == source_id


class Fetcher(CannedFetcher):
    """While the gate is shut a fetch waits; `most` is how many were under way at once, by source."""

    def __init__(self) -> None:
        super().__init__(dict(BODIES))
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.faults: dict[SourceId, Exception] = {}
        self.under_way: list[SourceId] = []
        self.most: dict[SourceId, int] = {}

    async def fetch(self, source: Source, validators: Validators) -> Download | NotModified:
        self.under_way.append(source.id)
        self.most[source.id] = max(self.most.get(source.id, 0), self.under_way.count(source.id))
        self.entered.set()
        try:
            await self.gate.wait()
            if source.id in self.faults:
                raise self.faults[source.id]
            return await super().fetch(source, validators)
        finally:
            self.under_way.remove(source.id)

    def polled(self) -> list[SourceId]:
        return [source_id for source_id, _ in self.asked]


class Firewall(CountingFirewall):
    """It can be blind: then every look at it fails. It can be slow: then a change waits until the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.blind = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.looked = asyncio.Event()

    async def markers(self) -> tuple[Marker, ...]:
        self.looked.set()
        if self.blind:
            raise FirewallError("the kernel does not answer")
        return await super().markers()

    async def apply(self, change: Change) -> int:
        self.entered.set()
        await self.gate.wait()
        return await super().apply(change)


class Supervisor:
    """Writes down what the service manager would hear; `fed` is set with each feeding."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.fed = asyncio.Event()
        self.watchdog_interval: float | None = None

    def ready(self) -> None:
        self.heard.append("ready")

    def reloading(self) -> None:
        self.heard.append("reloading")

    def stopping(self) -> None:
        self.heard.append("stopping")

    def status(self, text: str) -> None:
        self.heard.append(text)

    def alive(self) -> None:
        self.fed.set()


@dataclass
class Application:
    """A service and all that it stands on; `given` is what the next reload reads."""

    given: Config | BanlistdError
    ledger: ImportRuns
    service: Service = field(init=False)
    banning: ManualBanService = field(init=False)
    enricher: Enricher = field(init=False)
    clock: StandingClock = field(default_factory=StandingClock)
    announcer: Announcer = field(default_factory=Announcer)
    fetcher: Fetcher = field(default_factory=Fetcher)
    firewall: Firewall = field(default_factory=Firewall)
    supervisor: Supervisor = field(default_factory=Supervisor)
    relief: threading.Event = field(default_factory=threading.Event)  # memory was given back

    def load(self) -> Config:
        if isinstance(self.given, BanlistdError):
            raise self.given
        return self.given

    def banned(self) -> set[str]:
        """What the firewall itself holds."""
        return {
            to_text(map_entries.family, first) for map_entries in self.firewall.maps.values() for first in map_entries.first
        }


Life = Callable[[Application], Awaitable[None]]


def serve(
    disk: Path,
    config: Config,
    life: Life,
    *,
    before: Life | None = None,
    after: Life | None = None,
    reconcile_every: float = NEVER,
    first_retry: float = NEVER,
    look_every: float = NEVER,
    databases: tuple[Path, ...] = (),
) -> None:
    """Run a service on a disk, live with it, and stop it. `before` it runs and `after` it has stopped, there are words too.

    `databases`: mmdb files that know where addresses belong.
    """

    async def run() -> None:
        async with open_database(disk / "db") as database:
            application = Application(config, ImportRuns(database))
            marks = await application.ledger.marks_for(identities(config))
            enforcer = Enforcer(application.firewall, application.ledger, policy_of(config, marks, application.clock.now()))
            quarantine = QuarantineTable(database)
            table = ManualBanTable(database)
            application.banning = ManualBanService(
                table, enforcer, OpenHost(), application.announcer, application.clock, look_every=0.005, retry_every=0.005
            )
            importer = Importer(
                application.fetcher,
                application.ledger,
                quarantine,
                enforcer,
                application.announcer,
                application.clock,
                chance=lambda: 0.5,
            )
            application.enricher = enricher_of(
                database, application.ledger, application.announcer, application.clock, *databases
            )
            timetable = PollScheduler(application.ledger, stamp_of, application.clock, watch_every=0.005, look_every=look_every)
            application.service = Service(
                config,
                application.load,
                timetable,
                importer,
                enforcer,
                application.ledger,
                database,
                application.announcer,
                application.supervisor,
                application.clock,
                application.enricher,
                reconcile_every=reconcile_every,
                first_retry=first_retry,
                banning=application.banning,
                trim_memory=application.relief.set,
                rest=0.001,
            )
            await application.service.restore()
            if before:
                await before(application)
            stop = asyncio.Event()
            running = asyncio.ensure_future(application.service.run(stop))
            try:
                await application.announcer.until(EventName.SERVICE_STARTED)
                await life(application)
            finally:
                stop.set()
                async with asyncio.timeout(20):
                    await running
            if after:
                await after(application)

    asyncio.run(run())


def config_of(*sources: Source, **keys: object) -> Config:
    return Config.model_validate({"backend": BackendName.MEMORY, "sources": sources, **keys})


BOTH = config_of(source(ONE), source(TWO))


async def completed(application: Application, *source_ids: SourceId) -> None:
    for source_id in source_ids:
        await application.announcer.until(EventName.IMPORT_COMPLETED, source_id)


def allow(address: str, until: dt.datetime | None = None) -> AllowEntry:
    return AllowEntry(first=ip_address(address), last=ip_address(address), until=until)
