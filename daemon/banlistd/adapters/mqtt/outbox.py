"""What waits to be sent: bounded, and a newer state takes the place of an older one."""

import asyncio
from collections import OrderedDict

from banlistd.ports.mqtt import BusMessage

MOST_MESSAGES = 256
MOST_OCTETS_WAITING = 2**20


class Outbox:
    """Used by one thread. `lost`: messages that had to go for newer ones, or that were given up."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[object, BusMessage] = OrderedDict()
        self._octets = 0
        self._number = 0
        self._filled = asyncio.Event()
        self.lost = 0

    def put(self, message: BusMessage) -> None:
        self._number += 1
        key: object = message.topic if message.retained else self._number
        if key in self._waiting:
            self._take(key)
        self._waiting[key] = message
        self._octets += len(message.payload)
        while len(self._waiting) > MOST_MESSAGES or self._octets > MOST_OCTETS_WAITING:
            self._take(next(iter(self._waiting)))
            self.lost += 1
        self._filled.set()

    async def get(self) -> BusMessage:
        """The oldest message, once there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._take(next(iter(self._waiting)))

    def give_up(self) -> None:
        """Nothing is sent any more."""
        for message in self._waiting.values():
            self.note_failure(message)
        self._waiting.clear()
        self._octets = 0

    def note_failure(self, message: BusMessage) -> None:
        """A retained message is not lost: the next connection begins with a newer one."""
        self.lost += int(not message.retained)

    def _take(self, key: object) -> BusMessage:
        message = self._waiting.pop(key)
        self._octets -= len(message.payload)
        return message
