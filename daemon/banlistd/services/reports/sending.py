"""The reports of a node on their way to its hub: signed, and kept until the broker has passed them on."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NoReturn

from banlistd.core.fleet.reports.outbox import ReportChange, is_over
from banlistd.core.fleet.reports.report import MOST_ENTRIES, LiftedBan, NodeReport, ReportedBan, most_that_fit, report_payload
from banlistd.core.mqtt.topics import NodeTopics
from banlistd.errors import LedgerError
from banlistd.ports import Clock
from banlistd.ports.mqtt import BusMessage, Deliver
from banlistd.ports.reports import ReportOutbox

SEND_EVERY = 10.0
"""Seconds between two reports, at least."""

OUTBOX_EVERY = 5.0
"""Seconds between two looks for what waits, where no event says that a ban has changed: one that lasts longer has none."""

RESEND_EVERY = 30.0
"""Seconds until a report is sent again that nobody listened to, or that the broker did not take."""

EXPIRES = 3600
"""Seconds that the broker keeps a report."""

REPEAT_EVERY, REPEAT_SPREAD = 3600.0, 300.0
"""Seconds between two repetitions of what is in force and of what was lifted, and a random part on top. A hub that starts
again has lost what the broker passed on to it before, and nothing tells the node so.
"""

REPEAT_REST = 600.0
"""Seconds between two repetitions, at least: a connection may be lost again and again."""

_SET_AHEAD = 60.0
"""Seconds by which the wall clock was set ahead, and reports get a new number."""

MOST_REPEATED = 2000
"""Bans, the newest: four reports, and as many new addresses as a hub takes of a node in four hours."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports. `origins`: patterns of those whose bans are reported. `seal`: the signed message of a payload.

    `random_part`: a random part of so many seconds. `name`: another one for each key and for other origins: what is in force
    was not reported as such before.
    """

    name: str
    fleet: str
    origins: Sequence[str]
    seal: Callable[[bytes], bytes]
    random_part: Callable[[float], float]


class ReportSending:
    """One for the life of the daemon: its reports are numbered. `news`: waits for the next change of a ban, at most so many
    seconds.
    """

    def __init__(
        self, reporter: Reporter, outbox: ReportOutbox, clock: Clock, news: Callable[[float], Awaitable[object]]
    ) -> None:
        self._reporter = reporter
        self._outbox = outbox
        self._clock = clock
        self._news = news
        self._boot: int | None = None
        self._seq = 0
        self._skew = 0.0
        self._repeated_at = -math.inf
        self._repeat_at = math.inf

    async def run(self, deliver: Deliver, topics: NodeTopics) -> NoReturn:
        """Over one connection. Raises BusError once that is lost."""
        await self.begin()
        while True:
            if seconds := await self.turn(deliver, topics):
                await asyncio.sleep(seconds)
            else:
                await self._news(OUTBOX_EVERY)

    async def begin(self) -> None:
        """With each connection: what is in force is repeated soon, and at once if it was never reported like this."""
        try:
            is_known = await self._outbox.repeater() == self._reporter.name
        except LedgerError:
            is_known = True
        soon = self._clock.monotonic() + (self._reporter.random_part(REPEAT_SPREAD) if is_known else 0.0)
        self._repeat_at = max(soon, self._repeated_at + REPEAT_REST)

    async def turn(self, deliver: Deliver, topics: NodeTopics) -> float:
        """Send what waits, as much as one report takes; seconds to rest, 0 where nothing waits. Raises BusError."""
        try:
            await self._repeat_if_due()
            waiting = await self._outbox.oldest(MOST_ENTRIES)
            now = self._clock.now()
            over = {number for number, change in waiting if is_over(change, self._reporter.origins, now)}
            if over:
                await self._outbox.done(over)
            left = [(number, change) for number, change in waiting if number not in over]
            fits = most_that_fit([change for _, change in left])
            if not fits:
                return 0.0
            sent = [number for number, _ in left[: len(fits)]]
            if not await deliver(await self._message(fits, topics, now)):
                return RESEND_EVERY
            await self._outbox.done(sent)
        except LedgerError:
            return RESEND_EVERY
        return SEND_EVERY

    async def _repeat_if_due(self) -> None:
        """What the broker has passed on may be lost at the hub: what is in force, and what was lifted, is said again."""
        now = self._clock.monotonic()
        if now >= self._repeat_at:
            who = self._reporter
            await self._outbox.repeat(who.name, who.origins, self._clock.now(), MOST_REPEATED)
            self._repeated_at, self._repeat_at = now, now + REPEAT_EVERY + self._reporter.random_part(REPEAT_SPREAD)

    async def _message(self, changes: Sequence[ReportChange], topics: NodeTopics, now: float) -> BusMessage:
        skew = now - self._clock.monotonic()
        if self._boot is None or skew - self._skew > _SET_AHEAD:
            # A clock that was wrong at the start, and a database in memory: it may be below what the hub has seen.
            self._boot, self._seq, self._skew = await self._outbox.next_boot(now), 0, skew
        self._seq += 1
        who = self._reporter
        bans = tuple(change for change in changes if isinstance(change, ReportedBan))
        lifted = tuple(change for change in changes if isinstance(change, LiftedBan))
        report = NodeReport(who.fleet, topics.node, self._boot, self._seq, int(now), bans, lifted)
        octets = await asyncio.to_thread(who.seal, report_payload(report))
        return BusMessage(topics.of("report"), octets, expires=EXPIRES)
