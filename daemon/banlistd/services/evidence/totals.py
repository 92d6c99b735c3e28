"""Packets and octets of each source in all, over flushes, restarts and reboots."""

import asyncio
from collections.abc import Mapping

from banlistd.core.ruleset.evidence.totals import Total, advanced
from banlistd.model import Counter, SourceId
from banlistd.ports.evidence import TotalLog
from banlistd.services.evidence.enforced import Enforced

READ_EVERY = 10.0
"""Seconds: what a flush by another program can cost. It is one question to the kernel."""

KEEP_EVERY = 60.0
"""Seconds: what a power cut can cost. A kill costs nothing, because the firewall counts on."""


class CounterTotals:
    """`boot`: names this boot of the machine."""

    def __init__(self, enforcer: Enforced, table: TotalLog, boot: str) -> None:
        self._enforcer = enforcer
        self._table = table
        self._boot = boot
        self._totals: Mapping[SourceId, Total] = {}
        self._kept: Mapping[SourceId, Total] = {}
        self._kept_at = 0.0
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Read the table. Raises LedgerError."""
        self._totals = self._kept = await self._table.load()

    async def now(self) -> Mapping[SourceId, Counter]:
        """What was counted of each source that is in the firewall and has a counter. Raises FirewallError."""
        async with self._lock:
            by_mark = await self._enforcer.counters()
            names = {owner.mark: owner.source_id for owner in self._enforcer.policy.sources}
            counters = {names[mark]: counter for mark, counter in by_mark.items() if mark in names}
            self._totals = advanced(self._totals, counters, self._boot)
            return {source_id: self._totals[source_id].counted for source_id in counters}

    async def turn(self) -> None:
        """Read the counters, and keep the totals now and then."""
        await self.now()
        clock = asyncio.get_running_loop().time
        if clock() - self._kept_at >= KEEP_EVERY:
            await self.keep()
            self._kept_at = clock()
        await asyncio.sleep(READ_EVERY)

    async def keep(self) -> None:
        """Write the totals that have changed. Raises LedgerError."""
        totals, before = self._totals, self._kept
        changed = {source_id: total for source_id, total in totals.items() if before.get(source_id) != total}
        if changed:
            await self._table.keep(changed)
            self._kept = totals

    async def resync_ledger(self) -> None:
        """Write the totals to a ledger that was replaced. Raises LedgerError."""
        self._kept = {}
        await self.keep()
