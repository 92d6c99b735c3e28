"""Bans that end by themselves, without a poll. Each time it is an import run like any other, with what is left of the list:
so the marker, the ledger and a restart after a kill agree.
"""

from collections.abc import Awaitable, Callable

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import OnStale
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.evaluate import Reading
from banlistd.core.feeds.found_list import FoundList
from banlistd.core.feeds.quarantine import stale_at
from banlistd.events import Event, EventName
from banlistd.model import ImportRun, Outcome, Validators
from banlistd.ports import Announcer, Clock, Ledger, Quarantine
from banlistd.services.imports.needs import ListEnforcer

TakeList = Callable[[Source, FoundList, ImportRun | None, float], Awaitable[Outcome]]
"""`Importer.take`."""


class Endings:
    """`on_stale: lift`."""

    def __init__(
        self, ledger: Ledger, quarantine: Quarantine, enforcer: ListEnforcer, take: TakeList, announcer: Announcer, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._quarantine = quarantine
        self._enforcer = enforcer
        self._take = take
        self._announcer = announcer
        self._clock = clock

    def concerns(self, source: Source) -> bool:
        """Whether anything of the source may end by itself."""
        return source.guards.on_stale is OnStale.LIFT

    async def apply(self, source: Source) -> Outcome | None:
        """End what is over by now; None: nothing is. Raises FirewallError and LedgerError.

        No other import of the source may be under way.
        """
        content = self._enforcer.content(source.id)
        if content is None or not content.addresses:
            return None
        if words := await self._lifted(source):
            # No validators: the next list is fetched whole, because nothing of this one is left.
            return await self._end(source, content, AddressSet.none(), Validators(), words)
        return None

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

    async def _end(self, source: Source, before: Content, left: AddressSet, validators: Validators, words: str) -> Outcome:
        reading = Reading(left.content_hash(), left, 0)
        found = FoundList(reading.content_hash, validators, reading, before, words)
        newest = await self._ledger.newest(source.id)
        return await self._take(source, found, newest, self._clock.monotonic())
