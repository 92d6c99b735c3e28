"""A hub at work: what is completed is gathered for a while, encoded in a thread, and published by a program of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from banlistd.core.feeds.content import Content
from banlistd.core.fleet.publish_job import NewContent, Published
from banlistd.core.printing import counted
from banlistd.errors import FleetError, LedgerError, StoodDownError
from banlistd.events import Event, EventName
from banlistd.model import RunState, SourceId
from banlistd.ports import Announcer, Clock, Ledger, Storage
from banlistd.ports.fleet import Repository
from banlistd.services.publishing.encoding import fleet_content

RENEWED_EVERY = 3600.0
"""Seconds between two timestamps; each is good for a day."""

_LOOKS_EVERY = 5.0
"""Seconds until it is noticed that the owners of the fleet have installed something, or that the hub was promoted."""

_JUMP = 60.0
"""Seconds by which the wall clock was set, or that the machine slept: for nodes, what was signed may have expired."""

_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 600.0
_WARNED_BEFORE = 30 * 86400.0
"""Seconds before root or targets end."""


@dataclass(frozen=True, slots=True)
class HubParts:
    """`content`: of a source, as it is in force. `imported`: waits for the next completed import of one of the lists, at most
    so many seconds; whether there was one.
    """

    content: Callable[[SourceId], Content | None]
    imported: Callable[[float], Awaitable[bool]]
    ledger: Ledger
    storage: Storage
    repository: Repository
    announcer: Announcer
    clock: Clock


class Publisher:
    """`lists`: ids of sources. `every`: seconds in which changes are gathered."""

    def __init__(self, lists: Sequence[SourceId], every: float, parts: HubParts) -> None:
        self._lists = lists
        self._every = every
        self._parts = parts
        self._published: Published | None = None
        self._stamp: object = None
        self._due = self._skew = 0.0
        self._pause = 0.0
        self._fault = ""

    async def run(self) -> NoReturn:
        """Until it is cancelled."""
        has_news = True
        while True:
            await self.turn(has_news=has_news)
            if has_news := await self._parts.imported(min(_LOOKS_EVERY, max(self._due - self._now, 0.1))):
                await asyncio.sleep(self._every)

    @property
    def _now(self) -> float:
        return self._parts.clock.monotonic()

    async def turn(self, *, has_news: bool) -> None:
        """Publish if the time or a completed import asks for it; a fault is announced once, and tried again after a pause."""
        stamp = await self._parts.repository.stamp()
        skew = self._parts.clock.now() - self._now
        is_due = self._now >= self._due or stamp != self._stamp or abs(skew - self._skew) > _JUMP
        try:
            if not is_due and (self._pause or not has_news or not await self._waiting()):
                return
            await self._publish(renews=is_due)
        except (FleetError, LedgerError) as error:
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._due = self._now + (_LONGEST_PAUSE if isinstance(error, StoodDownError) else self._pause)
            self._tell_fault(str(error))
        else:
            self._pause, self._due = 0.0, self._now + RENEWED_EVERY
        self._stamp, self._skew = stamp, skew

    async def _waiting(self) -> list[Content]:
        """Completed contents that are in force, and not published. Raises LedgerError."""
        if self._published is None:
            return []
        runs = await self._parts.ledger.newest_runs()
        found = []
        for name in self._lists:
            content, run = self._parts.content(name), runs.get(name)
            if content is None or content.adopted or run is None:
                continue
            known = self._published.lists.get(name, ())
            is_completed = run.state is RunState.COMPLETED and run.content_hash == content.content_hash
            if is_completed and (not known or known[0].content != content.content_hash):
                found.append(content)
        return found

    async def _publish(self, *, renews: bool) -> None:
        parts, began = self._parts, self._now
        if fault := parts.storage.fault:
            raise FleetError(f"the state is in memory only ({fault})", "a hub publishes what is written down")
        if self._published is None or renews:
            # Also what was promoted or copied from a mirror meanwhile.
            self._published = await parts.repository.state(self._lists)
        before = self._published
        lists = {str(content.source_id): await self._encoded(content, before) for content in await self._waiting()}
        self._published = await parts.repository.publish(self._lists, lists, looks_around=renews)
        if lists or before.root != self._published.root or self._published.timestamp != before.timestamp + 1:
            names = ", ".join(f"{name} ({counted(new.entries, 'entry', 'entries')})" for name, new in lists.items())
            words = f"published version {self._published.timestamp}: {names or f'root {self._published.root}'}"
            fields: dict[str, str | int | float] = {
                "VERSION": self._published.timestamp,
                "ENTRIES": sum(new.entries for new in lists.values()),
                "DURATION_MS": round((self._now - began) * 1000),
            }
            parts.announcer.announce(Event(EventName.FLEET_PUBLISHED, words, fields))
        left = self._published.offline_expires - parts.clock.now()
        if left < _WARNED_BEFORE:
            self._tell_fault("root or targets of the fleet end within 30 days (banlistctl fleet rotate FOLDER)")
        elif self._fault:
            self._fault = ""
            parts.announcer.announce(Event(EventName.FLEET_FAULT_OVER, "the lists of the fleet are published again"))

    async def _encoded(self, content: Content, before: Published) -> NewContent:
        known = before.lists.get(content.source_id, ())
        return await asyncio.to_thread(
            fleet_content, content.content_hash, content.addresses, known, self._parts.repository.whole_file
        )

    def _tell_fault(self, reason: str) -> None:
        if reason != self._fault:
            self._fault = reason
            self._parts.announcer.announce(Event(EventName.FLEET_FAULT, f"not published: {reason}", {"REASON": reason}))
