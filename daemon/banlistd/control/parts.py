"""What the handlers of the commands are given: the parts of the running daemon."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from banlistd.control.seen import SeenContents
from banlistd.control_api import ServiceControl
from banlistd.core.config.model import Source
from banlistd.core.config.values import closest
from banlistd.core.feeds.health.conditions import FeedState, Oddity, oddities_of
from banlistd.core.feeds.quarantine import stale_at
from banlistd.errors import NoSuchSourceError
from banlistd.model import Poll, Remark, RunState, SourceId
from banlistd.ports import Clock, FindingLog, Ledger, Quarantine, Storage
from banlistd.services.enforcer import Enforcer
from banlistd.services.geo_enricher import Enricher
from banlistd.services.manual_bans import ManualBanService
from banlistd.services.poll_record import PollRecord
from banlistd.services.protected_host import ProtectedHost


@dataclass(frozen=True, slots=True)
class Parts:
    """`config_place`: where the configuration was read from. `started_at`: seconds since the epoch. `remarks`: those of this
    moment. `resolve`: the addresses of a host name; raises UsageError if it has none, or they do not come in time.
    `user_name`: of a uid; blocks.
    """

    service: ServiceControl
    enforcer: Enforcer
    banning: ManualBanService
    ledger: Ledger
    quarantine: Quarantine
    poll_record: PollRecord
    findings: FindingLog
    storage: Storage
    clock: Clock
    config_place: str
    enricher: Enricher
    host: ProtectedHost
    started_at: float
    seen: SeenContents
    remarks: Callable[[], Awaitable[Sequence[Remark]]]
    resolve: Callable[[str], Awaitable[Sequence[str]]]
    user_name: Callable[[int], str]

    def source(self, source_id: str) -> Source:
        """A configured source. Raises NoSuchSourceError."""
        for source in self.service.config.sources:
            if source.id == source_id:
                return source
        near = closest(source_id, (source.id for source in self.service.config.sources))
        hint = f"did you mean {near}?" if near else "banlistctl sources lists them"
        raise NoSuchSourceError(f"no source is called {source_id!r}", hint)

    async def polls(self) -> Mapping[SourceId, Poll]:
        """What is known of the last poll of each source that has ended; one that is under way changes nothing yet."""
        earlier = self._before_those_under_way()
        polls = await self.ledger.polls()
        # Others may have begun or ended meanwhile.
        return {**polls, **earlier, **self._before_those_under_way()}

    def _before_those_under_way(self) -> Mapping[SourceId, Poll]:
        return {source_id: poll for source_id, poll in self.poll_record.under_way.items() if poll is not None}

    async def oddities(self) -> Mapping[SourceId, Sequence[Oddity]]:
        """What is odd about each enabled source: dead, frozen, moved, empty."""
        # Together: one after the other, each would wait for a write of the imports that are under way.
        polls, healths, refusals, runs, findings = await asyncio.gather(
            self.polls(),
            self.quarantine.healths(),
            self.quarantine.refusals(),
            self.ledger.newest_runs(),
            self.findings.every(),
        )
        found, now = {}, self.clock.now()
        for source in self.service.config.sources:
            run = runs.get(source.id)
            state = FeedState(
                polls.get(source.id) or Poll(source.id),
                healths.get(source.id),
                run.entries if run and run.state is RunState.COMPLETED else None,
                refusals.get(source.id) == "empty",
                findings[source.id].moved_to if source.id in findings else "",
            )
            found[source.id] = oddities_of(source, state, now) if source.enabled else ()
        return found

    async def stale_since(self) -> Mapping[SourceId, float]:
        """Of each stale source, since when its last good list is older than its `stale_after`."""
        healths, now = await self.quarantine.healths(), self.clock.now()
        sources = (source for source in self.service.config.sources if source.id in healths)
        since = {source.id: stale_at(healths[source.id].good_at, source) for source in sources}
        return {source_id: moment for source_id, moment in since.items() if moment <= now}
