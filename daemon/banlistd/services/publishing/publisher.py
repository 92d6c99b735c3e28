"""A hub at work: what is completed is gathered for a while, encoded in a thread, and published by a program of its own."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from banlistd.core.feeds.content import Content
from banlistd.core.fleet.publish_job import NewContent, Published
from banlistd.core.fleet.roll_out.stops import NO_STOP, UNTOUCHED, SignedStop, next_version, signed_stop
from banlistd.core.printing import counted
from banlistd.errors import BanlistdError, FleetError, LedgerError, StoodDownError
from banlistd.events import Event, EventName
from banlistd.model import RunState, SourceId
from banlistd.ports import Announcer, Clock, Ledger, Storage
from banlistd.ports.fleet import Repository
from banlistd.services.publishing.encoding import earlier_content, fleet_content
from banlistd.services.publishing.roll_out import RollOut

RENEWED_EVERY = 3600.0
"""Seconds between two timestamps; each is good for a day."""

_GATHERS = 0.5
"""Seconds in which imports that end together are gathered, where nothing was published for longer than `every`."""

_LOOKS_EVERY = 5.0
"""Seconds until it is noticed that the owners of the fleet have installed something, or that the hub was promoted."""

_LOOKS_WHILE_ASKING = 1.0
"""The same while another hub is asked to sign."""

_JUMP = 60.0
"""Seconds by which the wall clock was set, or that the machine slept: for nodes, what was signed may have expired."""

_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 600.0
_WARNED_BEFORE = 30 * 86400.0
"""Seconds before root or targets end."""


@dataclass(frozen=True, slots=True)
class HubParts:
    """`content`: of a source, as it is in force. `news`: waits for the next completed import of one of the lists, or for an
    order about one, at most so many seconds; whether there was any. `roll_out`: which lists are stopped. `poll`: a source, now;
    whether it gave a good list.
    """

    content: Callable[[SourceId], Content | None]
    news: Callable[[float], Awaitable[bool]]
    ledger: Ledger
    storage: Storage
    repository: Repository
    announcer: Announcer
    clock: Clock
    roll_out: RollOut
    poll: Callable[[SourceId], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A version that is to be published. `content` None: it was published before. `stop`: as it is signed."""

    content_hash: str
    content: Content | None
    stop: SignedStop


class Publisher:
    """`lists`: ids of sources. `every`: seconds between two publications of changes, at least."""

    def __init__(self, lists: Sequence[SourceId], every: float, parts: HubParts) -> None:
        self._lists = lists
        self._every = every
        self._parts = parts
        self._published: Published | None = None
        self._stamp: object = None
        self._due = self._skew = 0.0
        self._published_at = -math.inf
        self._pause = self._retry = 0.0
        self._changes = 0
        self._fault = ""
        # What an earlier process has left in force, and of whose source nothing is known since.
        self._left = {name: content.content_hash for name in lists if (content := parts.content(name)) is not None}
        self._older: set[SourceId] = set()
        self._is_behind = False

    async def run(self) -> NoReturn:
        """Until it is cancelled."""
        has_news = True
        while True:
            await self.turn(has_news=has_news)
            waits = self._published is not None and self._published.proposals
            seconds = _LOOKS_WHILE_ASKING if waits else _LOOKS_EVERY
            if has_news := await self._parts.news(min(seconds, max(self._due - self._now, 0.1))):
                since = self._now - self._published_at
                await self._parts.roll_out.wait(self._changes, max(_GATHERS, self._every - since))

    @property
    def _now(self) -> float:
        return self._parts.clock.monotonic()

    async def turn(self, *, has_news: bool) -> None:
        """Publish if the time or news ask for it; a fault is announced once, and tried again after a pause."""
        stamp = await self._parts.repository.stamp()
        skew = self._parts.clock.now() - self._now
        is_due = self._now >= self._due or stamp != self._stamp or abs(skew - self._skew) > _JUMP
        # What is withdrawn does not wait for the end of a pause: nodes wait with it, and not for long.
        has_moved, self._changes = self._parts.roll_out.changes != self._changes, self._parts.roll_out.changes
        try:
            asks = has_moved or (has_news and not self._pause)
            if not is_due and not (asks and await self._waiting()):
                return
            is_whole = await self._publish(renews=is_due)
        except (FleetError, LedgerError) as error:
            self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._due = self._now + (_LONGEST_PAUSE if isinstance(error, StoodDownError) else self._pause)
            self._tell_fault(error)
        else:
            # A list that could not be read is tried again before the next timestamp is due.
            self._retry = 0.0 if is_whole else min(max(self._retry * 2, _FIRST_PAUSE), _LONGEST_PAUSE)
            self._pause, self._due = 0.0, self._now + (self._retry or RENEWED_EVERY)
        self._stamp, self._skew = stamp, skew

    async def _waiting(self) -> dict[SourceId, _Wanted]:
        """What is to be published and is not, by its list. Raises LedgerError."""
        if self._published is None:
            return {}
        completed = await self._completed()
        states = await self._parts.roll_out.states()
        for name, imported in completed.items():
            if states.get(name, UNTOUCHED).bad:
                await self._parts.roll_out.completed(name, imported.content_hash)
                states = await self._parts.roll_out.states()
        found = {}
        for name in self._lists:
            state, content = states.get(name, UNTOUCHED), completed.get(name)
            known = [each.content for each in self._published.lists.get(name, ())]
            wanted = next_version(state, known, content.content_hash if content else "")
            present = wanted or (known[0] if known else "")
            stop, asked = signed_stop(state, present), self._published.proposals.get(name)
            if asked is not None and (asked.content, asked.stop) == (present, stop):
                continue  # the other hubs are asked to sign it
            # What they are asked for may have been stopped meanwhile: then what is published takes its place.
            if wanted or (present and (asked or stop != self._published.stops.get(name, NO_STOP))):
                at_hand = content if content is not None and content.content_hash == present else None
                found[name] = _Wanted(present, at_hand, stop)
        return found

    async def _completed(self) -> dict[SourceId, Content]:
        """Contents that are in force, and whose import is completed. Raises LedgerError."""
        runs, found = await self._parts.ledger.newest_runs(), {}
        for name in self._lists:
            content, run = self._parts.content(name), runs.get(name)
            if content is None or content.adopted or run is None:
                continue
            is_done = run.state is RunState.COMPLETED and run.content_hash == content.content_hash
            if is_done and await self._may_be_newest(name, content.content_hash):
                found[name] = content
        return found

    async def _may_be_newest(self, name: SourceId, content_hash: str) -> bool:
        """The database may be a copy from before: then the folder has a newer content, and the source is polled first."""
        known = [one.content for one in self._published.lists.get(name, ())] if self._published else []
        if self._left.get(name) != content_hash or not known or content_hash == known[0]:
            self._older.discard(name)
            return True
        is_good = await self._parts.poll(name)
        # What the folder does not know may be from just before the end of the last process. Where the database does not know
        # what was published last, it may be from before all that the folder knows.
        if is_good or (content_hash not in known and not self._is_behind):
            del self._left[name]
            self._older.discard(name)
        else:
            self._older.add(name)
        now = self._parts.content(name)
        return name not in self._left and now is not None and now.content_hash == content_hash

    async def _publish(self, *, renews: bool) -> bool:
        """Whether nothing was left out. Raises FleetError and LedgerError."""
        parts, began = self._parts, self._now
        if self._published is None or renews:
            # Also what was promoted or copied from a mirror meanwhile.
            is_first, self._published = self._published is None, await parts.repository.state(self._lists)
            if is_first:
                # An end between a publication and the note of it leaves out one version.
                self._is_behind = self._published.timestamp > await parts.roll_out.highest() + 1
            parts.roll_out.note(self._lists, self._published)
            await parts.roll_out.learn()
        # Only now: an operator may stop a list before there is room on the disk again.
        if fault := parts.storage.fault:
            raise FleetError(f"the state is in memory only ({fault})", "a hub publishes what is written down")
        before = self._published
        lists, missed = await self._new_contents(before)
        above = await parts.roll_out.highest()
        self._published = await parts.repository.publish(self._lists, lists, looks_around=renews, above=above)
        if lists:
            self._published_at = self._now
        parts.roll_out.note(self._lists, self._published)
        new = _newly_published(before, self._published, lists)
        if new or before.root != self._published.root or self._published.timestamp > before.timestamp + 1:
            names = ", ".join(f"{name} ({counted(entries, 'entry', 'entries')})" for name, entries in new.items())
            words = f"published version {self._published.timestamp}: {names or f'root {self._published.root}'}"
            fields: dict[str, str | int | float] = {
                "VERSION": self._published.timestamp,
                "ENTRIES": sum(new.values()),
                "DURATION_MS": round((self._now - began) * 1000),
            }
            parts.announcer.announce(Event(EventName.FLEET_PUBLISHED, words, fields))
        left = self._published.offline_expires - parts.clock.now()
        if missed:
            self._tell_fault(missed)
        elif left < _WARNED_BEFORE:
            self._tell_fault(FleetError("root or targets of the fleet end within 30 days", "banlistctl fleet rotate FOLDER"))
        elif self._fault or parts.roll_out.fault is not None:  # the latter: from before a reload
            self._fault, parts.roll_out.fault = "", None
            parts.announcer.announce(Event(EventName.FLEET_FAULT_OVER, "the lists of the fleet are published again"))
        await parts.roll_out.learn()
        return missed is None

    async def _new_contents(self, before: Published) -> tuple[dict[str, NewContent], FleetError | None]:
        """What is to be published, and why not all of it: the other lists and the timestamp are signed all the same."""
        lists: dict[str, NewContent] = {}
        missed: FleetError | None = None
        for name, wanted in (await self._waiting()).items():
            try:
                lists[str(name)] = await self._encoded(name, wanted, before)
            except FleetError as error:
                missed = FleetError(f"{name}: {error.message}", error.hint)
        for name in sorted(self._older):
            words = f"{name}: what this hub has is older than what it has published, and the source gives no newer list"
            missed = FleetError(words, f"banlistctl refresh {name}")
        return lists, missed

    async def _encoded(self, name: SourceId, wanted: _Wanted, before: Published) -> NewContent:
        """Raises FleetError."""
        known, whole_file = before.lists.get(name, ()), self._parts.repository.whole_file
        if wanted.content is None:
            return await asyncio.to_thread(earlier_content, wanted.content_hash, known, whole_file, wanted.stop)
        content = wanted.content
        made = await asyncio.to_thread(fleet_content, content.content_hash, content.addresses, known, whole_file)
        return replace(made, stop=wanted.stop)

    def _tell_fault(self, error: BanlistdError) -> None:
        reason, self._parts.roll_out.fault = str(error), error
        if reason != self._fault:
            self._fault = reason
            self._parts.announcer.announce(Event(EventName.FLEET_FAULT, f"not published: {reason}", {"REASON": reason}))


def _newly_published(before: Published, after: Published, sent: Mapping[str, NewContent]) -> dict[str, int]:
    """Lists with their entries: what was sent just now, and what the other hubs have signed since."""
    found = {name: new.entries for name, new in sent.items() if name not in after.proposals}
    for name, asked in before.proposals.items():
        contents = after.lists.get(name, ())
        if name not in after.proposals and contents and contents[0].content == asked.content:
            found.setdefault(name, asked.entries)
    return found
