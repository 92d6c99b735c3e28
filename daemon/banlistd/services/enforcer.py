"""The one writer to the firewall: it knows what shall stand, asks the firewall what stands, and applies the difference.

Sources that finish while a transaction is under way go together into the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from banlistd.core.addresses.sets import AddressSet, hash_of
from banlistd.core.feeds.content import Content, content_of
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.incremental_plan import Basis, Moves, planned
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.protection import Hit, ProtectionExclusions, carve, joined, label
from banlistd.core.ruleset.recovery import decide, is_held
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.errors import LedgerError
from banlistd.events import Event, EventName
from banlistd.model import ContentHash, Decision, ImportRun, Marker, PolicyHash, Protected, RunState, SourceId
from banlistd.ports import Announcer, Firewall, Host, Ledger, Pending


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """What a restart found, decided and did."""

    decisions: Mapping[SourceId, Decision]
    change: Change
    bans: int


class Enforcer:
    """Keeps the firewall equal to the accepted contents under the policy in force, less what `host` must not lose."""

    def __init__(
        self, firewall: Firewall, ledger: Ledger, policy: Policy, host: Host | None = None, announcer: Announcer | None = None
    ) -> None:
        self.firewall = firewall
        self.policy = policy
        self.protected: Sequence[Protected] = ()
        self._ledger = ledger
        self._host = host
        self._announcer = announcer
        self.keep_footing: Callable[[], Awaitable[None]] | None = None
        """Called whenever the firewall stands, so that a restore at boot knows on what. May raise LedgerError."""
        self._carving = ProtectionExclusions.none()
        self._contents: dict[SourceId, Content] = {}
        # Sources whose contents are kept elsewhere than in the ledger, and what the firewall may hold of them yet.
        self._kept: dict[SourceId, Sequence[Content]] = {}
        self._state: FirewallState | None = None
        self._basis: Basis | None = None  # what `_held` is the plan of
        self._batch = _Batch()
        self._lock = asyncio.Lock()

    @property
    def policy_hash(self) -> PolicyHash:
        """What the markers of the present plan carry: the policy's hash, and that of what is carved out of the lists."""
        return self._carving.policy_hash(self.policy.hash)

    @property
    def hits(self) -> Sequence[Hit]:
        """What of `protected` is in the lists, and in which."""
        return self._carving.hits

    @property
    def state(self) -> FirewallState | None:
        """What the firewall holds as far as we know, once something was enforced."""
        return self._state

    def content(self, source_id: SourceId) -> Content | None:
        """What a source holds in the firewall."""
        return self._contents.get(source_id)

    def holds(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        """Whether this content is at hand, so that it can be put back without a download."""
        content = self._contents.get(source_id)
        return content is not None and content.content_hash == content_hash and not content.adopted

    def keep(self, source_id: SourceId, *contents: AddressSet) -> None:
        """Hold what is kept elsewhere than in the ledger: the last is what stands from now on, the others may stand yet.

        Before `restore`; afterwards `enforce` tells what stands. Where such a source holds nothing, it has no marker either.
        """
        known = [Content(source_id, hash_of(content.encode()), content) for content in contents]
        self._kept[source_id], self._contents[source_id] = known, known[-1]

    async def restore(self, now: float) -> Restored:
        """Bring the firewall to the accepted contents of the ledger, and close what a crash left open. No network."""
        markers = {marker.source_id: marker for marker in await self.firewall.markers()}
        runs: dict[SourceId, ImportRun] = {}
        for owner in self.policy.sources:
            run, content = await self._accepted(owner.source_id)
            if run is None or content is None:
                continue
            self._contents[owner.source_id] = content
            runs[owner.source_id] = run
        self._contents |= await self._adopted(markers)
        # At boot there is nobody to ask for a name.
        self.protected = await self._look(self.policy.urls, ask=False)
        policy_hash = (await self._carve(self.policy, self._contents, self.protected)).policy_hash(self.policy.hash)
        decisions = {
            source_id: decide(run, self._contents[source_id].content_hash, markers.get(source_id), policy_hash)
            for source_id, run in runs.items()
        }
        change = await asyncio.shield(asyncio.ensure_future(self._reconcile(None, self.protected)))
        for run in (run for run in runs.values() if run.state is RunState.PENDING):
            finished = decisions[run.source_id] is Decision.FINISH
            added, removed = (0, 0) if finished else change.counts().get(run.source_id, (0, 0))
            # What cannot be written now is finished by the next import.
            with suppress(LedgerError):
                await self._ledger.mark_completed(
                    run, added=added, removed=removed, policy_hash=self.policy_hash, now=now, validators=None
                )
        return Restored(decisions, change, len(self._state or ()))

    async def enforce(self, source_id: SourceId, content_hash: ContentHash, addresses: AddressSet) -> Change:
        """Enforce new content of one source; returns the change that carried it. Raises FirewallError."""
        batch = self._batch
        batch.contents[source_id] = Content(source_id, content_hash, addresses)
        if batch.task is None:
            batch.task = asyncio.ensure_future(self._enforce_batch(batch))
        # A transaction that has begun is finished, whoever has lost interest in it.
        return await asyncio.shield(batch.task)

    async def reconcile(self, policy: Policy | None = None) -> Change:
        """Compare the firewall with what shall stand, under a new policy if one is given, and repair what differs."""
        protected = await self._look((policy or self.policy).urls)
        return await asyncio.shield(asyncio.ensure_future(self._reconcile(policy, protected)))

    async def resync_ledger(self, source_id: SourceId, now: float) -> bool:
        """Let a ledger that has begun anew, or was away, know what a source holds; whether it was needed.

        No import of the source may be under way: what stands would be taken for newer than what comes.
        """
        content = self._contents.get(source_id)
        if content is None or content.adopted:
            return False
        known = await self._ledger.accepted(source_id)
        if known is not None and known.content_hash == content.content_hash:
            return False
        encoded = await asyncio.to_thread(content.addresses.encode)
        entries = len(content.addresses)
        pending = Pending(source_id, content.content_hash, self.policy_hash, entries, rejected=0, snapshot=encoded)
        run = await self._ledger.upsert_pending(pending, now)
        await self._ledger.mark_completed(run, added=0, removed=0, policy_hash=self.policy_hash, now=now, validators=None)
        return True

    async def settle(self) -> None:
        """Wait until no transaction is under way."""
        async with self._lock:
            pass

    async def _enforce_batch(self, batch: "_Batch") -> Change:
        protected = await self._look(self.policy.urls)
        async with self._lock:
            self._batch = _Batch()
            return await self._enforce(batch.contents, self.policy, protected)

    async def _look(self, urls: Sequence[str], *, ask: bool = True) -> Sequence[Protected]:
        """What must not be banned now. Not under the lock: names may take a moment."""
        return await self._host.protected(urls, ask=ask) if self._host is not None else ()

    async def _reconcile(self, policy: Policy | None, protected: Sequence[Protected]) -> Change:
        async with self._lock:
            policy = policy or self.policy
            news: dict[SourceId, Content] = {}
            for owner in policy.sources:
                # A source that comes back has its bans back at once, and not when it is due.
                if self.policy.owner(owner.source_id) is None:
                    _, content = await self._accepted(owner.source_id)
                    news |= {owner.source_id: content} if content else {}
            return await self._enforce(news, policy, protected)

    async def _enforce(self, news: Mapping[SourceId, Content], policy: Policy, protected: Sequence[Protected]) -> Change:
        enabled = {owner.source_id for owner in policy.sources}
        contents = {
            source_id: content
            for source_id, content in (self._contents | dict(news)).items()
            if source_id in enabled and (source_id not in self._kept or len(content.addresses))
        }
        same = self._state is not None and not news and policy.hash == self.policy.hash
        exclusions = self._carving if same and protected == self.protected else await self._carve(policy, contents, protected)
        same = same and exclusions.policy_hash(policy.hash) == self.policy_hash
        plan = _Plan(self._state, self._basis) if same and self._state else await self._plan(policy, contents, exclusions)
        markers = await self.firewall.markers()
        known = self._state is not None and set(self._state.markers) == set(markers)
        present = self._state if known else await self._present(markers, plan.state, protected)
        verdict = await self.firewall.verify(present) if present is not None else Verification()
        change = await asyncio.to_thread(difference, present, plan.state, verdict, plan.moves if known else None)
        if not change.is_empty:
            self._state = None  # if the outcome is not known, ask the firewall next time
            await self.firewall.apply(change)
        self._state, self._basis, self._contents, self.policy = plan.state, plan.basis, contents, policy
        self._tell(exclusions.hits)
        self.protected, self._carving = protected, exclusions
        if self.keep_footing is not None:
            with suppress(LedgerError):
                await self.keep_footing()
        return change

    async def _carve(
        self, policy: Policy, contents: Mapping[SourceId, Content], protected: Sequence[Protected]
    ) -> ProtectionExclusions:
        in_order = (contents[owner.source_id] for owner in policy.sources if owner.source_id in contents)
        addresses = {content.source_id: content.addresses for content in in_order}
        return await asyncio.to_thread(carve, protected, addresses, policy.never_banned)

    async def _plan(self, policy: Policy, contents: Mapping[SourceId, Content], exclusions: ProtectionExclusions) -> "_Plan":
        """What shall stand; made anew only where it differs from what we hold."""
        basis, markers = _basis_of(policy, contents, exclusions)
        return await asyncio.to_thread(_planned, self._state, self._basis, basis, markers)

    def _tell(self, hits: Sequence[Hit]) -> None:
        """Say what is kept from being banned, once for each list and range."""
        if self._announcer is None:
            return
        told = {(label(hit.protected), source_id) for hit in self._carving.hits if hit.carved for source_id in hit.sources}
        for hit in hits:
            span, reason = label(hit.protected), hit.protected.reason
            for source_id in hit.sources if hit.carved else ():
                if (span, source_id) not in told:
                    message = f"{source_id} would have banned {span} ({reason}): carved out"
                    fields = {"SOURCE_ID": source_id, "ADDRESS": span, "REASON": reason}
                    self._announcer.announce(Event(EventName.PROTECTED_CARVED, message, fields))

    async def _present(
        self, markers: Sequence[Marker], desired: FirewallState, protected: Sequence[Protected]
    ) -> FirewallState | None:
        """What the firewall holds by its own word."""
        # The same contents under the same policy are the same plan, as after a restart in which nothing has changed.
        return desired if set(markers) == set(desired.markers) else await self._reconstruct(markers, protected)

    async def _reconstruct(self, markers: Sequence[Marker], protected: Sequence[Protected]) -> FirewallState | None:
        """What the firewall holds by its own word, if we still have the contents that it names; else None."""
        contents: dict[SourceId, Content] = {}
        for marker in markers:
            owner = self.policy.owner(marker.source_id)
            if owner is None or owner.mark != marker.mark:
                return None
            content = self._contents.get(marker.source_id)
            if content is None or content.content_hash != marker.content_hash:
                content = await self._stored(marker.source_id, marker.content_hash)
            if content is None:
                return None
            contents[marker.source_id] = content
        exclusions = await self._carve(self.policy, contents, protected)
        policy_hash = exclusions.policy_hash(self.policy.hash)
        if not all(is_held(marker, marker.content_hash, policy_hash) for marker in markers):
            return None
        basis, standing = _basis_of(self.policy, contents, exclusions)
        return await asyncio.to_thread(basis.plan, standing)

    async def _adopted(self, markers: Mapping[SourceId, Marker]) -> Mapping[SourceId, Content]:
        """What the firewall holds of sources whose snapshots are gone: a lost ledger costs no ban that still stands."""
        enabled = {owner.source_id for owner in self.policy.sources}
        known = self._contents.keys() | self._kept.keys()
        lost = [marker for source_id, marker in markers.items() if source_id in enabled - known]
        if not lost:
            return {}
        found = await self.firewall.contents()
        return {
            marker.source_id: Content(
                marker.source_id, marker.content_hash, found.get(marker.mark, AddressSet.none()), adopted=True
            )
            for marker in lost
        }

    async def _accepted(self, source_id: SourceId) -> tuple[ImportRun | None, Content | None]:
        """What the ledger says that a source shall hold."""
        run = await self._ledger.accepted(source_id)
        return run, await self._stored(source_id, run.content_hash) if run and run.content_hash else None

    async def _stored(self, source_id: SourceId, content_hash: ContentHash) -> Content | None:
        for content in self._kept.get(source_id, ()):
            if content.content_hash == content_hash:
                return content
        encoded = await self._ledger.snapshot(source_id, content_hash)
        if encoded is None:
            return None
        return await asyncio.to_thread(content_of, source_id, content_hash, encoded)


@dataclass(slots=True)
class _Batch:
    """Contents that wait for the same transaction, and the task that carries it out."""

    contents: dict[SourceId, Content] = field(default_factory=dict)
    task: asyncio.Task[Change] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What shall stand, what it is the plan of, and what leads to it from the last one, if it was made from that."""

    state: FirewallState
    basis: Basis | None
    moves: Moves | None = None


def _planned(before: FirewallState | None, was: Basis | None, basis: Basis, markers: Sequence[Marker]) -> _Plan:
    if before is None or was is None:
        return _Plan(basis.plan(markers), basis)
    state, moves = planned(before, was, basis, markers)
    return _Plan(state, basis, moves)


def _basis_of(
    policy: Policy, contents: Mapping[SourceId, Content], exclusions: ProtectionExclusions
) -> tuple[Basis, Sequence[Marker]]:
    """What a plan is made of, and the markers that go with it."""
    policy_hash = exclusions.policy_hash(policy.hash)
    markers = [
        Marker(owner.mark, owner.source_id, contents[owner.source_id].content_hash, policy_hash)
        for owner in policy.sources
        if owner.source_id in contents
    ]
    addresses = {source_id: content.addresses for source_id, content in contents.items()}
    never_banned = policy.never_banned if exclusions.is_empty else joined(policy.never_banned, exclusions.ranges)
    return Basis(policy.sources, addresses, policy.allowed, never_banned), markers
