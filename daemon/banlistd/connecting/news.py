"""Waits for events of the daemon, in place of a look every second."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from banlistd.events import EventName
from banlistd.services.telling.event_stream import EventStream

_MOST_EVENTS = 100
_PAUSE = 0.1
"""Seconds after a question without an answer: once the daemon stops, the stream waits no more."""


def news_about(stream: EventStream, names: Collection[EventName]) -> Callable[[float], Awaitable[None]]:
    """Waits at most so many seconds until there was such an event since the last call, or one may have been missed."""
    last = stream.newest(0).last

    async def news(seconds: float) -> None:
        nonlocal last
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            reading = await stream.wait_after(last, _MOST_EVENTS, left)
            last = reading.last
            if reading.lost or any(each.event.name in names for each in reading.events):
                return
            if not reading.events:
                await asyncio.sleep(_PAUSE)

    return news
