"""What each list in force is worth, computed in a thread, one report at a time."""

import asyncio
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from banlistd.core.config.model import Config
from banlistd.core.feeds.value.candidates import Met, Wanted
from banlistd.core.feeds.value.report import ListFacts, ValueReport, report_of
from banlistd.core.ruleset.manual_allows import REASON
from banlistd.core.ruleset.ranking import owned_by_mark
from banlistd.model import MANUAL, Protected, SourceId
from banlistd.services.enforcer import Enforcer
from banlistd.services.value.shadows import Shadows


class ValueReports:
    """Compares the lists that `enforcer` has in force."""

    def __init__(self, enforcer: Enforcer, shadows: Shadows) -> None:
        self._enforcer = enforcer
        self._shadows = shadows
        # Two at once would take twice the memory, and neither would be ready sooner.
        self._turn = asyncio.Lock()

    async def report(self, config: Config, named: AbstractSet[SourceId], now: float) -> ValueReport:
        """The report at a moment (seconds since the epoch). `named`: lists that are compared in any case.

        A combination has the addresses of its parts, and is not compared. Raises FirewallError.
        """
        async with self._turn:
            counters = await self._enforcer.counters()
            owned = await asyncio.to_thread(owned_by_mark, self._enforcer.state)
            combined = {source.id for source in config.sources if source.combination}
            facts = [
                ListFacts(owner.source_id, owner.action, content.addresses, owned.get(owner.mark, 0), counters.get(owner.mark))
                for owner in self._enforcer.policy.sources
                if owner.source_id not in combined | {MANUAL} and (content := self._enforcer.content(owner.source_id))
            ]
            wanted = [*_allowed(config, now), *_protected(self._enforcer.protected)]
            return await asyncio.to_thread(report_of, facts, wanted, named)


def _allowed(config: Config, now: float) -> Iterator[Wanted]:
    for entry in config.allow:
        if entry.in_force(now):
            span = entry.family, int(entry.first), int(entry.last)
            yield Wanted(span, Met.ALLOWED, entry.comment or str(entry.use or ""))


def _protected(protected: Sequence[Protected]) -> Iterator[Wanted]:
    for item in protected:
        yield Wanted(item.span, Met.ALLOWED if REASON in item.reason else Met.PROTECTED, item.reason)
