"""Manual bans: a row each, which is written first, and then a part of the content of the source `manual` in the firewall.

The table is the snapshot: its rows in force are the desired content of the firewall. Orders that arrive while a transaction is
under way go together into the next one, as imports do.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content
from banlistd.core.manual.ban_draft import BanDraft
from banlistd.core.manual.ban_index import BanIndex, BanPlace
from banlistd.core.manual.ended_bans import EndedBan
from banlistd.core.manual.manual_bans import BanOrder, ConfirmOrder, UnbanOrder, addresses_of, found_in
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.scoping.by_hand import scoped_contents
from banlistd.errors import FirewallError, RefusedError
from banlistd.events import Event
from banlistd.model import MANUAL, ContentHash, Family, ManualBan, Mark, Marker, Protected, SourceId, Span
from banlistd.ports import Announcer, Clock, Host, ManualBans
from banlistd.scopes.scope import Scope, id_by_hand
from banlistd.services.ban_orders import Done, Order, decided, events_of, events_of_ends, events_of_return
from banlistd.services.joining.coalescer import Coalescer, Take
from banlistd.services.orders.clock_steps import ClockSteps
from banlistd.services.orders.mass_orders import MassBan
from banlistd.services.orders.outcome import BatchOutcome, outcome_of

# A ban is lifted at the moment when it expires; but the clock may be set, and timers stop while the machine sleeps.
EXPIRY_CHECK_EVERY = 5.0

# Seconds: bans may have ended because the clock was ahead, and none is left that ends.
_LOOK_AT_THE_CLOCK = 60.0

_EVENTS_AT_ONCE = 100  # then the event loop does something else

# Bans: to make a new index in a thread is better than to keep the event loop waiting.
_MANY_CHANGES = 1_000

# What the firewall did not take is tried again after so long.
RETRY_EVERY = 10.0


class BanEnforcer(Protocol):
    """What manual bans ask of the `Enforcer`."""

    protected: Sequence[Protected]

    @property
    def effective_policy(self) -> Policy:
        """The policy in force, with what the allow lists name at this moment."""

    def register_external(self, source_id: SourceId, *contents: AddressSet) -> None:
        """Contents of a source that the ledger does not store: the last is desired, the firewall may have any of them."""

    def ban_in_scopes(self, scoped: Mapping[Scope, Mark]) -> None:
        """From the next plan on there is a source of manual bans for each of these scopes, with this mark, and for no other."""

    async def enforce_all(self, contents: Sequence[Content]) -> Change:
        """Apply new contents in one transaction; returns the change that carried them. Raises FirewallError."""

    async def connections_ended(self) -> None:
        """Wait until those have ended that the changes so far have banned newly."""

    async def marker(self, source_id: SourceId) -> Marker | None:
        """The applied-state marker of one source. Raises FirewallError."""

    async def dump(self) -> Mapping[Mark, AddressSet]:
        """All banned addresses, read from the firewall; takes seconds. Raises FirewallError."""


def hashes_of(contents: Mapping[SourceId, AddressSet]) -> Mapping[SourceId, ContentHash]:
    return {source_id: content.content_hash() for source_id, content in contents.items()}


def _may_be_large(order: Order) -> bool:
    """Whether it may be about very many bans: all of an origin, or lines."""
    return order.span is None if isinstance(order, UnbanOrder) else not isinstance(order, BanOrder | ConfirmOrder)


def _events(orders: Sequence[Order], done: Sequence[Done], expired: Sequence[ManualBan]) -> Sequence[Event]:
    return [*(event for one in zip(orders, done, strict=True) for event in events_of(*one)), *events_of_ends(expired)]


def _touching(bans: Sequence[ManualBan], span: Span, now: float) -> Sequence[ManualBan]:
    family, first, last = span
    return [ban for ban in bans if ban.first <= last and first <= ban.last and ban.family is family and ban.in_force(now)]


class ManualBanService:
    """The manual bans, in memory as in the table. `look_every`, `retry_every`: seconds.

    `marks`: of the sources of bans of some packets; None where the firewall cannot ban so, and those bans wait.
    """

    def __init__(
        self,
        table: ManualBans,
        enforcer: BanEnforcer,
        host: Host,
        announcer: Announcer,
        clock: Clock,
        *,
        marks: Callable[[Sequence[SourceId]], Awaitable[Mapping[SourceId, Mark]]] | None = None,
        look_every: float = EXPIRY_CHECK_EVERY,
        retry_every: float = RETRY_EVERY,
    ) -> None:
        self._table, self._enforcer, self._host = table, enforcer, host
        self._announcer, self._clock, self._steps = announcer, clock, ClockSteps(clock)
        self._marks = marks
        self._look_every, self._retry_every = look_every, retry_every
        self._index = BanIndex(())
        self._recovered: Sequence[ManualBan] = ()  # their records were lost, or could not be read
        # The hashes of the bans in the firewall, by their sources; None if they are not known.
        self._applied: Mapping[SourceId, ContentHash] | None = None
        self._has_scopes = False
        self._coalescer = Coalescer(self._carry_out_batch)
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def bans(self) -> Sequence[ManualBan]:
        """The manual bans at this moment, in the order in which they came."""
        now = self._clock.now()
        return [ban for ban in self._index.oldest_first() if ban.in_force(now)]

    def newest_first(self, before: BanPlace | None, limit: int) -> Sequence[ManualBan]:
        """At most so many of them, from the newest on, or from the one before a place."""
        return self._index.newest_first(before, limit, self._clock.now())

    def unconfirmed(self) -> Sequence[ManualBan]:
        """Those that wait for a confirmation, in the order in which they came."""
        now = self._clock.now()
        return [ban for ban in self._index.oldest_first() if ban.confirm_by is not None and ban.in_force(now)]

    def containing(self, family: Family, number: int) -> Sequence[ManualBan]:
        """Those that an address is in, in the order in which they came."""
        now = self._clock.now()
        return [ban for ban in self._index.containing(family, number) if ban.in_force(now)]

    async def touching(self, span: Span) -> Sequence[ManualBan]:
        """Those of any of these addresses, in the order in which they came."""
        return await asyncio.to_thread(_touching, self._index.oldest_first(), span, self._clock.now())

    def is_possible(self, ban: ManualBan) -> bool:
        """Whether the firewall can ban so; where it cannot, the ban is not in force."""
        return ban.scope is None or self._marks is not None

    def waiting(self) -> int:
        """How many are not in force for that reason."""
        return sum(not self.is_possible(ban) for ban in self._index.scoped().values() if ban.in_force(self._clock.now()))

    async def ended(self, span: Span, since: float, at: float | None) -> Sequence[EndedBan]:
        """The bans that are over of any of these addresses, as `ports` has it. Raises LedgerError."""
        return await self._table.ended(span, since, at)

    async def restore(self) -> None:
        """Register the bans before the firewall is restored: from the table, or from the firewall if the table was lost."""
        now = self._clock.now()
        begun, rows = await self._table.load()
        if not begun:
            self._recovered = await self._found(now)
            rows = [*rows, *self._recovered]
            await self._table.begin(rows, now)
        self._index = await asyncio.to_thread(BanIndex, rows)
        content = self._index.addresses()
        if self._index.ended(now):
            # The firewall may hold what has run out meanwhile.
            in_force = addresses_of(ban for ban in rows if ban.in_force(now))
            self._enforcer.register_external(MANUAL, content, in_force)
            content = in_force
        else:
            self._enforcer.register_external(MANUAL, content)
        scoped = await self._scoped()
        left = scoped_contents(ban for ban in self._index.scoped().values() if ban.in_force(now))
        wanted = {SourceId(id_by_hand(scope)): addresses for scope, addresses in left.items()}
        for source_id, addresses in scoped.items():
            self._enforcer.register_external(source_id, addresses, wanted.get(source_id, AddressSet.none()))
        self._applied = hashes_of({MANUAL: content, **(wanted if scoped else {})})

    async def carry_out(self, order: Order) -> Done:
        """Ban, lift or confirm; when it returns, the firewall has followed. Raises FirewallError: then it is tried again."""
        (done,) = await self._coalescer.submit(order)
        if done.refusal:
            raise RefusedError(done.refusal, done.hint)
        return done

    async def turn(self) -> None:
        """Wait until a ban runs out, or what failed is to be tried again, and bring the firewall up to date."""
        self._changed.clear()
        end = self._index.next_end()
        due = math.inf if end is None else end
        left = min(due - self._clock.now(), self._retry_every if self._owes else math.inf)
        try:
            async with asyncio.timeout(_LOOK_AT_THE_CLOCK if left == math.inf else max(0.0, min(left, self._look_every))):
                await self._changed.wait()
        except TimeoutError:
            if self._owes or due <= self._clock.now() or self._steps.found():
                await self._coalescer.submit()

    async def take_over(self) -> None:
        """Put in force what a table has that could not be read at the start; what has come since counts. Raises LedgerError."""
        async with self._lock:
            begun, rows = await self._table.load()
            recovered = {ban.key for ban in self._recovered if begun and self._index.get(ban.key) is ban}
            come = [row for row in rows if row.key in recovered or self._index.get(row.key) is None]
            self._index = await asyncio.to_thread(self._index.changed, come, recovered)
        self._changed.set()
        with suppress(FirewallError):  # `turn` tries again
            await self._coalescer.submit()

    async def resync_ledger(self) -> None:
        """Write the bans again into a table that is new or older."""
        async with self._lock:
            begun, rows = await self._table.load()
            bans, kept = self._index.oldest_first(), {row.key: row for row in rows}
            if begun:
                gone = [key for key in kept if self._index.get(key) is None]
                await self._table.change([ban for ban in bans if kept.get(ban.key) != ban], gone)
            else:
                await self._table.begin(bans, self._clock.now())

    async def wait_until_idle(self) -> None:
        """Wait until no order is being carried out."""
        async with self._lock:
            pass

    @property
    def _owes(self) -> bool:
        return self._applied is None

    async def _carry_out_batch(self, take: Take[Order]) -> Sequence[Done]:
        async with self._lock:
            orders = take()
            await self._follow_clock()
            policy = self._enforcer.effective_policy
            asked = any(isinstance(order, BanOrder | MassBan) for order in orders)
            protected = await self._host.protected(policy.urls, ask=False) if asked else ()
            now = self._clock.now()
            draft = BanDraft(self._index)
            done: list[Done] = []
            for order in orders:
                # The index changes only under the lock, so a thread may read it.
                parts = (order, draft, policy, protected, now)
                done.append(await asyncio.to_thread(decided, *parts) if _may_be_large(order) else decided(*parts))
            outcome = await asyncio.to_thread(outcome_of, draft, self._index.get, now)
            await self._keep(outcome)
            await self._enforce()
            await self._announce(await asyncio.to_thread(_events, orders, done, outcome.expired))
        await self._enforcer.connections_ended()
        return done

    async def _follow_clock(self) -> None:
        if (step := self._steps.found()) is None:
            return
        ended = await self._table.ended_early(step.first, self._clock.now()) if step.seconds < 0 else ()
        back = [ban for ban in ended if self._index.get(ban.key) is None]
        come = [*step.bans(self._index.oldest_first()), *back]
        if come:
            await self._table.change(come, [])
            self._index = await asyncio.to_thread(self._index.changed, come, [])
        self._steps.follow(step)
        await self._announce(list(events_of_return(back)))

    async def _keep(self, outcome: BatchOutcome) -> None:
        come, go = outcome.come, outcome.go
        if come or go:
            await self._table.change(come, go, outcome.ended)
            if len(come) + len(go) > _MANY_CHANGES:
                self._index = await asyncio.to_thread(self._index.changed, come, go)
            else:
                self._index.change(come, go)
            self._changed.set()

    async def _enforce(self) -> None:
        # Until the firewall has followed, whatever fails on the way.
        before, self._applied = self._applied, None
        try:
            contents = {MANUAL: self._index.addresses(), **await self._scoped()}
            hashes = hashes_of(contents)
            if hashes == before:
                self._applied = before
                return
            await self._enforcer.enforce_all([Content(name, hashes[name], content) for name, content in contents.items()])
        except FirewallError as error:
            raise FirewallError(f"{error.message}; what was asked is written down, and tried again", error.hint) from error
        self._applied = hashes

    async def _scoped(self) -> Mapping[SourceId, AddressSet]:
        """What the bans of some packets cover, by source; from the next plan on the firewall has these sources."""
        found = self._index.scoped_addresses()
        if self._marks is None or (not found and not self._has_scopes):
            return {}
        names = {scope: SourceId(id_by_hand(scope)) for scope in found}
        marks = await self._marks([*names.values()]) if names else {}
        self._enforcer.ban_in_scopes({scope: marks[name] for scope, name in names.items()})
        self._has_scopes = bool(found)
        return {names[scope]: addresses for scope, addresses in found.items()}

    async def _found(self, now: float) -> Sequence[ManualBan]:
        marker = await self._enforcer.marker(MANUAL)
        if marker is None:
            return ()
        # An address that others ban for some packets only is banned for all by hand, too.
        scoped = {owner.mark for owner in self._enforcer.effective_policy.sources if owner.scope_number}
        # Scopes of bans by hand are in no policy before the bans are read.
        known = {owner.mark for owner in self._enforcer.effective_policy.sources} | {marker.mark}
        contents = {mark: content for mark, content in (await self._enforcer.dump()).items() if mark in known - scoped}
        return found_in(contents, marker.mark, now)

    async def _announce(self, events: Sequence[Event]) -> None:
        for number, event in enumerate(events, start=1):
            self._announcer.announce(event)
            if number % _EVENTS_AT_ONCE == 0:
                await asyncio.sleep(0)
