"""The import of one source, from the download to the completed run. It decides once: skip, finish, or apply."""

import asyncio
import dataclasses
import logging
from contextlib import suppress

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import OnStale
from banlistd.core.feeds.content import Content, Pending, content_of, stored_form
from banlistd.core.feeds.critical import CriticalReference
from banlistd.core.feeds.evaluate import Reading, evaluate, fetch_key_of
from banlistd.core.feeds.extent import share_in_words
from banlistd.core.feeds.found_list import FoundList, PollEnd, findings_of
from banlistd.core.feeds.guards import HOLD
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.feeds.quarantine import Quarantined, approved, has_settled, held_back
from banlistd.core.feeds.versions.version import HistoryBounds
from banlistd.core.ruleset.recovery import decide
from banlistd.errors import BanlistdError, DeferredError, FetchError, LedgerError, ParseError, RefusedError
from banlistd.events import Event, EventName
from banlistd.model import (
    Action,
    ContentHash,
    Decision,
    ImportRun,
    Outcome,
    OutcomeKind,
    Poll,
    Refusal,
    RunState,
    SourceId,
    Validators,
)
from banlistd.ports import Announcer, Clock, Fetcher
from banlistd.services.imports.attempts import Attempt
from banlistd.services.imports.entry_ends import keep_ends, listed_before, with_ends
from banlistd.services.imports.judging import guard_context
from banlistd.services.imports.needs import ListEnforcer, PollMemory, Stores, Unsaved
from banlistd.services.imports.publishers import Publishers
from banlistd.services.imports.queue import ImportQueue
from banlistd.services.imports.short_work import in_thread_if_long

_LOG = logging.getLogger(__name__)

# Faults that come before a run is opened; later ones are written into the run.
_BEFORE_A_RUN = (FetchError, ParseError, RefusedError)


class Importer:
    """Imports sources, several side by side; the caller imports each source only once at a time."""

    def __init__(
        self,
        fetcher: Fetcher,
        stores: Stores,
        enforcer: ListEnforcer,
        polls: PollMemory,
        publishers: Publishers,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._fetcher = fetcher
        self._records, self._ledger, self._quarantine, self._ends = (
            stores.records,
            stores.ledger,
            stores.quarantine,
            stores.ends,
        )
        self._enforcer = enforcer
        self._polls = polls
        self._publishers = publishers
        self._announcer = announcer
        self._clock = clock
        self._critical: dict[SourceId, frozenset[CriticalReference]] = {}  # as announced
        self._queue = ImportQueue(enforcer, self._ledger, clock)
        self.place = self._queue.place

    async def import_source(self, source: Source, *, anyway: bool = False) -> Outcome:
        """Poll a source and bring the firewall up to date with it. Faults end in the outcome, not in an exception.

        `anyway`: also if its publisher allows no request yet.
        """
        with self._polls.during(source.id):
            return await self._import_and_remember(source, anyway=anyway)

    async def _import_and_remember(self, source: Source, *, anyway: bool) -> Outcome:
        began = self._clock.monotonic()
        self._tell(EventName.IMPORT_STARTED, source.id, f"{source.id}: polling")
        retry_after, unsaved = None, Unsaved()
        try:
            outcome, unsaved = await self._import(source, began, anyway=anyway)
        except DeferredError as error:
            return self._defer(source.id, error)
        except BanlistdError as error:
            if isinstance(error, FetchError):
                retry_after = error.retry_after
                await self._publishers.note_fault(source, error)
            outcome = await self._record_failure(source.id, error)
        return await self._polls.remember(source, outcome, retry_after, unsaved)

    async def _import(self, source: Source, began: float, *, anyway: bool) -> tuple[Outcome, Unsaved]:
        record = await self._records.record(source.id)
        poll, newest, quarantined = record.poll, record.newest, record.quarantined
        found = await self._approved(quarantined, newest) or await self._poll(source, poll, newest, anyway=anyway)
        if found.reading is not None and found.reading.refusal is not None:
            refusal = found.reading.refusal
            await self._note_findings(source.id, found)
            if not await self._has_settled(source, quarantined, found.reading, refusal):
                stays = "the last good content stays" if found.before else "nothing of it is banned"
                error = RefusedError(f"{refusal.guard}: {refusal.reason}", stays)
                outcome = await self._record_failure(source.id, error, refusal.guard)
                return dataclasses.replace(outcome, ttl=found.ttl if refusal.guard == HOLD else None), Unsaved()
            in_spite = f"taken although {refusal.guard}, because it has stayed so: {refusal.reason}"
            found = dataclasses.replace(found, in_spite=in_spite)
        found = await with_ends(self._ends, source, found, self._enforcer.content(source.id), self._clock.now())
        try:
            outcome = await self.take(source, found, newest, began, good := self._polls.good(source, found.ttl))
        except BanlistdError:
            await self._note_findings(source.id, found)
            raise
        if outcome.kind is OutcomeKind.SKIPPED:
            await self._note_findings(source.id, found)
            await keep_ends(self._ends, source.id, found)
        if source.url and found.becomes_empty:
            self._tell(EventName.SOURCE_EMPTY, source.id, f"{source.id}: the list has no entry any more: its bans are lifted")
        self._announce_critical(source.id, found.reading)
        saved = None if outcome.kind is OutcomeKind.SKIPPED else good
        validators = (found.validators, found.content_hash) if saved is None and found.validators != poll.validators else None
        return dataclasses.replace(outcome, ttl=found.ttl), Unsaved(validators, found.confirmed, saved)

    async def take(
        self, source: Source, found: FoundList, newest: ImportRun | None, began: float, poll: Poll | None = None
    ) -> Outcome:
        """Bring the firewall up to date with what was found, in a run of its own. `newest`: the run before; `began`: monotonic.
        `poll`: saved with the run. Raises FirewallError and LedgerError.
        """
        # The marker of other content decides nothing: then the kernel is asked only by the transaction.
        is_known = newest is not None and newest.content_hash == found.content_hash
        marker = await self._enforcer.marker(source.id) if is_known else None
        decision = decide(newest, found.content_hash, marker, self._enforcer.policy_hash)
        _LOG.debug("%s: content %s: %s", source.id, found.content_hash[:12], decision)
        if decision is Decision.SKIP and self._enforcer.holds(source.id, found.content_hash):
            return self._skip(source, found)
        addresses, pending = await self._pending(source, found, newest)
        if decision is Decision.FINISH:
            run, added, removed = await self._ledger.upsert_pending(pending, self._clock.now()), 0, 0
        else:
            run, added, removed = await self._queue.apply(pending, addresses)
        return await self._close(run, found, added, removed, began, poll)

    async def _poll(self, source: Source, poll: Poll, newest: ImportRun | None, *, anyway: bool) -> FoundList:
        """Ask for the list; parse and guard it unless its bytes are those of the newest applied content."""
        fetch_key = fetch_key_of(source)
        known = poll.content_hash
        # The validators of content that was not applied must not keep that content away.
        applied = newest is not None and newest.state is RunState.COMPLETED and newest.content_hash == known
        at_hand = known is not None and self._enforcer.holds(source.id, known)
        trusted = poll.validators if applied and at_hand and poll.validators.fetch_key == fetch_key else Validators()
        await self._publishers.admit(source, poll, anyway=anyway)
        attempt = Attempt(self._polls, source, poll)
        fetched = await self._fetcher.fetch(source, trusted, attempt.begin)
        if not isinstance(fetched, Download):
            if known is None:
                raise FetchError("the server says that nothing changed, but we asked for everything")
            newer = fetched.validators
            return FoundList(known, dataclasses.replace(newer, fetch_key=fetch_key) if newer else poll.validators)
        validators = dataclasses.replace(fetched.validators, fetch_key=fetch_key)
        if known is not None and trusted.body_hash and trusted.body_hash == validators.body_hash:
            return FoundList(known, validators, ttl=fetched.ttl)
        before = await self._last_good(source.id, newest)
        good = await listed_before(self._ends, source, before)
        if good and not good.addresses and source.guards.on_stale is OnStale.LIFT:
            good = None  # a list that was lifted comes back as if it were the first one
        has_moved = poll.validators.fetch_key not in ("", fetch_key)
        now = self._clock.now()
        past = attempt.past or await self._quarantine.past(source.id, now)
        judged_with = guard_context(past, self._enforcer.effective_policy, source, good, now, has_moved=has_moved)
        entries = len(fetched.parsed.addresses) + (len(before.addresses) if before else 0)
        reading = await in_thread_if_long(entries, evaluate, source, fetched.parsed, good, judged_with)
        extent = await asyncio.to_thread(share_in_words, reading.addresses) if source.geography else ""
        findings = findings_of(source, fetched)
        timed = fetched.parsed.timed
        return FoundList(
            reading.content_hash, validators, reading, before, extent=extent, findings=findings, timed=timed, ttl=fetched.ttl
        )

    async def _note_findings(self, source_id: SourceId, found: FoundList) -> None:
        if found.findings is not None:
            await self._polls.note_findings(source_id, found.findings)

    async def _approved(self, quarantined: Quarantined | None, newest: ImportRun | None) -> FoundList | None:
        """Approved content of the quarantine. It has no validators: they were not kept when it was refused."""
        if quarantined is None or not quarantined.approved:
            return None
        reading = await asyncio.to_thread(approved, quarantined, self._enforcer.policy.never_banned)
        if reading is None:
            return None
        before = await self._last_good(quarantined.source_id, newest)
        in_spite = f"taken although {quarantined.guard}, because it was approved"
        return FoundList(reading.content_hash, Validators(), reading, before, in_spite)

    async def _has_settled(self, source: Source, quarantined: Quarantined | None, reading: Reading, refusal: Refusal) -> bool:
        """Quarantine refused content; True if it has stayed so for as long as `accept_shrink_after` says."""
        row = await asyncio.to_thread(held_back, quarantined, reading, refusal, source, self._clock.now())
        # Without a ledger it is refused as well.
        with suppress(LedgerError):
            await self._quarantine.hold_back(row)
        return has_settled(row, source.guards)

    def _announce_critical(self, source_id: SourceId, reading: Reading | None) -> None:
        """Announce each critical address that was carved out, once until the list is without it."""
        if reading is None:
            return
        for one in sorted(frozenset(reading.critical) - self._critical.get(source_id, frozenset())):
            message = f"{source_id} would have banned {one.text} ({one.reason}): carved out"
            self._tell(EventName.CRITICAL_CARVED, source_id, message, ADDRESS=one.text, REASON=one.reason)
        self._critical[source_id] = frozenset(reading.critical)

    def _defer(self, source_id: SourceId, error: DeferredError) -> Outcome:
        words = f"{source_id}: not asked for another {error.seconds:,.0f} s: {error.message}"
        self._tell(EventName.IMPORT_DEFERRED, source_id, words, REASON=error.message)
        return Outcome(source_id, OutcomeKind.DEFERRED, delay=error.seconds, deferred=error.message)

    def _skip(self, source: Source, found: FoundList) -> Outcome:
        why = "and nothing of it belongs in the firewall" if source.action is Action.NONE else "and the firewall holds it"
        self._tell(EventName.IMPORT_SKIPPED, source.id, f"{source.id}: unchanged, {why}", found.content_hash)
        return Outcome(source.id, OutcomeKind.SKIPPED)

    async def _pending(self, source: Source, found: FoundList, newest: ImportRun | None) -> tuple[AddressSet, Pending]:
        """What the run of a content that is about to be applied begins with, snapshot included."""
        source_id, reading = source.id, found.reading
        before = found.before if reading else await self._last_good(source_id, newest)
        addresses = reading.addresses if reading else await self._stored(source_id, found.content_hash)
        added = reading.judgement.added if reading and reading.judgement else None
        entries = len(addresses) + (len(before.addresses) if before else 0)
        remembered = self._enforcer.policy.remembered.get(source_id, 0.0)
        history = HistoryBounds(source.history, source.history_size) if source.history else None
        stored = await in_thread_if_long(
            entries, stored_form, addresses, found.content_hash, before, added, departs=remembered > 0, history=history
        )
        return addresses, Pending(
            source_id,
            found.content_hash,
            self._enforcer.policy_hash,
            entries=len(addresses),
            rejected=reading.rejected if reading else (newest.rejected if newest else 0),
            snapshot=stored.snapshot,
            added_history=stored.added_history,
            departed=stored.departed,
            remembered=remembered,
            ends=found.ends,
            step=stored.step,
        )

    async def _last_good(self, source_id: SourceId, newest: ImportRun | None) -> Content | None:
        """The accepted content of a source; None if there is none, or it is damaged."""
        failed = newest is not None and newest.state is RunState.FAILED
        run = await self._ledger.accepted(source_id) if failed else newest
        if run is None or run.content_hash is None:
            return None
        if self._enforcer.holds(source_id, run.content_hash):
            return self._enforcer.content(source_id)
        snapshot = await self._ledger.snapshot(source_id, run.content_hash)
        return await asyncio.to_thread(content_of, source_id, run.content_hash, snapshot) if snapshot else None

    async def _stored(self, source_id: SourceId, content_hash: ContentHash) -> AddressSet:
        snapshot = await self._ledger.snapshot(source_id, content_hash)
        if snapshot is None:
            raise LedgerError(f"the snapshot of {source_id} is gone", "it is fetched whole at the next poll")
        return await asyncio.to_thread(AddressSet.decode, snapshot)

    async def _close(
        self, run: ImportRun, found: FoundList, added: int, removed: int, began: float, poll: Poll | None
    ) -> Outcome:
        first = await self._ledger.mark_completed(
            run,
            added=added,
            removed=removed,
            policy_hash=self._enforcer.policy_hash,
            now=self._clock.now(),
            validators=found.validators,
            end=PollEnd(poll, found.findings, found.confirmed) if poll else None,
        )
        name = EventName.IMPORT_COMPLETED if first else EventName.IMPORT_LOST_RACE
        words = found.in_words(run.entries, added, removed) if first else "another importer was first; its run counts"
        self._tell(
            name,
            run.source_id,
            f"{run.source_id}: {words}",
            found.content_hash,
            RUN_ID=run.id,
            ADDED=added,
            REMOVED=removed,
            REJECTED=run.rejected,
            ENTRIES=run.entries,
            DURATION_MS=round((self._clock.monotonic() - began) * 1000),
        )
        return Outcome(run.source_id, OutcomeKind.COMPLETED if first else OutcomeKind.LOST_RACE, added, removed)

    async def _record_failure(self, source_id: SourceId, error: BanlistdError, guard: str = "") -> Outcome:
        refused = isinstance(error, RefusedError)
        name = EventName.IMPORT_REFUSED if refused else EventName.IMPORT_FAILED
        about = {"GUARD": guard} if guard else {}
        self._tell(name, source_id, f"{source_id}: {error}", None, REASON=error.message, **about)
        if isinstance(error, _BEFORE_A_RUN):
            # Without a ledger only the journal has it.
            with suppress(LedgerError):
                await self._ledger.record_failure(source_id, str(error), self._enforcer.policy_hash, self._clock.now())
        kind = OutcomeKind.REFUSED if refused else OutcomeKind.FAILED
        return Outcome(source_id, kind, error=str(error), exit_code=error.exit_code)

    def _tell(
        self, name: EventName, source_id: SourceId, message: str, content_hash: ContentHash | None = None, **fields: str | int
    ) -> None:
        about: dict[str, str | int | float] = {"SOURCE_ID": source_id}
        if content_hash is not None:
            about["CONTENT_HASH"] = content_hash
        self._announcer.announce(Event(name, message, about | fields))
