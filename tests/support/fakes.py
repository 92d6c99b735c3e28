"""Adapters that a test controls: a firewall in memory, lists from a dictionary, a clock that only the test moves."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from banlistd.adapters.firewalls.memory import MemoryFirewall
from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.feeds.reading.whole_list import parsed_list
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.evidence.packets import SampledPacket
from banlistd.errors import BanlistdError, FetchError, FirewallError, LostStructureError
from banlistd.events import Event, EventName
from banlistd.model import Family, Marker, NotModified, Protected, SourceId, Validators
from banlistd.ports import Firewall, OnBody, Supervisor


def open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass
class FakeFetcher:
    """Serves bodies by source; honours the etag, which is the body's hash. `asked` counts fetches with their validators.

    A fetch waits for the `gate`, and for the `parser_gate` once a body is there; `most` is how many were under way at once, by
    source. `now`: when the bodies are read, in seconds since the epoch.
    """

    bodies: dict[SourceId, bytes | FetchError]
    asked: list[tuple[SourceId, Validators]] = field(default_factory=list)
    etags: bool = True
    gate: asyncio.Event = field(default_factory=open_gate)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    parser_gate: asyncio.Event = field(default_factory=open_gate)
    parsing: asyncio.Event = field(default_factory=asyncio.Event)
    faults: dict[SourceId, Exception] = field(default_factory=dict)
    under_way: list[SourceId] = field(default_factory=list)
    most: dict[SourceId, int] = field(default_factory=dict)
    now: int = 0

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        self.under_way.append(source.id)
        self.most[source.id] = max(self.most.get(source.id, 0), self.under_way.count(source.id))
        self.entered.set()
        try:
            await self.gate.wait()
            if source.id in self.faults:
                raise self.faults[source.id]
            return await self._answer(source, validators, on_body)
        finally:
            self.under_way.remove(source.id)

    def polled(self) -> list[SourceId]:
        return [source_id for source_id, _ in self.asked]

    async def _answer(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        self.asked.append((source.id, validators))
        body = self.bodies[source.id]
        if isinstance(body, FetchError):
            raise body
        digest = hashlib.sha256(body).hexdigest()
        if self.etags and validators.etag == digest:
            return NotModified()
        await on_body()
        self.parsing.set()
        await self.parser_gate.wait()
        return Download(
            parsed_list(body, replace(source.format, now=self.now)),
            Validators(etag=digest if self.etags else "", body_hash=digest),
        )


@dataclass
class FakeClock:
    """Time moves when a test moves it, and so does the processor time. `ahead`: by how much the wall clock is wrong."""

    time: float = 1_000_000.0
    used: float = 0.0
    ahead: float = 0.0

    def now(self) -> float:
        return self.time + self.ahead

    def monotonic(self) -> float:
        return self.time

    def processor(self) -> float:
        return self.used


@dataclass
class FakeAnnouncer:
    """Keeps every event, and lets a test wait for one."""

    events: list[Event] = field(default_factory=list)
    _announced: asyncio.Event = field(default_factory=asyncio.Event)

    def announce(self, event: Event) -> None:
        assert event.fields.keys() <= set(event.name.kind.fields)
        self.events.append(event)
        self._announced.set()

    def names(self) -> list[EventName]:
        return [event.name for event in self.events]

    async def until(self, name: EventName, source_id: SourceId | None = None, times: int = 1) -> Event:
        while True:
            found = [event for event in self.events if event.name is name and self._is_about(event, source_id)]
            if len(found) >= times:
                return found[times - 1]
            self._announced.clear()
            async with asyncio.timeout(60):
                await self._announced.wait()

    @staticmethod
    def _is_about(event: Event, source_id: SourceId | None) -> bool:
        return source_id is None or event.fields.get("SOURCE_ID") == source_id


def protected(text: str, reason: str = "gateway") -> Protected:
    address = ip_address(text)
    return Protected(Family.IPV4 if address.version == 4 else Family.IPV6, int(address), int(address), reason)


class FakeHost:
    """Protects the addresses that a test names: none at first. `asked`: the URLs of each look, and whether to look names up."""

    def __init__(self, *addresses: str) -> None:
        self.now = [protected(address) for address in addresses]
        self.asked: list[tuple[Sequence[str], bool]] = []

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        self.asked.append((urls, ask))
        return tuple(self.now)


class FakeLogins:
    """The addresses that a test logs in from: none at first. `looked`: set with each look."""

    def __init__(self, *addresses: str) -> None:
        self.now = list(addresses)
        self.looked = asyncio.Event()

    async def current(self) -> Sequence[tuple[Family, int]]:
        self.looked.set()
        items = (protected(address) for address in self.now)
        return [(item.family, item.first) for item in items]


class FakeHostMonitor:
    """Reports a change when a test says so; `error`: it cannot watch."""

    def __init__(self) -> None:
        self._waiting: asyncio.Event | None = None
        self.error: BanlistdError | None = None

    async def wait_for_change(self) -> None:
        if self.error is not None:
            raise self.error
        self._waiting = asyncio.Event()  # of the loop that runs: an environment outlives it
        await self._waiting.wait()

    def change(self) -> None:
        assert self._waiting is not None
        self._waiting.set()


class FakePackets:
    """The PacketLog: samples that a test names; `error`: there are none to be had. `lost`: as a test sets it."""

    def __init__(self) -> None:
        self.waiting: list[SampledPacket] = []
        self.error: FirewallError | None = None
        self.lost = 0
        self._arrived: asyncio.Event | None = None
        self._taken: asyncio.Event | None = None

    async def until_taken(self) -> None:
        """Wait until what arrived was taken."""
        self._taken = asyncio.Event()
        if self.waiting:
            await self._taken.wait()

    def arrive(self, *samples: SampledPacket) -> None:
        self.waiting += samples
        if self._arrived is not None:
            self._arrived.set()

    async def packets(self) -> Sequence[SampledPacket]:
        if self.error is not None:
            raise self.error
        while not self.waiting:
            self._arrived = asyncio.Event()  # of the loop that runs: an environment outlives it
            await self._arrived.wait()
        taken, self.waiting = self.waiting, []
        if self._taken is not None:
            self._taken.set()
        return taken


class FakeFirewall(MemoryFirewall):
    """The memory backend. `changes`: what was applied, in order.

    A test can let it fail before or after a change, lose everything just before so many changes (`losses`), fail whenever it is
    read (`blind`), or wait for the `gate` at a change.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[Change] = []
        self.fail_before = False
        self.fail_after = False
        self.losses = 0
        self.blind = False
        self.gate = open_gate()
        self.entered = asyncio.Event()
        self.looked = asyncio.Event()

    @property
    def transactions(self) -> int:
        return len(self.changes)

    def lose_answers(self) -> None:
        """Another program lets no answer pass any more."""
        self._answers = ()

    def lose_structure(self) -> None:
        """Another program removes tables and rules, and no element."""
        self._sources = None

    async def markers(self) -> tuple[Marker, ...]:
        self.looked.set()
        if self.blind:
            raise FirewallError("the kernel does not answer")
        return await super().markers()

    async def apply(self, change: Change) -> int:
        self.entered.set()
        await self.gate.wait()
        if self.fail_before:
            raise FirewallError("the kernel said no", "a test asked for it")
        if self.losses:
            self.losses -= 1
            await self.teardown()
            raise LostStructureError("another program deleted the table", "a test asked for it")
        written = await super().apply(change)
        self.changes.append(change)
        if self.fail_after:
            raise FirewallError("the answer was lost", "a test asked for it")
        return written


class FakeSupervisor:
    """Keeps what the service manager would receive; `fed` is set with each sign of life."""

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


_: type[Firewall] = FakeFirewall
_supervisor: type[Supervisor] = FakeSupervisor
