"""What the firewall has seen: samples are taken in and written, counters are read. An error of one stops no other."""

import asyncio
from contextlib import suppress

from banlistd.errors import BanlistdError
from banlistd.services.evidence.evidence import Evidence
from banlistd.services.evidence.hits import WRITE_EVERY
from banlistd.services.loops.faults import FaultRecorder


class EvidenceLoop:
    """`pause`: seconds after an unforeseen error."""

    def __init__(self, evidence: Evidence, faults: FaultRecorder, pause: float) -> None:
        self._hits, self._totals = evidence
        self._faults = faults
        self._pause = pause

    async def restore(self) -> None:
        """Without the table, the totals begin anew."""
        with suppress(BanlistdError):
            await self._totals.restore()

    async def run(self) -> None:
        turns = (self._hits.listen, self._write, self._totals.turn)
        await asyncio.gather(*(self._faults.repeat(turn, self._pause) for turn in turns))

    async def end(self) -> None:
        """Write what is in memory, as far as that is possible."""
        with suppress(BanlistdError):
            await self._totals.now()
        for last in (self._totals.keep, self._hits.write):
            with suppress(BanlistdError):
                await last()

    async def resync_ledger(self) -> None:
        """Write the totals to a ledger that was replaced. Hits of before are lost with it. Raises LedgerError."""
        await self._totals.resync_ledger()

    async def _write(self) -> None:
        await asyncio.sleep(WRITE_EVERY)
        await self._hits.write()
