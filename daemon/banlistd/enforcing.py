"""The one writer to the firewall: it knows what shall stand, asks the firewall what stands, and applies the difference.

Sources that finish while a transaction is under way go together into the next one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from banlistd.core.addresses import AddressSet, hash_of
from banlistd.core.planning import Change, Holding, Verdict, difference, plan
from banlistd.core.policy import Policy
from banlistd.core.recovery import decide, is_held
from banlistd.interfaces import Firewall, Ledger
from banlistd.model import ContentHash, Decision, ImportRun, Marker, RunState, SourceId


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What one source is to hold in the firewall."""

    source_id: SourceId
    content_hash: ContentHash
    addresses: AddressSet = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """What a restart found, decided and did."""

    decisions: Mapping[SourceId, Decision]
    change: Change
    bans: int


class Enforcer:
    """Keeps the firewall equal to the accepted contents under the policy in force."""

    def __init__(self, firewall: Firewall, ledger: Ledger, policy: Policy) -> None:
        self.firewall = firewall
        self.policy = policy
        self._ledger = ledger
        self._contents: dict[SourceId, Content] = {}
        self._held: Holding | None = None
        self._batch = _Batch()
        self._lock = asyncio.Lock()

    @property
    def held(self) -> Holding | None:
        """What the firewall holds as far as we know, once something was enforced."""
        return self._held

    def content(self, source_id: SourceId) -> Content | None:
        """What a source holds in the firewall."""
        return self._contents.get(source_id)

    def holds(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        """Whether this content is at hand, so that it can be put back without a download."""
        content = self._contents.get(source_id)
        return content is not None and content.content_hash == content_hash

    async def restore(self, now: float) -> Restored:
        """Bring the firewall to the accepted contents of the ledger, and close what a crash left open. No network."""
        markers = {marker.source_id: marker for marker in await self.firewall.markers()}
        decisions: dict[SourceId, Decision] = {}
        open_runs: list[ImportRun] = []
        for owner in self.policy.roster:
            run = await self._ledger.accepted(owner.source_id)
            content = await self._stored(owner.source_id, run.content_hash) if run and run.content_hash else None
            if run is None or content is None:
                continue
            self._contents[owner.source_id] = content
            decisions[owner.source_id] = decide(run, content.content_hash, markers.get(owner.source_id), self.policy.hash)
            if run.state is RunState.PENDING:
                open_runs.append(run)
        change = await self.reconcile()
        for run in open_runs:
            finished = decisions[run.source_id] is Decision.FINISH
            added, removed = (0, 0) if finished else change.counts().get(run.source_id, (0, 0))
            await self._ledger.mark_completed(
                run, added=added, removed=removed, policy_hash=self.policy.hash, now=now, validators=None
            )
        return Restored(decisions, change, len(self._held or ()))

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
        return await asyncio.shield(asyncio.ensure_future(self._reconcile(policy)))

    async def settle(self) -> None:
        """Wait until no transaction is under way."""
        async with self._lock:
            pass

    async def _enforce_batch(self, batch: "_Batch") -> Change:
        async with self._lock:
            self._batch = _Batch()
            return await self._enforce(batch.contents, self.policy)

    async def _reconcile(self, policy: Policy | None) -> Change:
        async with self._lock:
            return await self._enforce({}, policy or self.policy)

    async def _enforce(self, news: Mapping[SourceId, Content], policy: Policy) -> Change:
        enabled = {owner.source_id for owner in policy.roster}
        contents = {source_id: content for source_id, content in (self._contents | dict(news)).items() if source_id in enabled}
        same = self._held is not None and not news and policy.hash == self.policy.hash
        desired = self._held if same and self._held else await self._plan(policy, contents)
        markers = await self.firewall.markers()
        present = self._held if self._held and set(self._held.markers) == set(markers) else await self._reconstruct(markers)
        verdict = await self.firewall.verify(present) if present is not None else Verdict()
        change = await asyncio.to_thread(difference, present, desired, verdict)
        if not change.is_empty:
            self._held = None  # if the outcome is not known, ask the firewall next time
            await self.firewall.apply(change)
        self._held, self._contents, self.policy = desired, contents, policy
        return change

    async def _plan(self, policy: Policy, contents: Mapping[SourceId, Content]) -> Holding:
        markers = [
            Marker(owner.mark, owner.source_id, contents[owner.source_id].content_hash, policy.hash)
            for owner in policy.roster
            if owner.source_id in contents
        ]
        addresses = {source_id: content.addresses for source_id, content in contents.items()}
        return await asyncio.to_thread(plan, policy.roster, addresses, policy.allowed, policy.barred, markers)

    async def _reconstruct(self, markers: Sequence[Marker]) -> Holding | None:
        """What the firewall holds by its own word, if we still have the contents that it names; else None."""
        contents: dict[SourceId, Content] = {}
        for marker in markers:
            owner = self.policy.owner(marker.source_id)
            if owner is None or owner.mark != marker.mark or not is_held(marker, marker.content_hash, self.policy.hash):
                return None
            content = self._contents.get(marker.source_id)
            if content is None or content.content_hash != marker.content_hash:
                content = await self._stored(marker.source_id, marker.content_hash)
            if content is None:
                return None
            contents[marker.source_id] = content
        return await self._plan(self.policy, contents)

    async def _stored(self, source_id: SourceId, content_hash: ContentHash) -> Content | None:
        encoded = await self._ledger.snapshot(source_id, content_hash)
        if encoded is None:
            return None
        return await asyncio.to_thread(_decode, source_id, content_hash, encoded)


@dataclass(slots=True)
class _Batch:
    """Contents that wait for the same transaction, and the task that carries it out."""

    contents: dict[SourceId, Content] = field(default_factory=dict)
    task: asyncio.Task[Change] | None = None


def _decode(source_id: SourceId, content_hash: ContentHash, encoded: bytes) -> Content | None:
    if hash_of(encoded) != content_hash:
        return None  # damaged: as good as absent, and fetched again
    return Content(source_id, content_hash, AddressSet.decode(encoded))
