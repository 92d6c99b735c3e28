"""Doors that tests hold in their own hands: lists from a dictionary, a clock that stands, an announcer that listens."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from banlistd.adapters.firewalls.memory import MemoryFirewall
from banlistd.core.config.model import Source
from banlistd.core.ruleset.diff import Change
from banlistd.errors import FetchError, FirewallError
from banlistd.events import Event, EventName
from banlistd.model import Download, NotModified, Protected, SourceId, Validators
from banlistd.ports import Firewall


@dataclass
class CannedFetcher:
    """Serves bodies by source; honours the etag, which is the body's hash. `asked` counts fetches with their validators."""

    bodies: dict[SourceId, bytes | FetchError]
    asked: list[tuple[SourceId, Validators]] = field(default_factory=list)
    etags: bool = True

    async def fetch(self, source: Source, validators: Validators) -> Download | NotModified:
        self.asked.append((source.id, validators))
        body = self.bodies[source.id]
        if isinstance(body, FetchError):
            raise body
        digest = hashlib.sha256(body).hexdigest()
        if self.etags and validators.etag == digest:
            return NotModified()
        return Download(body, Validators(etag=digest if self.etags else "", body_hash=digest))


@dataclass
class StandingClock:
    """Time moves when a test moves it."""

    time: float = 1_000_000.0

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time


@dataclass
class ListeningAnnouncer:
    events: list[Event] = field(default_factory=list)

    def announce(self, event: Event) -> None:
        assert event.fields.keys() <= set(event.name.kind.fields)
        self.events.append(event)

    def names(self) -> list[EventName]:
        return [event.name for event in self.events]


class OpenHost:
    """A machine on which nothing is to be protected."""

    async def protected(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        return ()


class CountingFirewall(MemoryFirewall):
    """The memory backend, counting transactions; it can be told to fail, before or after the change."""

    def __init__(self) -> None:
        super().__init__()
        self.transactions = 0
        self.fail_before = False
        self.fail_after = False

    async def apply(self, change: Change) -> int:
        if self.fail_before:
            raise FirewallError("the kernel said no", "a test told it to")
        written = await super().apply(change)
        self.transactions += 1
        if self.fail_after:
            raise FirewallError("the answer was lost", "a test told it to")
        return written


_: type[Firewall] = CountingFirewall
