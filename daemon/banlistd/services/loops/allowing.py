"""What is allowed by command: a row each, which is written first, and then a part of what is protected."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from banlistd.core.addresses.text import span_text
from banlistd.core.config.reading.names import NAMES_TTL
from banlistd.core.ruleset.manual_allows import (
    AllowKey,
    AllowOrder,
    Followed,
    ManualAllow,
    NameOrder,
    followed,
    protection_of_allows,
    spans_of_name,
    with_order,
)
from banlistd.errors import RefusedError, UsageError
from banlistd.events import Event, EventName
from banlistd.model import Protected, Span
from banlistd.ports import Announcer, Clock, ManualAllows, TimedAddresses
from banlistd.services.loops.name_times import NameTimes
from banlistd.services.orders.clock_steps import ClockSteps

AskForName = Callable[[str], Awaitable[TimedAddresses]]
"""The addresses of a host name. Raises UsageError if there are none, or not in time."""

Answers = Mapping[str, TimedAddresses | UsageError]

# An entry ends at its moment; but the clock may be set, and timers stop while the machine sleeps.
ALLOW_CHECK_EVERY = 5.0

# Seconds, where none is left that ends: the clock may have been ahead.
_LOOK_AT_THE_CLOCK = 60.0


class ManualAllowlist:
    """The entries, in memory as in the table. A change of them is followed by one of the firewall. `look_every`: seconds.

    Host names are asked for when their answers end; those without an answer keep their addresses. `chance`: a number from 0 to
    1, for the jitter.
    """

    def __init__(
        self,
        table: ManualAllows,
        lookup: AskForName,
        announcer: Announcer,
        clock: Clock,
        chance: Callable[[], float],
        *,
        look_every: float = ALLOW_CHECK_EVERY,
    ) -> None:
        self._table = table
        self._lookup = lookup
        self._announcer = announcer
        self._clock = clock
        self._steps = ClockSteps(clock)
        self._look_every = look_every
        self._entries: Mapping[AllowKey, ManualAllow] = {}
        self._over: dict[AllowKey, ManualAllow] = {}  # ended since the start by themselves: the clock may have been ahead
        self._seen: dict[AllowKey, float] = {}  # monotonic: when an answer last had an address of a name
        self._silent: set[str] = set()
        self._times = NameTimes(clock, chance)
        self._asking: asyncio.Future[Answers] | None = None
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()

    @property
    def entries(self) -> Sequence[ManualAllow]:
        """The entries at this moment, in the order in which they came."""
        now = self._clock.now()
        return [entry for entry in self._entries.values() if entry.in_force(now)]

    @property
    def name_times(self) -> Mapping[str, tuple[float | None, float]]:
        """Of each host name when it was answered last (None: not since the start), and when it is asked for next."""
        return self._times.shown()

    def protection(self) -> Sequence[Protected]:
        """What is protected for them at this moment."""
        return protection_of_allows(self._entries.values(), self._clock.now())

    async def restore(self) -> None:
        """Read the table. What it has counts as answered now: a while too long is better than a moment too short. Raises
        LedgerError.
        """
        self._entries = {entry.key: entry for entry in await self._table.load()}
        self._note_seen(self._entries)

    async def allow(self, order: AllowOrder | NameOrder) -> tuple[Sequence[ManualAllow], bool]:
        """The entries that are written now, and whether those addresses, or that name, had none. Raises UsageError for a name
        without an address, RefusedError and LedgerError.
        """
        answer = await self._lookup(order.name) if isinstance(order, NameOrder) else None
        plain = order.of(answer.addresses if answer else ()) if isinstance(order, NameOrder) else order
        async with self._lock:
            await self._follow_clock()
            come, is_new = with_order(self._entries, plain, self._clock.now())
            await self._change(come, [])
            self._note_seen((span, plain.name) for span in plain.spans)
            if answer is not None:
                self._times.note_answer(plain.name, answer.ttl)
        self._announce(EventName.MANUAL_ALLOW_ADDED, come[0], "allowed by command")
        return come, is_new

    async def disallow(self, target: Span | str) -> Sequence[ManualAllow]:
        """The entries of exactly these addresses, or of a host name, that are taken away. Raises LedgerError."""
        async with self._lock:
            mine = self._of_name(target) if isinstance(target, str) else filter(None, [self._entries.get((target, ""))])
            gone = [entry for entry in mine if entry.in_force(self._clock.now())]
            if not gone:
                return []
            await self._change([], [entry.key for entry in gone])
            for entry in gone:
                self._over.pop(entry.key, None)
        self._announce(EventName.MANUAL_ALLOW_REMOVED, gone[0], "no longer allowed by command")
        return gone

    async def wait_for_end(self) -> None:
        """Wait until an entry is over or a host name has other addresses, and write that down. Raises LedgerError."""
        while True:
            self._changed.clear()
            async with self._lock:
                is_back = await self._follow_clock()
                now = self._clock.now()
                ended = [entry for entry in self._entries.values() if not entry.in_force(now)]
                if ended:
                    await self._change([], [entry.key for entry in ended])
                    self._over |= {entry.key: entry for entry in ended}
            for entry in {entry.name or entry.span: entry for entry in ended}.values():
                self._announce(EventName.MANUAL_ALLOW_EXPIRED, entry, "its time is over")
            if await self._follow_names() or ended or is_back:
                return
            due = min((entry.expires_at for entry in self._entries.values() if entry.expires_at), default=math.inf)
            sleeps = due == math.inf and not self._names()
            try:
                async with asyncio.timeout(_LOOK_AT_THE_CLOCK if sleeps else max(0.0, min(due - now, self._look_every))):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def take_over(self) -> None:
        """Take in what a table has that could not be read at the start. Raises LedgerError."""
        async with self._lock:
            rows = {entry.key: entry for entry in await self._table.load()}
            self._note_seen(rows.keys() - self._entries.keys())
            self._entries = rows | dict(self._entries)
        self._changed.set()

    async def resync_ledger(self) -> None:
        """Write the entries again into a table that is new or older. Raises LedgerError."""
        async with self._lock:
            rows = {row.key for row in await self._table.load()}
            await self._table.change(list(self._entries.values()), [key for key in rows if key not in self._entries])

    def _names(self) -> Sequence[str]:
        return [*dict.fromkeys(entry.name for entry in self._entries.values() if entry.name)]

    def _of_name(self, name: str) -> Sequence[ManualAllow]:
        return [entry for entry in self._entries.values() if name and entry.name == name]

    async def _follow_names(self) -> bool:
        """Ask for the host names when they are due, and take what was answered; whether any entry has come or gone."""
        if self._asking is not None and self._asking.done():
            answers, self._asking = self._asking.result(), None
            return any([await self._follow(name, answer) for name, answer in answers.items()])
        due = self._times.due(self._names()) if self._asking is None else ()
        if due:
            # Nothing waits for it: an entry ends at its moment, however slow the name service is.
            self._asking = asyncio.ensure_future(self._ask(due))
            self._asking.add_done_callback(lambda _: self._changed.set())
        return False

    async def _ask(self, names: Sequence[str]) -> Answers:
        return dict(zip(names, await asyncio.gather(*(self._answer(name) for name in names)), strict=True))

    async def _answer(self, name: str) -> TimedAddresses | UsageError:
        try:
            return await self._lookup(name)
        except UsageError as error:
            return error

    async def _follow(self, name: str, answer: TimedAddresses | UsageError) -> bool:
        now = self._clock.monotonic()
        try:
            if isinstance(answer, UsageError):
                raise answer
            async with self._lock:
                spans = spans_of_name(name, answer.addresses)
                news = followed(self._entries, name, spans, self._seen, now, NAMES_TTL)
                self._note_seen((span, name) for span in spans)
                if news.come or news.go:
                    await self._change(news.come, [entry.key for entry in news.go])
            self._times.note_answer(name, answer.ttl)
        except (UsageError, RefusedError) as error:
            self._times.note_failure(name)
            if name not in self._silent:
                self._silent.add(name)
                fields = {"ADDRESS": name, "REASON": error.message}
                words = f"{name}: {error.message}; what it was last known as stays allowed"
                self._announcer.announce(Event(EventName.MANUAL_ALLOW_UNRESOLVED, words, fields))
            return False
        self._silent.discard(name)
        if news.come or news.go:
            self._announce_followed(name, news)
        return bool(news.come or news.go)

    def _note_seen(self, keys: Iterable[AllowKey]) -> None:
        self._seen |= dict.fromkeys(keys, self._clock.monotonic())

    async def _follow_clock(self) -> bool:
        """Whether an entry is back that was over because the clock was ahead."""
        if (step := self._steps.found()) is None:
            return False
        now = self._clock.now()
        early = [one for key, one in self._over.items() if one.created_at < step.first and key not in self._entries]
        back = [one for one in early if one.in_force(now)]
        come = [*step.allows(self._entries.values()), *back]
        if come:
            await self._change(come, [])
        self._steps.follow(step)
        for entry in back:
            self._announce(EventName.MANUAL_ALLOW_ADDED, entry, "allowed again: the clock was ahead when it ended")
        return bool(back)

    async def _change(self, come: Sequence[ManualAllow], go: Sequence[AllowKey]) -> None:
        await self._table.change(come, go)
        kept = {key: entry for key, entry in self._entries.items() if key not in go}
        self._entries = kept | {entry.key: entry for entry in come}
        self._seen = {key: seen for key, seen in self._seen.items() if key in self._entries}
        self._changed.set()

    def _announce_followed(self, name: str, news: Followed) -> None:
        come, go = (", ".join(span_text(entry.span) for entry in entries) for entries in (news.come, news.go))
        parts = ([f"{come} came"] if come else []) + ([f"{go} left"] if go else [])
        fields: dict[str, str | int | float] = {"ADDRESS": name, "ADDED": len(news.come), "REMOVED": len(news.go)}
        words = f"{name}, allowed by command, has other addresses: {', '.join(parts)}"
        self._announcer.announce(Event(EventName.MANUAL_ALLOW_FOLLOWED, words, fields))

    def _announce(self, name: EventName, entry: ManualAllow, words: str) -> None:
        address = entry.name or span_text(entry.span)
        fields: dict[str, str | int | float] = {"ADDRESS": address}
        fields |= {"REASON": entry.comment} if entry.comment else {}
        fields |= {"EXPIRES_AT": round(entry.expires_at)} if entry.expires_at is not None else {}
        self._announcer.announce(Event(name, f"{address}: {words}", fields))
