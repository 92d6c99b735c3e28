"""Sources that are not polled because an operator said so: a row each, which is written first. Their bans stay.

A pinned source is brought to its content in place of a poll, so that a rollback that a fault or a kill has interrupted is
finished by the next turn of its timer.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content, Ends
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.found_list import FoundList
from banlistd.core.feeds.versions.suspension import Suspension, SuspensionKind
from banlistd.core.feeds.versions.version import Version
from banlistd.errors import BanlistdError, LedgerError
from banlistd.events import Event, EventName
from banlistd.model import ContentHash, Outcome, OutcomeKind, SourceId, Validators
from banlistd.ports import Announcer, Clock, Ledger, Suspensions
from banlistd.services.history.list_history import ListHistory
from banlistd.services.imports.endings import TakeList

_RETRY = 60.0
"""Seconds until a rollback is tried again that the firewall or the ledger did not take."""

_NEWS = {
    SuspensionKind.PAUSED: (EventName.SOURCE_PAUSED, EventName.SOURCE_RESUMED),
    SuspensionKind.PINNED: (EventName.SOURCE_PINNED, EventName.SOURCE_UNPINNED),
}


class SuspendedSources:
    """In memory as in the table. `content`: what a source has in force."""

    def __init__(
        self,
        table: Suspensions,
        history: ListHistory,
        ledger: Ledger,
        content: Callable[[SourceId], Content | None],
        take: TakeList,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._table = table
        self._history = history
        self._ledger = ledger
        self._content = content
        self._take = take
        self._announcer = announcer
        self._clock = clock
        self._known: Mapping[tuple[SourceId, SuspensionKind], Suspension] = {}
        self._lock = asyncio.Lock()

    @property
    def every(self) -> Sequence[Suspension]:
        """In the order in which they came."""
        return list(self._known.values())

    def of(self, source_id: SourceId) -> Sequence[Suspension]:
        """Those of one source; none: it is polled."""
        return [one for one in self._known.values() if one.source_id == source_id]

    async def restore(self) -> None:
        """Read the table. Raises LedgerError."""
        self._known = {(one.source_id, one.kind): one for one in await self._table.load()}

    async def pause(self, source_id: SourceId, uid: int | None) -> tuple[Suspension, bool]:
        """The suspension, and whether the source was not paused before. Raises LedgerError."""
        known = self._known.get((source_id, SuspensionKind.PAUSED))
        if known is not None:
            return known, False
        return await self._add(Suspension(source_id, SuspensionKind.PAUSED, self._clock.now(), uid)), True

    async def pin(
        self, source_id: SourceId, uid: int | None, run_id: int, content_hash: ContentHash
    ) -> tuple[Suspension, bool]:
        """Pin a source to a content, in place of another one that it is pinned to. Raises LedgerError.

        Where it is not the content in force, the next poll brings it into force: let one follow.
        """
        known = self._known.get((source_id, SuspensionKind.PINNED))
        if known is not None and known.content_hash == content_hash:
            return known, False
        now = self._clock.now()
        return await self._add(Suspension(source_id, SuspensionKind.PINNED, now, uid, run_id, content_hash)), True

    async def end(self, source_id: SourceId, kind: SuspensionKind) -> Suspension | None:
        """What is taken away; None: there is no such suspension. Raises LedgerError."""
        async with self._lock:
            known = self._known.get((source_id, kind))
            if known is None:
                return None
            await self._table.change([], [(source_id, kind)])
            self._known = {key: one for key, one in self._known.items() if one is not known}
        self._announce(_NEWS[kind][1], known)
        return known

    async def in_place_of_a_poll(self, source: Source) -> Outcome | None:
        """What a suspended source has instead of a poll; None: it is polled. No other import of the source may be under way."""
        suspensions = self.of(source.id)
        if not suspensions:
            return None
        pins = [one for one in suspensions if one.kind is SuspensionKind.PINNED]
        content = self._content(source.id)
        if pins and (content is None or content.content_hash != pins[0].content_hash):
            return await self._roll_back(source, pins[0], content)
        reason = f"it is {' and '.join(one.reason for one in suspensions)}"
        return Outcome(source.id, OutcomeKind.SUSPENDED, delay=float(source.every), deferred=reason)

    async def take_over(self) -> None:
        """Take in what a table has that could not be read at the start. Raises LedgerError."""
        async with self._lock:
            self._known = {(one.source_id, one.kind): one for one in await self._table.load()} | dict(self._known)

    async def resync_ledger(self) -> None:
        """Write them again into a table that is new or older. Raises LedgerError."""
        async with self._lock:
            rows = {(row.source_id, row.kind) for row in await self._table.load()}
            await self._table.change(self.every, [key for key in rows if key not in self._known])

    async def _roll_back(self, source: Source, pin: Suspension, before: Content | None) -> Outcome:
        began = self._clock.monotonic()
        try:
            found = await self._found(pin, before)
            outcome = await self._take(source, found, await self._ledger.newest(source.id), began)
        except BanlistdError as error:
            return Outcome(source.id, OutcomeKind.FAILED, error=str(error), exit_code=error.exit_code, delay=_RETRY)
        self._announce(EventName.SOURCE_ROLLED_BACK, pin)
        return Outcome(source.id, outcome.kind, outcome.added, outcome.removed, delay=float(source.every))

    async def _found(self, pin: Suspension, before: Content | None) -> FoundList:
        """No validators: the first list after the pin is fetched whole. No entry of an older content ends by itself."""
        versions: Sequence[Version] = await self._history.versions(pin.source_id)
        for version in versions:
            if version.content_hash == pin.content_hash and (addresses := await self._history.content(version)) is not None:
                reading = Reading(version.content_hash, addresses, 0)
                words = f"rolled back to run {version.run_id}, and pinned"
                return FoundList(version.content_hash, Validators(), reading, before, words, ends=Ends())
        raise LedgerError(f"the content of run {pin.run_id} is not kept any more", f"banlistctl unpin {pin.source_id}")

    async def _add(self, suspension: Suspension) -> Suspension:
        async with self._lock:
            await self._table.change([suspension], [])
            self._known = {**self._known, (suspension.source_id, suspension.kind): suspension}
        self._announce(_NEWS[suspension.kind][0], suspension)
        return suspension

    def _announce(self, name: EventName, one: Suspension) -> None:
        words = {
            EventName.SOURCE_PAUSED: "it is not polled any more; its bans stay",
            EventName.SOURCE_RESUMED: "it is polled again",
            EventName.SOURCE_PINNED: f"pinned to the content of run {one.run_id}: no poll replaces it",
            EventName.SOURCE_UNPINNED: f"not pinned to the content of run {one.run_id} any more: it is polled again",
            EventName.SOURCE_ROLLED_BACK: f"the content of run {one.run_id} is in force again",
        }
        fields: dict[str, str | int | float] = {"SOURCE_ID": one.source_id}
        fields |= {"RUN_ID": one.run_id, "CONTENT_HASH": one.content_hash} if one.run_id and one.content_hash else {}
        fields |= {"UID": one.uid} if one.uid is not None else {}
        self._announcer.announce(Event(name, f"{one.source_id}: {words[name]}", fields))
