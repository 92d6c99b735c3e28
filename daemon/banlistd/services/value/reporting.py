"""What each list in force is worth, computed in a thread, one report at a time."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from banlistd.core.addresses.arrays import distinct
from banlistd.core.addresses.sets import Addresses, to_number
from banlistd.core.config.model import Config, Source
from banlistd.core.feeds.value.candidates import Candidates, Met, Wanted
from banlistd.core.feeds.value.lifetimes import MOST_STEPS, Movements, MovementsReader, lifetimes_of
from banlistd.core.feeds.value.promotion import Growth, growth_of
from banlistd.core.feeds.value.report import ListFacts, ValueReport, report_of
from banlistd.core.feeds.value.shadow import Shadow
from banlistd.core.ruleset.manual_allows import REASON
from banlistd.core.ruleset.ranking import owned_by_mark
from banlistd.model import Family, Protected, Remark, SourceId
from banlistd.ports import Connections
from banlistd.scopes.names import is_by_hand
from banlistd.services.enforcer import Enforcer
from banlistd.services.evidence.evidence import Evidence
from banlistd.services.history.list_history import ListHistory
from banlistd.services.value.shadows import Shadows


@dataclass(frozen=True, slots=True)
class Promotion:
    """What would change if a source did block. `shadow`: None: it has none. `packets`: None where nothing is counted."""

    growth: Growth
    shadow: Shadow | None
    packets: int | None


class ValueReports:
    """Compares the lists that `enforcer` has in force."""

    def __init__(
        self, enforcer: Enforcer, shadows: Shadows, history: ListHistory, connections: Connections, evidence: Evidence
    ) -> None:
        self._enforcer = enforcer
        self._connections = connections
        self._evidence = evidence
        self._history = history
        self._shadows = shadows
        # Two at once would take twice the memory, and neither would be ready sooner.
        self._turn = asyncio.Lock()

    def remarks(self) -> Sequence[Remark]:
        """On sources whose time in shadow is over."""
        return self._shadows.remarks()

    async def report(self, config: Config, named: AbstractSet[SourceId], now: float, *, past: bool = False) -> ValueReport:
        """The report at a moment (seconds since the epoch). `named`: lists that are compared in any case. `past`: with what the
        versions of the lists say.

        A combination has the addresses of its parts, and is not compared. Raises FirewallError and LedgerError.
        """
        async with self._turn:
            counters = await self._evidence.totals.now()
            hits = await self._evidence.hits.counts()
            owned = await asyncio.to_thread(owned_by_mark, self._enforcer.state)
            combined = {source.id for source in config.sources if source.combination}
            facts = [
                ListFacts(
                    owner.source_id,
                    owner.action,
                    content.addresses,
                    owned.get(owner.mark, 0),
                    counters.get(owner.source_id),
                    hits[owner.source_id].addresses if owner.source_id in hits else 0,
                )
                for owner in self._enforcer.policy.sources
                if owner.source_id not in combined
                and not is_by_hand(owner.source_id)
                and (content := self._enforcer.content(owner.source_id))
            ]
            report = await asyncio.to_thread(report_of, facts, await self._wanted(config, now), named)
            return await self._with_past(report) if past else report

    async def _with_past(self, report: ValueReport) -> ValueReport:
        """The same with the lifetimes of the lists whose versions are known."""
        found = {one.source_id: moved for one in report.lists if (moved := await self._movements(one.source_id))}
        lifetimes = dict(zip(found, await asyncio.to_thread(lifetimes_of, list(found.values())), strict=True))
        return replace(report, lists=tuple(replace(one, lifetimes=lifetimes.get(one.source_id)) for one in report.lists))

    async def _movements(self, source_id: SourceId) -> Movements | None:
        reader, steps = MovementsReader(), 0
        async for version, addresses in self._history.contents(source_id):
            await asyncio.to_thread(reader.add, version.came_at, addresses.hosts4)
            steps += 1
            if steps == MOST_STEPS:
                break
        return await asyncio.to_thread(reader.movements)

    async def promotion(self, config: Config, source: Source, now: float) -> Promotion:
        """What would change if a source did block; nothing while it has no content. Raises FirewallError."""
        async with self._turn:
            content, owner = self._enforcer.content(source.id), self._enforcer.policy.owner(source.id)
            if content is None or owner is None:
                return Promotion(Growth(0, 0, Candidates()), None, None)
            owners = self._enforcer.policy.sources
            others = [self._enforcer.content(one.source_id) for one in owners if one.action.blocks and one != owner]
            blocking = [other.addresses for other in others if other is not None]
            growth = await asyncio.to_thread(growth_of, content.addresses, blocking, await self._wanted(config, now))
            counter = (await self._evidence.totals.now()).get(source.id)
            shadow = self._shadows.known.get(source.id)
            packets = counter.packets if counter else None
            return Promotion(growth, shadow, packets if packets is None or shadow is None else shadow.counted(packets))

    async def _wanted(self, config: Config, now: float) -> Sequence[Wanted]:
        peers = await self._connections.answering()
        return [*_allowed(config, now), *_protected(self._enforcer.protected), *_connected(peers)]


def _allowed(config: Config, now: float) -> Iterator[Wanted]:
    for entry in config.allow:
        if entry.in_force(now):
            span = entry.family, int(entry.first), int(entry.last)
            yield Wanted(span, Met.ALLOWED, entry.comment or str(entry.use or ""))


def _protected(protected: Sequence[Protected]) -> Iterator[Wanted]:
    for item in protected:
        yield Wanted(item.span, Met.ALLOWED if REASON in item.reason else Met.PROTECTED, item.reason)


def _connected(peers: Mapping[Family, Addresses]) -> Iterator[Wanted]:
    for family, addresses in peers.items():
        for address in map(to_number, distinct(addresses)):
            yield Wanted((family, address, address), Met.CONNECTED, "a host here connects to it")
