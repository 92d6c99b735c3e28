"""The import of one source, from the timer to the ledger: one straight line. It knows doors, not what is behind them."""

import asyncio
import dataclasses
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from banlistd.core.addresses import FAMILIES, AddressSet, hash_of, subtract
from banlistd.core.config import Source
from banlistd.core.guards import refuse
from banlistd.core.parsers import Parsed, parse
from banlistd.core.planning import Change
from banlistd.core.policy import Policy
from banlistd.core.recovery import decide
from banlistd.core.schedule import delay_after
from banlistd.errors import BanlistdError, FetchError, LedgerError, ParseError, RefusedError
from banlistd.interfaces import Announcer, Clock, Fetcher, Firewall, Ledger, Pending
from banlistd.model import (
    ContentHash,
    Decision,
    Download,
    Event,
    EventName,
    ImportRun,
    Marker,
    Outcome,
    OutcomeKind,
    Poll,
    RunState,
    SourceId,
    Validators,
)

# Faults that come before a run is opened; later ones are written into the run.
_BEFORE_A_RUN = (FetchError, ParseError, RefusedError)


class Enforcement(Protocol):
    """What an import wants of the one writer to the firewall (`enforcing.Enforcer`)."""

    firewall: Firewall
    policy: Policy

    def holds(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        """Whether this content is at hand, so that it can be put back without a download."""

    async def enforce(self, source_id: SourceId, content_hash: ContentHash, addresses: AddressSet) -> Change:
        """Make the firewall hold this content of this source, and everything else as it shall be."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What a poll brought: a content, maybe one whose bytes were not even parsed (then `parsed` is None)."""

    content_hash: ContentHash
    validators: Validators
    encoded: bytes | None = dataclasses.field(default=None, repr=False)
    parsed: Parsed | None = dataclasses.field(default=None, repr=False)


class Importer:
    """Imports one source at a time, or several side by side; each source only once at a time."""

    def __init__(
        self,
        fetcher: Fetcher,
        ledger: Ledger,
        enforcement: Enforcement,
        announcer: Announcer,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._fetcher = fetcher
        self._ledger = ledger
        self._enforcement = enforcement
        self._announcer = announcer
        self._clock = clock
        self._chance = chance

    async def import_source(self, source: Source) -> Outcome:
        """Poll a source and bring the firewall up to date with it. Faults end in the outcome, not in an exception."""
        began = self._clock.monotonic()
        self._tell(EventName.IMPORT_STARTED, source.id, f"{source.id}: polling")
        retry_after: float | None = None
        try:
            outcome = await self._import(source, began)
        except BanlistdError as error:
            retry_after = error.retry_after if isinstance(error, FetchError) else None
            outcome = await self._record_failure(source.id, error)
        return await self._remember(source, outcome, retry_after)

    async def _import(self, source: Source, began: float) -> Outcome:
        poll = await self._ledger.poll(source.id)
        newest = await self._ledger.newest(source.id)
        found = await self._poll(source, poll, newest)
        marker = await self._marker(source.id)
        decision = decide(newest, found.content_hash, marker, self._enforcement.policy.hash)
        if decision is Decision.SKIP:
            return await self._skip(source.id, found, poll)
        addresses, run = await self._open(source.id, found, newest)
        if decision is Decision.FINISH:
            added, removed = 0, 0
        else:
            added, removed = await self._apply(run, addresses)
        return await self._close(run, found, added, removed, began)

    async def _poll(self, source: Source, poll: Poll, newest: ImportRun | None) -> _Found:
        """Ask for the list; parse and guard it unless its bytes are those of the newest applied content."""
        recipe = recipe_of(source)
        known = poll.content_hash
        # What was told to us about content that was not applied must not keep that content away.
        applied = newest is not None and newest.state is RunState.COMPLETED and newest.content_hash == known
        at_hand = known is not None and self._enforcement.holds(source.id, known)
        trusted = poll.validators if applied and at_hand and poll.validators.recipe == recipe else Validators()
        fetched = await self._fetcher.fetch(source, trusted)
        if not isinstance(fetched, Download):
            if known is None:
                raise FetchError("the server says that nothing changed, but we asked for everything")
            return _Found(known, poll.validators)
        validators = dataclasses.replace(fetched.validators, recipe=recipe)
        if known is not None and trusted.body_hash and trusted.body_hash == validators.body_hash:
            return _Found(known, validators)
        body = fetched.body
        del fetched  # a body may be large; parse is the last to need it
        parsed, encoded = await asyncio.to_thread(_read, body, source)
        refusal = refuse(source, parsed)
        if refusal is not None:
            raise RefusedError(f"{refusal.guard}: {refusal.reason}", "the last good content stays")
        return _Found(hash_of(encoded), validators, encoded, parsed)

    async def _marker(self, source_id: SourceId) -> Marker | None:
        markers = await self._enforcement.firewall.markers()
        return next((marker for marker in markers if marker.source_id == source_id), None)

    async def _skip(self, source_id: SourceId, found: _Found, poll: Poll) -> Outcome:
        if found.validators != poll.validators:
            await self._ledger.keep_validators(source_id, found.content_hash, found.validators)
        self._tell(
            EventName.IMPORT_SKIPPED, source_id, f"{source_id}: unchanged, and the firewall holds it", found.content_hash
        )
        return Outcome(source_id, OutcomeKind.SKIPPED)

    async def _open(self, source_id: SourceId, found: _Found, newest: ImportRun | None) -> tuple[AddressSet, ImportRun]:
        """Write down what is about to be applied, snapshot included."""
        encoded = found.encoded or await self._ledger.snapshot(source_id, found.content_hash)
        if encoded is None:
            raise LedgerError(f"the snapshot of {source_id} is gone", "it is fetched whole at the next poll")
        addresses = found.parsed.addresses if found.parsed else await asyncio.to_thread(AddressSet.decode, encoded)
        pending = Pending(
            source_id,
            found.content_hash,
            self._enforcement.policy.hash,
            entries=len(addresses),
            rejected=found.parsed.rejected if found.parsed else (newest.rejected if newest else 0),
            snapshot=encoded,
            arrivals=await self._arrivals(source_id, found.content_hash, addresses),
        )
        return addresses, await self._ledger.upsert_pending(pending, self._clock.now())

    async def _arrivals(self, source_id: SourceId, content_hash: ContentHash, addresses: AddressSet) -> bytes | None:
        """What this content has and the one before had not; None where there was none before."""
        before = await self._ledger.accepted(source_id)
        if before is None or before.content_hash is None or before.content_hash == content_hash:
            return None
        encoded = await self._ledger.snapshot(source_id, before.content_hash)
        return None if encoded is None else await asyncio.to_thread(_arrivals, addresses, encoded)

    async def _apply(self, run: ImportRun, addresses: AddressSet) -> tuple[int, int]:
        if run.content_hash is None:
            raise LedgerError(f"run {run.id} has no content", "this is a fault of banlistd; please report it")
        try:
            change = await self._enforcement.enforce(run.source_id, run.content_hash, addresses)
        except BanlistdError as error:
            await self._ledger.mark_failed(run, str(error), self._clock.now())
            raise
        return change.counts().get(run.source_id, (0, 0))

    async def _close(self, run: ImportRun, found: _Found, added: int, removed: int, began: float) -> Outcome:
        first = await self._ledger.mark_completed(
            run,
            added=added,
            removed=removed,
            policy_hash=self._enforcement.policy.hash,
            now=self._clock.now(),
            validators=found.validators,
        )
        name = EventName.IMPORT_COMPLETED if first else EventName.IMPORT_LOST_RACE
        words = f"{run.entries} entries, +{added} -{removed}" if first else "another importer was first; its run stands"
        self._tell(
            name, run.source_id, f"{run.source_id}: {words}", found.content_hash, RUN_ID=run.id, ADDED=added, REMOVED=removed,
            REJECTED=run.rejected, ENTRIES=run.entries, DURATION_MS=round((self._clock.monotonic() - began) * 1000),
        )  # fmt: skip
        return Outcome(run.source_id, OutcomeKind.COMPLETED if first else OutcomeKind.LOST_RACE, added, removed)

    async def _record_failure(self, source_id: SourceId, error: BanlistdError) -> Outcome:
        refused = isinstance(error, RefusedError)
        name = EventName.IMPORT_REFUSED if refused else EventName.IMPORT_FAILED
        self._tell(name, source_id, f"{source_id}: {error}", REASON=error.message)
        if isinstance(error, _BEFORE_A_RUN):
            # Without a ledger there is nowhere to write it down; the journal has it.
            with suppress(LedgerError):
                await self._ledger.record_failure(source_id, str(error), self._enforcement.policy.hash, self._clock.now())
        kind = OutcomeKind.REFUSED if refused else OutcomeKind.FAILED
        return Outcome(source_id, kind, error=str(error), exit_code=error.exit_code)

    async def _remember(self, source: Source, outcome: Outcome, retry_after: float | None) -> Outcome:
        """Write down when the source is due again; the outcome tells it too."""
        now = self._clock.now()
        failures = 0
        with suppress(LedgerError):
            poll = await self._ledger.poll(source.id)
            failures = poll.failures + 1 if outcome.error else 0
        # What a guard refused will hardly be better in a minute; what could not be fetched may be.
        tries = failures if outcome.kind is OutcomeKind.FAILED else 0
        delay = delay_after(every=source.every, failures=tries, retry_after=retry_after, chance=self._chance())
        with suppress(LedgerError):
            await self._ledger.save_poll(
                Poll(source.id, due_at=now + delay, polled_at=now, failures=failures, error=outcome.error)
            )
        return dataclasses.replace(outcome, delay=delay)

    def _tell(
        self, name: EventName, source_id: SourceId, message: str, content_hash: ContentHash | None = None, **fields: str | int
    ) -> None:
        about: dict[str, str | int | float] = {"SOURCE_ID": source_id}
        if content_hash is not None:
            about["CONTENT_HASH"] = content_hash
        self._announcer.announce(Event(name, message, about | fields))


def recipe_of(source: Source) -> str:
    """Stands for where a source's bytes come from and how they are read."""
    return hashlib.sha256(repr((source.url, str(source.path), source.format)).encode()).hexdigest()[:16]


def _read(body: bytes, source: Source) -> tuple[Parsed, bytes]:
    parsed = parse(body, source.format)
    return parsed, parsed.addresses.encode()


def _arrivals(addresses: AddressSet, before: bytes) -> bytes:
    old = AddressSet.decode(before)
    news = []
    for family in FAMILIES:
        hosts, nets = addresses.hosts(family), subtract(addresses.nets(family), old.nets(family))
        news.append((hosts[~old.holds(family, hosts)], subtract(nets, old.ranges(family)) if len(nets) else nets))
    (hosts4, nets4), (hosts6, nets6) = news
    return AddressSet(hosts4, nets4, hosts6, nets6).encode()
