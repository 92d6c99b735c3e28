"""What the ledger remembers of each poll: when the source is due again, its failures, and the age of its last good list."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress

from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import OnStale
from banlistd.core.feeds.content import NOT_ENDED
from banlistd.core.feeds.found_list import Findings, address_in_words
from banlistd.core.feeds.guards import waits
from banlistd.core.feeds.health.conditions import is_dead
from banlistd.core.feeds.quarantine import PastContents, frozen_at, stale_at
from banlistd.core.feeds.schedule import delay_after, failing_since, interval_by
from banlistd.errors import LedgerError
from banlistd.events import Event, EventName
from banlistd.model import Outcome, OutcomeKind, Poll, SourceId
from banlistd.ports import Announcer, Clock, FindingLog, Ledger, Quarantine, SourceRecords
from banlistd.services.imports.needs import Unsaved
from banlistd.services.imports.publishers import Publishers


class PollRecord:
    """Without a ledger nothing is remembered, and no error is raised. `chance`: a number from 0 to 1, for the jitter."""

    def __init__(
        self,
        records: SourceRecords,
        ledger: Ledger,
        quarantine: Quarantine,
        publishers: Publishers,
        findings: FindingLog,
        announcer: Announcer,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._records = records
        self._ledger = ledger
        self._quarantine = quarantine
        self._publishers = publishers
        self._findings = findings
        self._announcer = announcer
        self._clock = clock
        self._chance = chance
        # Where a list has moved to: as of this poll, and as the log has it.
        self._seen_at: dict[SourceId, str] = {}
        self._logged_at: dict[SourceId, str] = {}
        self._under_way: dict[SourceId, Poll | None] = {}

    @property
    def under_way(self) -> Mapping[SourceId, Poll | None]:
        """The sources that are polled now: the poll before, where the ledger has this one as failed until it ends."""
        return self._under_way

    @contextmanager
    def during(self, source_id: SourceId) -> Iterator[None]:
        """A poll of the source is under way as long as the block lasts."""
        self._under_way[source_id] = None
        try:
            yield
        finally:
            self._under_way.pop(source_id, None)

    async def begin_attempt(self, source: Source, before: Poll) -> PastContents | None:
        """Save the poll as failed before its body is parsed; `remember` corrects it. `before`: what the ledger has of polls.
        Returns what is remembered of the good lists.

        If parsing ends the daemon itself, the next one backs off from this source and does not repeat it in a loop.
        """
        now, failures = self._clock.now(), before.failures + 1
        self._under_way[source.id] = before
        since = failing_since(before, now)
        delay = self._delay(source, failures, now - since, None)
        poll = Poll(source.id, due_at=now + delay, polled_at=now, failures=failures, error=NOT_ENDED, failing_since=since)
        with suppress(LedgerError):
            return await self._records.begin(poll, now)
        return None

    def note_arrival(self, source: Source, moved_to: str) -> None:
        """A list has arrived from a server; `moved_to`: the URL that it has moved to for good, or empty."""
        self._seen_at[source.id] = address_in_words(source, moved_to)

    async def note_findings(self, source_id: SourceId, findings: Findings) -> None:
        """Save what reading a list showed."""
        with suppress(LedgerError):
            await self._findings.keep(source_id, findings)

    async def remember(self, source: Source, outcome: Outcome, retry_after: float | None, unsaved: Unsaved) -> Outcome:
        """Save the poll; returns the outcome with its delay. `retry_after`: seconds that the server asked for."""
        if unsaved.saved is not None:
            with suppress(LedgerError):
                await self._warn_of_change(source, unsaved.saved.polled_at or 0.0)
            return dataclasses.replace(outcome, delay=unsaved.saved.due_at - (unsaved.saved.polled_at or 0.0))
        now = self._clock.now()
        failures, since, before = 0, None, Poll(source.id)
        if outcome.error and not waits(outcome):
            with suppress(LedgerError):
                before = self._under_way.get(source.id) or await self._ledger.poll(source.id)
                failures, since = before.failures + 1, failing_since(before, now)
        # A list that a guard refused will hardly be better in a minute; a download that failed may be.
        tries = failures if outcome.kind is OutcomeKind.FAILED else 0
        delay = self._delay(source, tries, now - since if since is not None else 0.0, retry_after, outcome.ttl)
        if waits(outcome) and outcome.ttl is not None:
            delay = min(delay, max(outcome.ttl, self._rest(source)))
        with suppress(LedgerError):
            poll = Poll(
                source.id,
                due_at=now + delay,
                polled_at=now,
                failures=failures,
                error=outcome.error,
                failing_since=since,
            )
            if unsaved.validators is not None:
                validators, content_hash = unsaved.validators
                poll = dataclasses.replace(poll, validators=validators, content_hash=content_hash)
            if unsaved.confirmed is None:
                await self._ledger.save_poll(poll)
            else:
                await self._quarantine.confirm(poll, now, unsaved.confirmed)
            if outcome.error:
                self._warn_of_death(poll, before)
                await self._warn_of_age(source, now)
            else:
                await self._warn_of_change(source, now)
        return dataclasses.replace(outcome, delay=delay)

    def good(self, source: Source, ttl: float | None) -> Poll:
        """A poll that has ended well now. `ttl`: as in `Download`."""
        now = self._clock.now()
        return Poll(source.id, due_at=now + self._delay(source, 0, 0.0, None, ttl), polled_at=now)

    def _delay(
        self, source: Source, failures: int, failing_for: float, retry_after: float | None, ttl: float | None = None
    ) -> float:
        delay = delay_after(
            every=interval_by(source.every, ttl),
            failures=failures,
            failing_for=failing_for,
            retry_after=retry_after,
            chance=self._chance(),
            now=self._clock.now(),
        )
        return max(delay, self._rest(source))

    def due_at(self, source: Source, poll: Poll) -> float:
        """When a source is polled next, in seconds since the epoch; 0: at once. `poll`: what the ledger has of it."""
        return self.later(source, poll.due_at)

    def later(self, source: Source, due_at: float) -> float:
        """The same, where the ledger has that time."""
        rest = self._rest(source)
        return max(due_at, self._clock.now() + rest) if rest else due_at

    def rests(self, sources: Iterable[Source]) -> Mapping[SourceId, float]:
        """Of those that are not to be asked for yet: for how many seconds. For thousands of sources, in any thread."""
        return self._publishers.known_rests(sources)

    def _rest(self, source: Source) -> float:
        rest = self._publishers.known_rest(source)
        return rest.seconds if rest else 0.0

    async def _warn_of_change(self, source: Source, now: float) -> None:
        """Announce what polls of a server show that end well."""
        if source.url:
            await self._warn_of_move(source)
            await self._warn_of_frozen(source, now)

    async def _warn_of_move(self, source: Source) -> None:
        """Announce once that the server names another address for good."""
        moved_to = self._seen_at.get(source.id, "")
        if source.id not in self._logged_at:
            self._logged_at[source.id] = await self._findings.moved_to(source.id)
        if moved_to == self._logged_at[source.id]:
            return
        await self._findings.keep_moved_to(source.id, moved_to)
        self._logged_at[source.id] = moved_to
        if moved_to:
            message = f"{source.id}: the list has moved for good to {moved_to}"
            fields: dict[str, str | int | float] = {"SOURCE_ID": source.id, "REASON": moved_to}
            self._announcer.announce(Event(EventName.SOURCE_MOVED, message, fields))

    def _warn_of_death(self, poll: Poll, before: Poll) -> None:
        """Announce once in a row of failures that the list may be gone."""
        if is_dead(poll, poll.polled_at or 0.0) and not is_dead(before, before.polled_at or 0.0):
            message = f"{poll.source_id}: every poll has failed for a week; its bans stay"
            fields: dict[str, str | int | float] = {"SOURCE_ID": poll.source_id, "REASON": poll.error}
            self._announcer.announce(Event(EventName.SOURCE_DEAD, message, fields))

    async def _warn_of_age(self, source: Source, now: float) -> None:
        """Announce once that the last good list is stale; its bans stay, or `Endings` announces it as it lifts them."""
        health = await self._quarantine.health(source.id)
        if health is not None and health.good_at > now:
            # Otherwise the list would not be stale before the clock reaches that time again, perhaps in ten years.
            await self._quarantine.clock_set_back(source.id, now)
            return
        lifts = source.guards.on_stale is OnStale.LIFT
        if health is None or health.stale_announced or lifts or now < stale_at(health.good_at, source):
            return
        await self._quarantine.mark_stale_announced(source.id)
        days = f"{(now - health.good_at) / 86400:.1f}"
        message = f"{source.id}: no good list for {days} days; the bans of the last one stay"
        fields: dict[str, str | int | float] = {"SOURCE_ID": source.id, "GOOD_AT": round(health.good_at)}
        self._announcer.announce(Event(EventName.SOURCE_STALE, message, fields))

    async def _warn_of_frozen(self, source: Source, now: float) -> None:
        """Announce once that polls succeed and bring the same content for too long: a mirror may be dead."""
        health = await self._quarantine.health(source.id)
        if health is None or health.frozen_announced or now < frozen_at(health.changed_at, source):
            return
        await self._quarantine.mark_frozen_announced(source.id)
        message = f"{source.id}: the list has not changed for {(now - health.changed_at) / 86400:.1f} days; its bans stay"
        fields: dict[str, str | int | float] = {"SOURCE_ID": source.id, "CHANGED_AT": round(health.changed_at)}
        self._announcer.announce(Event(EventName.SOURCE_FROZEN, message, fields))
