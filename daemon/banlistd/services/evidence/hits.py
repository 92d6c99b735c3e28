"""Hits: samples of packets become rows that name the entry and the version of the list that they met."""

import asyncio
from collections.abc import Mapping, Sequence

from banlistd.core.feeds.value.over_time import HitSpan, Slots
from banlistd.core.ruleset.evidence.hits import FlowHit, Gathered, HitBounds, HitChoice, HitCount, Meeting, meeting_of
from banlistd.errors import FirewallError
from banlistd.events import Event, EventName
from banlistd.model import ContentHash, Remark, SourceId
from banlistd.ports import Announcer, Clock, Ledger
from banlistd.ports.evidence import HitLog, PacketLog
from banlistd.services.evidence.enforced import Enforced

WRITE_EVERY = 5.0
"""Seconds: a transaction waits for the disk, and hits come all the time."""

SAMPLES_RETRY = 60.0
"""Seconds until samples are asked for again, where they cannot be had."""

_ROOM = 4096
"""Different hits between two writes: a megabyte. A flood of flows takes no more memory and no more of the disk."""


class HitRecorder:
    """Listens for samples, gathers them, and writes them.

    `bounds`: those of the configuration.
    """

    def __init__(
        self,
        packets: PacketLog,
        table: HitLog,
        ledger: Ledger,
        enforcer: Enforced,
        bounds: HitBounds,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._packets = packets
        self._table = table
        self._ledger = ledger
        self._enforcer = enforcer
        self._bounds = bounds
        self._announcer = announcer
        self._clock = clock
        self._gathered = Gathered(_ROOM)
        self._lost_before = 0
        self._runs: dict[SourceId, tuple[ContentHash, int]] = {}
        self._fault: FirewallError | None = None
        self._is_announced = False
        self._writing = asyncio.Lock()

    def configure(self, bounds: HitBounds) -> None:
        """Take over what a reload has changed."""
        self._bounds = bounds

    @property
    def lost(self) -> int:
        """How many samples were lost since the start: the kernel had no room for them, or there were too many flows."""
        return self._packets.lost + self._lost_before + self._gathered.lost

    def remarks(self) -> Sequence[Remark]:
        """Why samples cannot be had, where a source asks for them."""
        if self._fault is None or not self._is_wanted:
            return ()
        return [Remark(f"hits: {self._fault.message}", self._fault.hint)]

    async def listen(self) -> None:
        """Take in what has arrived, once there is something."""
        try:
            samples = await self._packets.packets()
        except FirewallError as error:
            self._fault = error
            if self._is_wanted and not self._is_announced:
                self._is_announced = True
                words = f"no hits are recorded: {error.message}; the bans are in force"
                self._announcer.announce(Event(EventName.HITS_UNAVAILABLE, words, {"REASON": error.message}))
            await asyncio.sleep(SAMPLES_RETRY)
            return
        self._fault, self._is_announced = None, False
        known, now = {owner.source_id for owner in self._enforcer.policy.sources}, self._clock.now()
        for sample in samples:
            if sample.source_id in known:
                content = self._enforcer.content(sample.source_id)
                meeting = meeting_of(sample, (content.content_hash, content.addresses) if content else None)
                self._gathered.add(meeting, sample.flow.source_port, now)

    async def write(self) -> None:
        """Write what was gathered. Raises LedgerError, and then it is written next time."""
        async with self._writing:
            taken = self._gathered
            if not taken.hits:
                return
            self._gathered = Gathered(_ROOM)
            self._lost_before += taken.lost
            try:
                rows = [await self._with_run(hit) for hit in taken.hits.values()]
                await self._table.note(rows, self._bounds, self._clock.now())
            except BaseException:
                self._take_back(taken.hits)
                raise

    async def newest_first(self, choice: HitChoice, limit: int) -> Sequence[FlowHit]:
        """Hits, also those of this moment. Raises LedgerError."""
        await self.write()
        return await self._table.newest_first(choice, limit)

    async def counts(self, since: float = 0.0) -> Mapping[SourceId, HitCount]:
        """Of each source that has hits, those with a sample since then. Raises LedgerError."""
        await self.write()
        return await self._table.counts(since)

    async def over_time(self, slots: Slots) -> Sequence[HitSpan]:
        """When hits were first and last sampled, those of this moment too. Raises LedgerError."""
        await self.write()
        return await self._table.over_time(slots)

    @property
    def _is_wanted(self) -> bool:
        return any(owner.hits for owner in self._enforcer.policy.sources)

    def _take_back(self, hits: Mapping[Meeting, FlowHit]) -> None:
        """What could not be written, as far as there is room beside what came since."""
        for hit in hits.values():
            if hit.meeting not in self._gathered.hits and len(self._gathered.hits) < _ROOM:
                self._gathered.hits[hit.meeting] = hit
            else:
                self._lost_before += hit.samples

    async def _with_run(self, hit: FlowHit) -> FlowHit:
        source_id, content_hash = hit.meeting.source_id, hit.meeting.content_hash
        if content_hash is None:
            return hit
        known = self._runs.get(source_id)
        if known is None or known[0] != content_hash:
            run = await self._ledger.accepted(source_id)
            known = (content_hash, run.id if run is not None and run.content_hash == content_hash else 0)
            self._runs[source_id] = known
        return FlowHit(hit.meeting, hit.samples, hit.first_at, hit.last_at, hit.source_port, known[1])
