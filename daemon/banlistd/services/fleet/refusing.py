"""A node says to its hub, signed, which versions of the fleet's lists it refuses: at once, and each minute while it does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from banlistd.core.fleet.roll_out.refusals import NodeRefusals, RefusedVersion, refusals_payload
from banlistd.core.mqtt.topics import NodeTopics
from banlistd.errors import BusError, LedgerError
from banlistd.ports import Clock
from banlistd.ports.mqtt import BusMessage, Deliver

SAID_AGAIN = 60.0
"""Seconds: the hub may not have listened."""

_EXPIRES = 3600
"""Seconds that the broker keeps a message."""


class RefusalSending:
    """`refused`: what is refused at present. Raises LedgerError. `news`: waits until that may have changed, at most so many
    seconds. `seal`: the signed message of a payload.
    """

    def __init__(
        self,
        fleet: str,
        refused: Callable[[], Awaitable[Sequence[RefusedVersion]]],
        news: Callable[[float], Awaitable[object]],
        seal: Callable[[bytes], bytes],
        clock: Clock,
    ) -> None:
        self._fleet = fleet
        self._refused = refused
        self._news = news
        self._seal = seal
        self._clock = clock

    async def run(self, deliver: Deliver, topics: NodeTopics) -> NoReturn:
        """Over one connection, until that is lost."""
        while True:
            await self.turn(deliver, topics)
            await self._news(SAID_AGAIN)

    async def turn(self, deliver: Deliver, topics: NodeTopics) -> None:
        """Say what is refused, if there is anything."""
        try:
            refused = tuple(await self._refused())
        except LedgerError:
            return
        if refused:
            payload = refusals_payload(NodeRefusals(self._fleet, topics.node, int(self._clock.now()), refused))
            octets = await asyncio.to_thread(self._seal, payload)
            # A broker that permits no such topic must not end the connection; who loses it hears of that elsewhere.
            with suppress(BusError):
                await deliver(BusMessage(topics.of("refusal"), octets, expires=_EXPIRES))
