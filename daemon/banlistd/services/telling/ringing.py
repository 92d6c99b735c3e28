"""A hub rings the bell of its fleet over MQTT: its newest timestamp, retained, whenever something was published."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

from banlistd.core.mqtt.bell import BELL_EXPIRES
from banlistd.events import EventName
from banlistd.ports.mqtt import BusMessage
from banlistd.services.telling.event_stream import EventStream

AGAIN = 3600.0
"""Seconds after which the bell is rung without news: it is signed anew each hour, and a broker may have lost it."""

_MOST_EVENTS = 100
_PAUSE = 0.1
"""Seconds: once the daemon stops, the stream waits no more, and this loop would keep all others from their ends."""


class Ringing:
    """`timestamp`: the octets of the newest one; empty: nothing was published yet."""

    def __init__(self, stream: EventStream, timestamp: Callable[[], Awaitable[bytes]]) -> None:
        self._stream = stream
        self._timestamp = timestamp

    async def run(self, send: Callable[[BusMessage], None], topic: str) -> NoReturn:
        """Over one connection, until it is cancelled."""
        last = self._stream.newest(0).last
        while True:
            octets = await self._timestamp()
            if octets:
                send(BusMessage(topic, octets, retained=True, expires=BELL_EXPIRES))
            is_news = False
            while not is_news:
                reading = await self._stream.wait_after(last, _MOST_EVENTS, AGAIN)
                last = reading.last
                published = any(each.event.name is EventName.FLEET_PUBLISHED for each in reading.events)
                is_news = published or reading.lost > 0 or not reading.events
                if not reading.events:
                    await asyncio.sleep(_PAUSE)
