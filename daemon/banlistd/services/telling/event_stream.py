"""The newest events, numbered from the start of the daemon, for any number of readers, each at a place of its own.

A reader that is slow loses the oldest events and is told how many; it never delays what announces them, nor other readers.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Clock

KEPT = 2_000
"""Events in memory, some 1 KB each: all imports of a start with 1,000 sources."""

WAITING = 256
"""Readers that may wait at the same time; another one gets its answer at once."""


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """`number`: 1 for the first event after the start. `at`: seconds since the epoch."""

    number: int
    at: float
    event: Event


@dataclass(frozen=True, slots=True)
class EventsRead:
    """What a reader gets. `last`: the number that it has read up to. `lost`: events that it can no longer get."""

    events: Sequence[NumberedEvent]
    last: int
    lost: int


class EventStream:
    """The Announcer of the daemon: it passes each event on to `through`, and keeps it."""

    def __init__(self, through: Announcer, clock: Clock) -> None:
        self._through = through
        self._clock = clock
        self._kept: deque[NumberedEvent] = deque(maxlen=KEPT)
        self._last = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._has_ended = False

    def announce(self, event: Event) -> None:
        self._through.announce(event)
        self._last += 1
        self._kept.append(NumberedEvent(self._last, self._clock.now(), event))
        # Nothing comes after it, and readers that wait would delay the stop.
        self._has_ended = self._has_ended or event.name is EventName.SERVICE_STOPPED
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)

    def newest(self, limit: int, source_id: str | None = None) -> EventsRead:
        """The last `limit` events, of all sources or of one, in order."""
        found = [each for each in self._kept if _is_of(each, source_id)]
        return EventsRead(found[-limit:], self._last, 0)

    def after(self, number: int, limit: int, source_id: str | None = None) -> EventsRead:
        """Up to `limit` events that come after this number, of all sources or of one, in order."""
        lost = max(0, self._last - len(self._kept) - number)
        found = [each for each in self._kept if each.number > number and _is_of(each, source_id)]
        return EventsRead(found[:limit], found[limit - 1].number if len(found) > limit else max(number, self._last), lost)

    async def wait_after(self, number: int, limit: int, seconds: float, source_id: str | None = None) -> EventsRead:
        """As `after`; where there is no event yet, it waits for one, at most so long."""
        reading = self.after(number, limit, source_id)
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not reading.events and not self._has_ended and len(self._waiting) < WAITING and loop.time() < end:
            waiting = loop.create_future()
            self._waiting.add(waiting)
            try:
                await asyncio.wait([waiting], timeout=end - loop.time())
            finally:
                self._waiting.discard(waiting)
            later = self.after(reading.last, limit, source_id)
            reading = EventsRead(later.events, later.last, reading.lost + later.lost)
        return reading


def _is_of(each: NumberedEvent, source_id: str | None) -> bool:
    return source_id is None or each.event.fields.get("SOURCE_ID") == source_id
