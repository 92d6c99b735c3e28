"""Packets and octets of each source in all, over flushes, restarts and reboots."""

import asyncio
import math
from collections.abc import Iterable, Mapping

from banlistd.core.ruleset.evidence.totals import Total, advanced
from banlistd.model import Counter, Mark, SourceId, SourceSlot
from banlistd.ports.evidence import TotalLog
from banlistd.services.evidence.enforced import Enforced

READ_EVERY = 10.0
"""Seconds: what a flush by another program can cost. It is one question to the kernel."""

_RECENT = 2 * READ_EVERY
"""Seconds: so that there is always a recent reading while `turn` is repeated."""

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
        self._newest: Mapping[SourceId, Counter] = {}
        self._read_at = -math.inf
        # The sources that the firewall had then.
        self._read_of: frozenset[SourceId] = frozenset()
        self._lock = asyncio.Lock()

    async def restore(self) -> None:
        """Read the table. Raises LedgerError."""
        self._totals = self._kept = await self._table.load()

    async def now(self) -> Mapping[SourceId, Counter]:
        """What was counted of each source that is in the firewall and has a counter. Raises FirewallError."""
        async with self._lock:
            present = self._present()
            by_mark = await self._enforcer.counters()
            # In a thread: for thousands of sources the event loop would pause.
            self._totals, self._newest = await asyncio.to_thread(
                _advanced, self._totals, by_mark, self._enforcer.policy.sources, self._boot
            )
            self._read_at, self._read_of = asyncio.get_running_loop().time(), present
            return self._newest

    async def recent(self, most: float = _RECENT) -> Mapping[SourceId, Counter]:
        """The same, less than `most` seconds old, of the sources that the firewall has now: for those who ask for thousands.

        Raises FirewallError.
        """
        is_recent = asyncio.get_running_loop().time() - self._read_at < most and self._read_of == self._present()
        return self._newest if is_recent else await self.now()

    def _present(self) -> frozenset[SourceId]:
        state = self._enforcer.state
        return frozenset(marker.source_id for marker in state.markers) if state else frozenset()

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


def _advanced(
    totals: Mapping[SourceId, Total], by_mark: Mapping[Mark, Counter], owners: Iterable[SourceSlot], boot: str
) -> tuple[Mapping[SourceId, Total], Mapping[SourceId, Counter]]:
    """The totals of all sources, and what was counted of those that have a counter now."""
    counters = {owner.source_id: by_mark[owner.mark] for owner in owners if owner.mark in by_mark}
    totals = advanced(totals, counters, boot)
    return totals, {source_id: totals[source_id].counted for source_id in counters}
