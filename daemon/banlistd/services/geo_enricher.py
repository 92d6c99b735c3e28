"""Where banned addresses belong, looked up in the background once a list is applied.

The cache itself says what is done: what it holds is not asked for again, so a crash in the middle loses nothing and repeats
nothing. Nothing here can fail an import.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.arrays import are_among, distinct
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, no_addresses, to_number
from banlistd.core.config.model import Source
from banlistd.core.config.sections.geo import Geo
from banlistd.core.geo.tables import GeoTable, stacked, table_of_entries
from banlistd.core.geo.types import By, GeoEntry, GeoNegEntry, Located, Origin
from banlistd.core.printing import counted
from banlistd.errors import BanlistdError, GeoError, LedgerError
from banlistd.events import Event, EventName
from banlistd.model import Action, Family, Outcome, OutcomeKind, SourceId
from banlistd.ports import Announcer, Clock, Ledger
from banlistd.ports.geo import GeoCache, GeoDatabase, Resolver
from banlistd.services.geo_lookup import ResolverT, available, open_lookup

# Addresses that are looked up while the databases stay open: a copy of one takes memory, and to make it takes time.
CHUNK = 20_000

# Requests in a chunk, where a service is asked: some minutes, after which it is another list's turn.
BATCHES = 50

# Rows that one transaction writes or forgets: some milliseconds, so that an import need not wait for long.
STEP = 1000

FORGET_EVERY = 3600.0

_PAGE = 10_000

Arrivals = Sequence[tuple[float, bytes | None]]


@dataclass(frozen=True, slots=True)
class GeoResolvers:
    """Who is asked, in this order: the databases of this machine, then services, if any."""

    databases: tuple[GeoDatabase, ...] = ()
    services: tuple[Resolver, ...] = ()


@dataclass(slots=True)
class _News:
    """What has happened to a source that is not looked at yet: imports `completed`, an unchanged list to look at as a `whole`,
    a start before which something may have been `cut_short`.
    """

    source: Source
    completed: int = 0
    whole: bool = False
    cut_short: bool = False

    def choose(self, added_history: Arrivals, horizon: float) -> Sequence[bytes | None]:
        """Which of the arrivals (newest first) are to be looked up; None: all that the source holds."""
        chosen = [
            body
            for at, (arrived_at, body) in enumerate(added_history)
            if at < self.completed or (self.cut_short and arrived_at > horizon)
        ]
        return [*chosen, None] if self.whole else chosen


class Enricher:
    """`open_resolvers`: the resolvers of a configuration."""

    def __init__(
        self,
        geo: Geo,
        open_resolvers: Callable[[Geo], GeoResolvers],
        cache: GeoCache,
        ledger: Ledger,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._open_resolvers = open_resolvers
        self._cache = cache
        self._ledger = ledger
        self._announcer = announcer
        self._clock = clock
        self._news: dict[SourceId, _News] = {}
        self._waiting: dict[tuple[SourceId, Family], Addresses] = {}
        self._wake = asyncio.Event()
        self._forget_at = clock.monotonic()
        self._announced: set[str] = set()
        self._geo, self._resolvers = geo, open_resolvers(geo)

    def configure(self, geo: Geo) -> None:
        """Use this configuration from now on. Faults are announced again."""
        self._announced.clear()
        # A service that has been asked lately remembers so: it may not be asked again at once.
        if geo != self._geo:
            self._geo, self._resolvers = geo, self._open_resolvers(geo)

    @property
    def databases(self) -> Sequence[GeoDatabase]:
        """All that the configuration names, there or not."""
        return self._resolvers.databases

    async def database_dates(self) -> Mapping[str, float]:
        """When the data of each database that is there was made, in seconds since the epoch."""
        made = [(database.name, await database.made_at()) for database in self._resolvers.databases]
        return {name: when for name, when in made if when is not None}

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits to be looked up."""
        return not self._waiting and not self._news

    def recover(self, sources: Iterable[Source]) -> None:
        """Take up again what a stop or a crash cut short: all that came within the last `expiry`, and is there still."""
        for source in sources:
            self._news_of(source).cut_short = True

    def note(self, source: Source, outcome: Outcome) -> None:
        """An import has ended: what is new in it is to be looked up; with `rewarm`, in an unchanged list what has expired."""
        if outcome.kind is OutcomeKind.COMPLETED:
            self._news_of(source).completed += 1
        elif outcome.kind is OutcomeKind.SKIPPED and self._geo.rewarm:
            self._news_of(source).whole = True

    def _news_of(self, source: Source) -> "_News":
        self._wake.set()
        return self._news.setdefault(source.id, _News(source))

    async def warm(self) -> None:
        """Wait for work, and do some of it. To be called again and again; it may be cancelled at any moment."""
        if self.is_idle:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._forget_at - self._clock.monotonic())):
                    await self._wake.wait()
        while self._news:
            await self._queue(self._news.pop(next(iter(self._news))))
        if self._clock.monotonic() >= self._forget_at:
            self._forget_at = self._clock.monotonic() + FORGET_EVERY
            await self._forget()
        if self._waiting:
            key, addresses = next(iter(self._waiting.items()))
            resolvers = await self._available((*self._resolvers.databases, *self._resolvers.services))
            chunk = addresses[: min(CHUNK, BATCHES * min((resolver.limit for resolver in resolvers), default=CHUNK))]
            try:
                await self._look_up(*key, chunk, resolvers)
            finally:
                # Also after a fault: what is left out is taken up again at the next start.
                self._done(key, chunk)

    async def origins_of(self, family: Family, addresses: Sequence[int]) -> Sequence[Origin]:
        """Where addresses belong, from this machine's databases and the cache. Nothing is sent anywhere for a question."""
        located: list[Located] = []
        async with open_lookup(await self._available(self._resolvers.databases), self._tell_fault) as lookup:
            for at in range(0, len(addresses), lookup.limit):
                located += await lookup.ask(family, addresses[at : at + lookup.limit])
        origins = [one.origin for one in located]
        left = [at for at, origin in enumerate(origins) if not origin.is_complete]
        with suppress(LedgerError):
            found = await self._cache.find(family, [addresses[at] for at in left], self._clock.now()) if left else ()
            for at, entry in zip(left, found, strict=True):
                if isinstance(entry, GeoEntry):
                    origins[at] = origins[at].filled(entry.origin)
        return origins

    async def table(self, by: By) -> GeoTable:
        """Who has which networks: from this machine's databases, and where they do not know, from the cache.

        Raises GeoError if no database knows.
        """
        tables = []
        for database in await self._available(self._resolvers.databases):
            try:
                tables.append(await database.table(by))
            except GeoError as error:
                self._tell_fault(error)
        table = await asyncio.to_thread(stacked, tables)
        if table.is_empty:
            table = await self._cached(by)
        if table.is_empty:
            what = "countries" if by is By.COUNTRY else "network operators (ASN)"
            hint = "apt-get install tor-geoipdb (countries only), or name .mmdb files under geo: databases:"
            raise GeoError(f"no database on this machine knows {what}", hint)
        return table

    async def _cached(self, by: By) -> GeoTable:
        entries: list[GeoEntry] = []
        now = self._clock.now()
        while page := await self._cache.page(entries[-1] if entries else None, _PAGE, now):
            entries += page
        return await asyncio.to_thread(table_of_entries, entries, by)

    async def _queue(self, news: "_News") -> None:
        """Let wait what is to be looked up of one source."""
        source = news.source
        # What a source bans by country is known from where it came; what bans nothing is not asked about.
        wanted = source.geography is None and source.action not in (Action.NONE, Action.ALLOW)
        if not wanted or not await self._available((*self._resolvers.databases, *self._resolvers.services)):
            return
        try:
            brought = news.choose(await self._ledger.added_history(source.id), self._clock.now() - self._geo.expiry)
            content = await self._content(source.id) if brought and (news.cut_short or None in brought) else b""
        except LedgerError as error:
            self._tell_fault(error)
            return
        if not brought or content is None:
            return
        for family in FAMILIES:
            addresses = await asyncio.to_thread(_to_look_up, family, content, brought)
            if len(addresses):
                before = self._waiting.get((source.id, family), no_addresses(family))
                self._waiting[source.id, family] = distinct(np.concatenate([before, addresses]))

    async def _content(self, source_id: SourceId) -> bytes | None:
        run = await self._ledger.accepted(source_id)
        return await self._ledger.snapshot(source_id, run.content_hash) if run and run.content_hash else None

    def _done(self, key: tuple[SourceId, Family], chunk: Addresses) -> None:
        """Others come first now: a large list must not keep small ones waiting."""
        waiting = self._waiting.pop(key)
        left = waiting[~are_among(chunk, waiting)]
        if len(left):
            self._waiting[key] = left

    async def _look_up(self, source_id: SourceId, family: Family, addresses: Addresses, resolvers: Sequence[Resolver]) -> None:
        began, known, unknown = self._clock.monotonic(), 0, 0
        try:
            async with open_lookup(resolvers, self._tell_fault) as lookup:
                for at in range(0, len(addresses), lookup.limit):
                    numbers = [to_number(address) for address in addresses[at : at + lookup.limit]]
                    cached = await self._cache.find(family, numbers, self._clock.now())
                    asked = [number for number, entry in zip(numbers, cached, strict=True) if entry is None]
                    entries, negatives = self._entries_of(await lookup.ask(family, asked), whole=lookup.whole)
                    for start in range(0, max(len(entries), len(negatives)), STEP):
                        part = slice(start, start + STEP)
                        await self._cache.bulk_upsert_entries_and_neg_entries(entries[part], negatives[part])
                    known, unknown = known + len(entries), unknown + len(negatives)
        except LedgerError as error:
            self._tell_fault(error)
        if known or unknown:
            milliseconds = round((self._clock.monotonic() - began) * 1000)
            self._tell(
                EventName.GEO_WARMED,
                f"{source_id}: {counted(known, 'network', 'networks')} looked up, and {unknown:,} unknown to every resolver",
                SOURCE_ID=source_id,
                NETWORKS=known,
                UNKNOWN=unknown,
                DURATION_MS=milliseconds,
            )

    def _entries_of(self, located: Iterable[Located], *, whole: bool) -> tuple[list[GeoEntry], list[GeoNegEntry]]:
        """What to write to the cache. If a resolver failed, missing answers expire early and are asked for again."""
        now = self._clock.now()
        entries, negatives = [], []
        for one in dict.fromkeys(located):
            lasting = whole or one.origin.is_complete
            expiry = self._geo.expiry if lasting and one.origin.is_known else self._geo.negative_expiry
            if one.origin.is_known:
                entries.append(GeoEntry(one.family, one.first, one.last, one.origin, now + expiry))
            elif whole:
                negatives.append(GeoNegEntry(one.family, one.first, one.last, now + expiry))
        return entries, negatives

    async def _available(self, resolvers: Sequence[ResolverT]) -> Sequence[ResolverT]:
        return await available(resolvers, self._tell_fault)

    async def _forget(self) -> None:
        with suppress(LedgerError):
            while await self._cache.prune(self._clock.now(), STEP) == STEP:
                pass  # in steps, so that others get at the database in between

    def _tell_fault(self, error: BanlistdError) -> None:
        """Once: what does not work now may not work for each of a million addresses."""
        if str(error) not in self._announced:
            self._announced.add(str(error))
            self._tell(EventName.GEO_FAULT, str(error), REASON=error.message)

    def _tell(self, name: EventName, message: str, **fields: str | int) -> None:
        self._announcer.announce(Event(name, message, fields))


def _to_look_up(family: Family, content: bytes, brought: Sequence[bytes | None]) -> Addresses:
    """Single addresses, and of each network the first, without reserved addresses; sorted.

    `content`: what the source holds, empty where that does not matter; None among `brought`: all of it.
    """
    present = AddressSet.decode(content) if content else None
    sets = [present] if None in brought else [AddressSet.decode(body) for body in brought if body is not None]
    parts = [part for one in sets if one is not None for part in (one.hosts(family), one.nets(family).first)]
    addresses = distinct(np.concatenate([no_addresses(family), *parts]))
    kept = ~reserved_ranges()[family].contains(addresses)
    return addresses[kept & present.holds(family, addresses) if present is not None else kept]
