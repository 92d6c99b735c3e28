"""The only user of the firewall: it plans the desired state, asks for the present state, and applies the difference.

Contents that arrive while a transaction is under way go together into the next one.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.incremental_plan import Basis
from banlistd.core.ruleset.lifting import Consent, lift_of
from banlistd.core.ruleset.measuring.durations import Durations
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.protection import Hit, ProtectionExclusions
from banlistd.core.ruleset.recovery import decide, is_held, same_markers
from banlistd.core.ruleset.state import FirewallState, Verification
from banlistd.errors import LedgerError
from banlistd.model import (
    ContentHash,
    Counter,
    Decision,
    ExternalChange,
    Family,
    ImportRun,
    Mark,
    Marker,
    PolicyHash,
    Protected,
    RunState,
    SourceId,
)
from banlistd.ports import Announcer, BootSnapshots, Connections, Firewall, Host, Ledger
from banlistd.scopes.scope import Scope
from banlistd.services.joining.coalescer import Coalescer, Take
from banlistd.services.joining.connection_endings import ConnectionEndings
from banlistd.services.planning.allow_lists import effective_policy
from banlistd.services.planning.content_store import ContentStore, adopted_contents
from banlistd.services.planning.desired_state import (
    DesiredState,
    PlanInForce,
    basis_of,
    carved_events,
    contents_to_plan,
    desired_state,
    exclusions_of,
    plan_after,
)
from banlistd.services.planning.drift_repairs import DriftRepairs, FoundState, in_spite_of_others
from banlistd.services.planning.recent_markers import RecentMarkers
from banlistd.services.planning.restored import Restored
from banlistd.services.planning.scopes_in_force import ScopesInForce
from banlistd.services.planning.short_plans import turn_for

_LOG = logging.getLogger(__name__)


class Enforcer:
    """Keeps the firewall equal to the accepted contents under the policy in force, without the protected addresses of `host`.

    `boot_snapshots` is updated after each transaction, so that the boot restore has an up-to-date snapshot. `transactions`: how
    long those took that succeeded.
    """

    def __init__(
        self,
        firewall: Firewall,
        ledger: Ledger,
        policy: Policy,
        host: Host,
        announcer: Announcer,
        boot_snapshots: BootSnapshots,
        connections: Connections,
    ) -> None:
        self.policy = policy
        self.protected: Sequence[Protected] = ()
        self.transactions = Durations()
        self._firewall, self._ledger, self._host = firewall, ledger, host
        self._announcer, self._boot_snapshots, self._endings = announcer, boot_snapshots, ConnectionEndings(connections)
        self._exclusions, self._store = ProtectionExclusions.none(), ContentStore(ledger)
        self._contents, self._scopes = dict[SourceId, Content](), ScopesInForce(firewall.scope_numbers, policy)
        self._state: FirewallState | None = None
        self._before: FirewallState | None = None  # what was before the transaction that is under way
        self._basis: Basis | None = None  # what `_state` is the plan of
        self._recent_markers, self.drift = RecentMarkers(firewall.markers), DriftRepairs()
        self._coalescer = Coalescer(self._enforce_batch)
        self._lock = asyncio.Lock()

    @property
    def policy_hash(self) -> PolicyHash:
        """The hash in the markers of the present plan: of the policy and of the addresses excluded from the lists."""
        return self._exclusions.policy_hash(self.policy.hash)

    @property
    def effective_policy(self) -> Policy:
        """The policy in force, with what the allow lists name at this moment."""
        return effective_policy(self.policy, self._contents)

    @property
    def hits(self) -> Sequence[Hit]:
        """The protected addresses in lists, and in which lists."""
        return self._exclusions.hits

    @property
    def state(self) -> FirewallState | None:
        """As far as it is known: None before the first transaction and after a failed one; during one, what was before it."""
        return self._before if self._state is None else self._state

    async def markers(self) -> Sequence[Marker]:
        """The applied-state markers in the firewall. Raises FirewallError."""
        return await self._firewall.markers()

    async def marker(self, source_id: SourceId) -> Marker | None:
        """The applied-state marker of one source, as `RecentMarkers` has it. Raises FirewallError."""
        return await self._recent_markers.of(source_id)

    async def dump(self) -> Mapping[Mark, AddressSet]:
        """`Firewall.contents`: all banned addresses, read from the firewall; takes seconds. Raises FirewallError."""
        return await self._firewall.contents()

    async def counters(self) -> Mapping[Mark, Counter]:
        """`Firewall.counters`: what each source blocked. Raises FirewallError."""
        return await self._firewall.counters()

    async def wait_for_external_change(self) -> ExternalChange:
        """`Firewall.wait_for_external_change`. Raises FirewallError."""
        return await self._firewall.wait_for_external_change()

    def content(self, source_id: SourceId) -> Content | None:
        """The content of a source that is in force."""
        return self._contents.get(source_id)

    def holds(self, source_id: SourceId, content_hash: ContentHash) -> bool:
        """Whether this content is in memory, so that it can be applied again without a download."""
        content = self._contents.get(source_id)
        return content is not None and content.content_hash == content_hash and not content.adopted

    def register_external(self, source_id: SourceId, *contents: AddressSet) -> None:
        """Contents of a source that the ledger does not store: the last is desired, the firewall may have any of them.

        Call it before `restore`; afterwards call `enforce`. Such a source has no marker while its content is empty.
        """
        self._contents[source_id] = self._store.register(source_id, contents)

    def ban_in_scopes(self, scoped: Mapping[Scope, Mark]) -> None:
        """From the next plan on manual bans of each of these scopes are a source with this mark, and of no other."""
        self._scopes.by_hand = scoped

    async def restore(self, now: float) -> Restored:
        """Bring the firewall to the accepted contents of the ledger, and complete runs that a crash left open. No network."""
        self.policy = await self._scopes.numbered(self.policy, known=False)
        markers = {marker.source_id: marker for marker in await self._firewall.markers()}
        runs: dict[SourceId, ImportRun] = {}
        for run, content in await self._store.accepted_of(owner.source_id for owner in self.policy.sources):
            self._contents[run.source_id], runs[run.source_id] = content, run
        self._contents |= await self._adopted(markers)
        # At boot there may be no network, and no name can be resolved.
        self.protected = await self._host.protected(self.policy.urls, ask=False)
        exclusions = await asyncio.to_thread(exclusions_of, self.policy, self._contents, self.protected)
        policy_hash = exclusions.policy_hash(self.policy.hash)
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
        """`enforce_all` for one source."""
        return await self.enforce_all([Content(source_id, content_hash, addresses)])

    async def enforce_all(self, contents: Sequence[Content]) -> Change:
        """Enforce new contents, at least one, in one transaction; returns the change. Raises FirewallError."""
        change, *_ = await self._coalescer.submit(*contents)
        return change

    async def reconcile(self, policy: Policy | None = None, consent: Consent | None = None) -> Change:
        """Compare the firewall with the desired state, under a new policy if one is given, and repair the drift.

        Raises what `consent` raises of the bans that would be lifted; then nothing has changed.
        """
        protected = await self._host.protected((policy or self.policy).urls)
        return await asyncio.shield(asyncio.ensure_future(self._reconcile(policy, protected, consent)))

    async def resync_ledger(self, source_id: SourceId, now: float) -> bool:
        """Write the content in force of a source to a ledger that was replaced or unavailable; False if it was there.

        No import of the source may be under way: the content in force would become newer than the imported one.
        """
        content = self._contents.get(source_id)
        if content is None or content.adopted:
            return False
        return await self._store.resync(content, self.policy_hash, now)

    async def wait_until_idle(self) -> None:
        """Wait until no transaction is under way. The connections of those before may still end."""
        async with self._lock:
            pass

    async def connections_ended(self) -> None:
        """Wait until those have ended that the transactions so far have banned newly; with many, that takes seconds."""
        await self._endings.wait_until_idle()

    async def _enforce_batch(self, take: Take[Content]) -> Sequence[Change]:
        # Not under the lock: name resolution may take seconds.
        protected = await self._host.protected(self.policy.urls)
        async with self._lock:
            contents = take()
            news = {content.source_id: content for content in contents}
            change = await in_spite_of_others(partial(self._enforce, news, self.policy, protected))
            return [change] * len(contents)

    async def _reconcile(self, policy: Policy | None, protected: Sequence[Protected], consent: Consent | None = None) -> Change:
        async with self._lock:
            policy = policy or self.policy
            news: dict[SourceId, Content] = {}
            known = {owner.source_id for owner in self.policy.sources}
            for owner in policy.sources:
                # A source that comes back has its bans back at once, and not when it is due.
                if owner.source_id not in known:
                    _, content = await self._store.accepted(owner.source_id)
                    news |= {owner.source_id: content} if content else {}
            return await self._enforce(news, policy, protected, consent)

    async def _enforce(
        self, news: Mapping[SourceId, Content], policy: Policy, protected: Sequence[Protected], consent: Consent | None = None
    ) -> Change:
        policy = await self._scopes.numbered(policy, known=self._state is not None)
        contents = contents_to_plan(policy, self._contents | dict(news), self._store.external)
        same = self._state is not None and not news and policy.hash == self.policy.hash
        # What is found in the kernel may be of any size.
        turn = turn_for(self._state, policy, contents, protected)
        if self._state and same and protected == self.protected:
            exclusions, desired = self._exclusions, DesiredState(self._state, self._basis)
        else:
            before = PlanInForce(self._state, self._basis, self.policy_hash, same)
            exclusions, desired = await turn(plan_after, before, policy, contents, protected)
        if consent is not None:
            consent(await asyncio.to_thread(lift_of, await self._in_force(), desired.state))
        markers = await self._firewall.markers()
        known = self._state is not None and same_markers(self._state.markers, markers)
        present = self._state if known else await self._present(markers, desired.state, protected)
        verdict = await self._firewall.verify(present) if present is not None else Verification()
        found, moves = FoundState(markers, present, verdict), desired.moves if known else None
        change = await (turn if known else asyncio.to_thread)(self.drift.change_to, desired.state, moves, found, self._state)
        if not change.is_empty:
            self._before, self._state = self._state, None  # if the outcome is not known, ask the firewall next time
            self.drift.begin(markers, desired.state)
            began = asyncio.get_running_loop().time()
            try:
                elements = await self._firewall.apply(change)
                self.transactions = self.transactions.note(asyncio.get_running_loop().time() - began)
                self._recent_markers.forget()
                self.drift.end(change)
                self._endings.begin(change, desired.state.answers, desired.state.allowed[Family.IPV6])
                _LOG.debug("applied a change: +%d -%d bans, %d elements written", change.added, change.removed, elements)
            finally:
                self._before = None
        self._state, self._basis, self._contents, self.policy = desired.state, desired.basis, contents, policy
        self._scopes.note(policy)
        for event in carved_events(self._exclusions.hits, exclusions.hits):
            self._announcer.announce(event)
        self.protected, self._exclusions = protected, exclusions
        with suppress(LedgerError):
            await self._boot_snapshots.keep(self.policy_hash, policy, protected)
        return change

    async def _in_force(self) -> FirewallState:
        """The state that the policy in force asks for, whatever the firewall has of it."""
        if self._state is not None:
            return self._state
        contents = contents_to_plan(self.policy, self._contents, self._store.external)
        basis, markers = basis_of(self.policy, contents, self._exclusions)
        return (await asyncio.to_thread(desired_state, self._state, self._basis, basis, markers)).state

    async def _present(
        self, markers: Sequence[Marker], desired: FirewallState, protected: Sequence[Protected]
    ) -> FirewallState | None:
        """The state that the markers name, or None if it is not known."""
        # The same contents under the same policy are the same plan, as after a restart in which nothing has changed.
        return desired if same_markers(markers, desired.markers) else await self._reconstruct(markers, protected)

    async def _reconstruct(self, markers: Sequence[Marker], protected: Sequence[Protected]) -> FirewallState | None:
        """The state that the markers name, if their contents are still stored; else None."""
        contents: dict[SourceId, Content] = {}
        owners = {owner.source_id: owner for owner in self.policy.sources}
        for marker in markers:
            owner = owners.get(marker.source_id)
            if owner is None or owner.mark != marker.mark:
                return None
            content = self._contents.get(marker.source_id)
            if content is None or content.content_hash != marker.content_hash:
                content = await self._store.stored(marker.source_id, marker.content_hash)
            if content is None:
                return None
            contents[marker.source_id] = content
        exclusions = await asyncio.to_thread(exclusions_of, self.policy, contents, protected)
        policy_hash = exclusions.policy_hash(self.policy.hash)
        if not all(is_held(marker, marker.content_hash, policy_hash) for marker in markers):
            return None
        basis, present = basis_of(self.policy, contents, exclusions)
        return await asyncio.to_thread(basis.plan_whole, present)

    async def _adopted(self, markers: Mapping[SourceId, Marker]) -> Mapping[SourceId, Content]:
        """Contents read from the firewall, of sources whose snapshots are lost: their bans stay."""
        known, enabled = self._contents.keys() | self._store.external, {owner.source_id for owner in self.policy.sources}
        lost = [marker for source_id, marker in markers.items() if source_id in enabled - known]
        return adopted_contents(lost, await self._firewall.contents()) if lost else {}
