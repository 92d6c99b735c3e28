"""The way of imports to the firewall: some are prepared at a time, and all that are ready together go into one plan.

A plan costs as much as the whole ruleset, whether one source is new in it or a thousand. So imports that are ready wait for
those that are still being prepared, but not for longer than `_SHARE` times what the last plan and its transaction took: however
many sources there are, planning takes a bounded share of the time. An import that no other one follows waits for nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content, Pending
from banlistd.errors import BanlistdError, LedgerError
from banlistd.model import ImportRun, SourceId
from banlistd.ports import Clock, Ledger
from banlistd.services.imports.needs import ListEnforcer
from banlistd.services.joining.coalescer import Coalescer, Take

IMPORT_LIMIT = 16
"""Imports that are prepared side by side, beside those that are slow. Two lists are parsed at a time."""

TOGETHER = 8
"""Imports that begin at the same time while more of them wait: what they ask of the database is one turn of it, and what they
write is one commit. One by one, 600 imports took 864 flushes of the disk (measured).
"""

SLOW = 1.0
"""Seconds after which an import gives up its place: it waits for a server, which may never answer. Some of those kept all
others waiting until their time-outs were over, lists of this machine too.
"""

MOST_SLOW = 64
"""Imports under way that have given up their places."""

_SHARE = 8.0
_LONGEST = 5.0
"""Seconds: a plan of 5,000 sources takes 0.7 (measured)."""

_SHORT = 1 << 16
"""Octets of a snapshot that waits in memory for those that are written with it."""


@dataclass(eq=False, slots=True)
class _Ready:
    """A content that is ready to be applied. `run`: opened for it in the ledger; `fault`: why none could be opened."""

    content: Content
    pending: Pending
    run: ImportRun | None = None
    fault: LedgerError | None = None


class ImportQueue:
    """For imports that run side by side, each of another source."""

    def __init__(self, enforcer: ListEnforcer, ledger: Ledger, clock: Clock) -> None:
        self._enforcer = enforcer
        self._ledger = ledger
        self._clock = clock
        self._places = _Places(IMPORT_LIMIT, TOGETHER)
        self._preparing: dict[SourceId, asyncio.TimerHandle] = {}
        self._slow: set[SourceId] = set()
        self._all_ready = asyncio.Event()
        self._batches: Coalescer[_Ready, tuple[int, int]] = Coalescer(self._carry_out)
        self._lock = asyncio.Lock()
        self._rest_until = 0.0

    @asynccontextmanager
    async def place(self, source_id: SourceId) -> AsyncIterator[None]:
        """Wait for a place, and keep it until the content of the source is ready, or its import ends."""
        await self._places.acquire()
        self._give_up_later(source_id)
        try:
            yield
        finally:
            self._leave(source_id)

    async def apply(self, pending: Pending, addresses: AddressSet) -> tuple[ImportRun, int, int]:
        """Open a run and apply its content, with those of others; returns the run, and how many elements came and went.

        Raises LedgerError where no run could be opened, and FirewallError, which the run has then as well.
        """
        ready = _Ready(Content(pending.source_id, pending.content_hash, addresses), pending)
        if len(pending.snapshot) > _SHORT:
            await self._open(ready)
            if ready.fault is not None:
                raise ready.fault
        self._leave(pending.source_id)
        try:
            ((added, removed),) = await self._batches.submit(ready)
        except BanlistdError as error:
            if ready.run is not None:
                await self._ledger.mark_failed(ready.run, str(error), self._clock.now())
            raise
        if ready.run is None:
            raise ready.fault or LedgerError("no run was opened", "this is a fault of banlistd; please report it")
        return ready.run, added, removed

    def _leave(self, source_id: SourceId) -> None:
        if source_id in self._preparing:
            self._preparing.pop(source_id).cancel()
            if source_id in self._slow:
                self._slow.discard(source_id)
            else:
                self._places.release()
        if not self._preparing and not self._places.waiting:
            self._all_ready.set()

    def _give_up_later(self, source_id: SourceId) -> None:
        self._preparing[source_id] = asyncio.get_running_loop().call_later(SLOW, self._give_up, source_id)

    def _give_up(self, source_id: SourceId) -> None:
        """Another import may have its place."""
        if len(self._slow) >= MOST_SLOW:
            self._give_up_later(source_id)
            return
        self._slow.add(source_id)
        self._places.release()

    async def _open(self, ready: _Ready) -> None:
        try:
            ready.run = await self._ledger.upsert_pending(ready.pending, self._clock.now())
        except LedgerError as error:
            ready.fault = error

    async def _carry_out(self, take: Take[_Ready]) -> Sequence[tuple[int, int]]:
        async with self._lock:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._rest_until):
                    await self._until_all_are_ready()
            batch = take()
            # All at once: they share transactions.
            await asyncio.gather(*(self._open(ready) for ready in batch if ready.run is None and ready.fault is None))
            contents = [ready.content for ready in batch if ready.run is not None]
            if not contents:
                return [(0, 0)] * len(batch)
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                change = await self._enforcer.enforce_all(contents)
            finally:
                self._rest_until = loop.time() + min(_LONGEST, _SHARE * (loop.time() - began))
            counts = change.counts()
            return [counts.get(ready.content.source_id, (0, 0)) for ready in batch]

    async def _until_all_are_ready(self) -> None:
        while self._preparing or self._places.waiting:
            self._all_ready.clear()
            await self._all_ready.wait()


class _Places:
    """A semaphore that lets several through at a time where more wait than there is room for, in order."""

    def __init__(self, count: int, together: int) -> None:
        self._free = count
        self._together = together
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def acquire(self) -> None:
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append(admitted)
        self._admit()
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.cancelled():
                with suppress(ValueError):  # another one that was cancelled at the same time has passed over it
                    self._waiting.remove(admitted)
                self._admit()
            else:
                self.release()
            raise

    def release(self) -> None:
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        if self._free < min(self._together, len(self._waiting)):
            return
        while self._free and self._waiting:
            admitted = self._waiting.popleft()
            if not admitted.done():  # else it was cancelled, and its task has not seen that yet
                self._free -= 1
                admitted.set_result(None)
