"""What is allowed by command: a row each, which is written first, and then a part of what is protected."""

import asyncio
import math
from collections.abc import Mapping, Sequence

from banlistd.core.addresses.text import span_text
from banlistd.core.ruleset.manual_allows import AllowOrder, ManualAllow, protection_of_allows, with_order
from banlistd.events import Event, EventName
from banlistd.model import Protected, Span
from banlistd.ports import Announcer, Clock, ManualAllows

# An entry ends at its moment; but the clock may be set, and timers stop while the machine sleeps.
ALLOW_CHECK_EVERY = 5.0


class ManualAllowlist:
    """The entries, in memory as in the table. A change of them is followed by one of the firewall. `look_every`: seconds."""

    def __init__(
        self, table: ManualAllows, announcer: Announcer, clock: Clock, *, look_every: float = ALLOW_CHECK_EVERY
    ) -> None:
        self._table = table
        self._announcer = announcer
        self._clock = clock
        self._look_every = look_every
        self._entries: Mapping[Span, ManualAllow] = {}
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def entries(self) -> Sequence[ManualAllow]:
        """The entries at this moment, in the order in which they came."""
        now = self._clock.now()
        return [entry for entry in self._entries.values() if entry.in_force(now)]

    def protection(self) -> Sequence[Protected]:
        """What is protected for them at this moment."""
        return protection_of_allows(self._entries.values(), self._clock.now())

    async def restore(self) -> None:
        """Read the table. Raises LedgerError."""
        self._entries = {entry.span: entry for entry in await self._table.load()}

    async def allow(self, order: AllowOrder) -> tuple[ManualAllow, bool]:
        """The entry that is written now, and whether those addresses had none. Raises RefusedError and LedgerError."""
        async with self._lock:
            entry, is_new = with_order(self._entries, order, self._clock.now())
            await self._change([entry], [])
        self._announce(EventName.MANUAL_ALLOW_ADDED, entry, "allowed by command")
        return entry, is_new

    async def disallow(self, span: Span) -> ManualAllow | None:
        """The entry of exactly these addresses that is taken away; None: there is none. Raises LedgerError."""
        async with self._lock:
            entry = self._entries.get(span)
            if entry is None or not entry.in_force(self._clock.now()):
                return None
            await self._change([], [span])
        self._announce(EventName.MANUAL_ALLOW_REMOVED, entry, "no longer allowed by command")
        return entry

    async def wait_for_end(self) -> None:
        """Wait until an entry is over, and take it away. Raises LedgerError."""
        while True:
            self._changed.clear()
            async with self._lock:
                now = self._clock.now()
                ended = [entry for entry in self._entries.values() if not entry.in_force(now)]
                if ended:
                    await self._change([], [entry.span for entry in ended])
            if ended:
                for entry in ended:
                    self._announce(EventName.MANUAL_ALLOW_EXPIRED, entry, "its time is over")
                return
            due = min((entry.expires_at for entry in self._entries.values() if entry.expires_at), default=math.inf)
            left = None if due == math.inf else max(0.0, min(due - now, self._look_every))
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def resync_ledger(self) -> None:
        """Write the entries again into a table that is new or older. Raises LedgerError."""
        async with self._lock:
            rows = {row.span for row in await self._table.load()}
            await self._table.change(list(self._entries.values()), [span for span in rows if span not in self._entries])

    async def _change(self, come: Sequence[ManualAllow], go: Sequence[Span]) -> None:
        await self._table.change(come, go)
        kept = {span: entry for span, entry in self._entries.items() if span not in go}
        self._entries = kept | {entry.span: entry for entry in come}
        self._changed.set()

    def _announce(self, name: EventName, entry: ManualAllow, words: str) -> None:
        address = span_text(entry.span)
        fields: dict[str, str | int | float] = {"ADDRESS": address}
        fields |= {"REASON": entry.comment} if entry.comment else {}
        fields |= {"EXPIRES_AT": round(entry.expires_at)} if entry.expires_at is not None else {}
        self._announcer.announce(Event(name, f"{address}: {words}", fields))
