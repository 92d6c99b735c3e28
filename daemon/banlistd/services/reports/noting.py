"""What a node will report: changes of its manual bans, written down as they happen."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from banlistd.core.fleet.reports.addresses import ReportedAddress, address_within, bounds_of
from banlistd.core.fleet.reports.outbox import MOST_IN_OUTBOX, ReportChange, is_reported, reported_changes, without_banned
from banlistd.core.fleet.reports.report import LiftedBan
from banlistd.errors import LedgerError
from banlistd.model import ManualBan, Span
from banlistd.ports import Clock
from banlistd.ports.reports import ReportOutbox

_FEW = 8
"""Lifted bans, of which each is looked for among all bans; of more, all bans are looked at once."""


class ReportNotes:
    """`patterns`: of the origins whose bans are reported. `touching`: the bans in force of any of these addresses."""

    def __init__(
        self,
        outbox: ReportOutbox,
        patterns: Sequence[str],
        touching: Callable[[Span], Awaitable[Sequence[ManualBan]]],
        clock: Clock,
    ) -> None:
        self._outbox = outbox
        self._patterns = patterns
        self._touching = touching
        self._clock = clock
        self.lost = 0

    async def note(self, come: Sequence[ManualBan], gone: Sequence[ManualBan]) -> None:
        """After a change. A ban never waits for its report: what cannot be written down is counted as lost."""
        changed = await asyncio.to_thread(self._changed, come, gone)
        if not changed:
            return
        lifted = [change.address for change in changed if isinstance(change, LiftedBan)]
        still = await self._still_reported(lifted) if lifted else frozenset()
        changes = without_banned(changed, still.__contains__)
        try:
            self.lost += await self._outbox.put(changes, MOST_IN_OUTBOX)
        except LedgerError:
            self.lost += len(changes)

    def _changed(self, come: Sequence[ManualBan], gone: Sequence[ManualBan]) -> list[ReportChange]:
        known = {ban.key: ban for ban in gone}
        return [*reported_changes(come, known, known.get, self._patterns, self._clock.now())]

    async def _still_reported(self, lifted: Sequence[ReportedAddress]) -> frozenset[ReportedAddress]:
        """What a ban in force reports, among these addresses at least."""
        spans = [bounds_of(address) for address in lifted]
        if len(spans) > _FEW:
            spans = [(family, 0, 2**128 - 1) for family in {family for family, *_ in spans}]
        bans = [ban for span in spans for ban in await self._touching(span) if is_reported(ban, self._patterns)]
        found = (address_within(*ban.span) for ban in bans)
        return frozenset(address for address in found if address is not None)
