"""Bans that end by themselves, without a poll. Each time it is an import run like any other, with what is left of the list:
so the marker, the ledger and a restart after a kill agree.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import OnStale
from banlistd.core.feeds.content import Content, Ends
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.found_list import FoundList
from banlistd.core.feeds.quarantine import stale_at
from banlistd.events import Event, EventName
from banlistd.model import ImportRun, Outcome, Validators
from banlistd.ports import Announcer, Clock
from banlistd.services.imports.entry_ends import known_ends
from banlistd.services.imports.needs import ListEnforcer, Stores

TakeList = Callable[[Source, FoundList, ImportRun | None, float], Awaitable[Outcome]]
"""`Importer.take`."""


_STEP = 60.0
"""Seconds that the wall clock may gain on the monotonic one from one look to the next; more is a clock that was set."""


class Endings:
    """`on_stale: lift`, and entries whose time has come.

    A wall clock that was set ahead ends entries too early: then the next list is fetched whole, and brings them back.
    """

    def __init__(self, stores: Stores, enforcer: ListEnforcer, take: TakeList, announcer: Announcer, clock: Clock) -> None:
        self._ledger, self._quarantine, self._ends = stores.ledger, stores.quarantine, stores.ends
        self._enforcer = enforcer
        self._take = take
        self._announcer = announcer
        self._clock = clock
        self._looked_at: tuple[float, float] | None = None  # by the wall clock, and by the monotonic one
        self._is_steady = False

    async def due(self, sources: Iterable[Source]) -> Sequence[Source]:
        """Those of which something may be over by now. Raises LedgerError."""
        now, here = self._clock.now(), self._clock.monotonic()
        before, self._looked_at = self._looked_at, (now, here)
        self._is_steady = before is not None and abs((now - before[0]) - (here - before[1])) < _STEP
        over = await self._ends.over(now)
        return [source for source in sources if source.guards.on_stale is OnStale.LIFT or source.id in over]

    async def apply(self, source: Source) -> Outcome | None:
        """End what is over by now; None: nothing is. Raises FirewallError and LedgerError.

        No other import of the source may be under way.
        """
        content = self._enforcer.content(source.id)
        if content is None or not content.addresses:
            return None
        if words := await self._lifted(source):
            # No validators: the next list is fetched whole, because nothing of this one is left.
            found = _found(content, AddressSet.none(), Validators(), words, Ends())
            return await self._take(source, found, await self._ledger.newest(source.id), self._clock.monotonic())
        return await self._end_entries(source, content)

    async def _lifted(self, source: Source) -> str:
        """Why all bans of a source are lifted now, once it is announced; empty: they are not.

        Only after a poll has failed: where the clock was set ahead, the next poll may well be good.
        """
        if source.guards.on_stale is OnStale.KEEP:
            return ""
        health, now = await self._quarantine.health(source.id), self._clock.now()
        if health is None or now < stale_at(health.good_at, source) or not (await self._ledger.poll(source.id)).failures:
            return ""
        await self._quarantine.mark_stale_announced(source.id)
        words = f"no good list for {(now - health.good_at) / 86400:.1f} days"
        fields: dict[str, str | int | float] = {"SOURCE_ID": source.id, "GOOD_AT": round(health.good_at)}
        message = f"{source.id}: {words}; the bans of the last one are lifted"
        self._announcer.announce(Event(EventName.SOURCE_STALE, message, fields))
        return f"lifted, because there was {words}"

    async def _end_entries(self, source: Source, content: Content) -> Outcome | None:
        ends, now = await known_ends(self._ends, content), self._clock.now()
        if ends is None or ends.next_end() > now:
            return None
        left = await asyncio.to_thread(ends.left_of, content.addresses, now)
        later = await asyncio.to_thread(ends.after(now).written)
        if left.content_hash() == content.content_hash:
            await self._ends.keep(source.id, content.content_hash, later)
            return None
        # The list itself has not changed: the validators of its bytes are still right.
        poll, newest = await self._ledger.poll(source.id), await self._ledger.newest(source.id)
        is_known = self._is_steady and poll.content_hash == content.content_hash
        validators = poll.validators if is_known else Validators()
        found = _found(content, left, validators, "the time of the others is over", later)
        return await self._take(source, found, newest, self._clock.monotonic())


def _found(before: Content, left: AddressSet, validators: Validators, words: str, ends: Ends) -> FoundList:
    reading = Reading(left.content_hash(), left, 0)
    return FoundList(reading.content_hash, validators, reading, before, words, ends=ends)
