"""The connection to one broker, made again whenever it is lost."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from banlistd.adapters.mqtt.connection import MqttConnection, connected
from banlistd.application import Application
from banlistd.connecting.access import broker_access
from banlistd.connecting.hearing import Hearing
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.core.mqtt.reconnecting import longest_pause
from banlistd.errors import BusError
from banlistd.events import Event, EventName
from banlistd.paths import Paths
from banlistd.services.telling.broker import BrokerTalk

_STEADY = 60.0
"""Seconds after which a connection counts as a good one: of two hosts with one name, each ends the other's."""


class BrokerLink:
    """`leave_earlier`: ends the connection to the broker before, whose place this one takes once it is there."""

    def __init__(
        self,
        application: Application,
        mqtt: Mqtt,
        places: Paths,
        hearing: Hearing,
        leave_earlier: Callable[["BrokerLink"], Awaitable[None]],
    ) -> None:
        self._application = application
        self._mqtt = mqtt
        self._places = places
        self._hearing = hearing
        self._leave_earlier = leave_earlier
        self._talk: BrokerTalk | None = None
        self._listens_to = hearing.listens_to
        self.is_outdated = False

    @property
    def is_talking(self) -> bool:
        return self._talk is not None

    def serves(self, mqtt: Mqtt) -> bool:
        """Whether a connection for this configuration would be made as this one is."""
        return _way(mqtt) == _way(self._mqtt) and self._listens_to == self._hearing.listens_to

    def configure(self, mqtt: Mqtt) -> None:
        """Say from now on what this configuration wants, over the connection that is there."""
        self._mqtt = mqtt
        if self._talk is not None:
            self._talk.configure(self._hearing.duties(mqtt))

    async def run(self) -> None:
        """Connect, and after a loss connect again, after a random pause that grows to two minutes; until it is outdated."""
        loop, record, clock = asyncio.get_running_loop(), self._application.broker, self._application.clock
        attempt, said = 0, ""
        while True:
            reason, since = "", math.inf
            duties = self._hearing.duties(self._mqtt)
            try:
                access = broker_access(self._mqtt, self._places, duties.topics.node)
                async with connected(access, duties.will, duties.subscriptions) as connection:
                    await self._leave()
                    since, said = loop.time(), ""
                    await self._talk_over(connection)
            except* BusError as group:
                reason = next(_leaves(group))
            self._talk = None
            if math.isinf(since) and record.is_connected:
                record.note_wait(f"no connection yet to {self._mqtt.broker}: {reason}")
            else:
                record.note_loss(str(self._mqtt.broker), clock.now(), reason)
            if self.is_outdated:
                return
            if reason != said:
                said = reason
                self._announce(EventName.MQTT_LOST, f"no connection to {self._mqtt.broker}: {reason}", REASON=reason)
            attempt = 1 if loop.time() - since >= _STEADY else attempt + 1
            await asyncio.sleep(random.uniform(1.0, longest_pause(attempt)))  # noqa: S311 - no secret

    async def _leave(self) -> None:
        """End the connection before. Without a time between the two in the record, unless this one is given up meanwhile."""
        record = self._application.broker
        try:
            await self._leave_earlier(self)
        except asyncio.CancelledError:
            if record.is_connected:
                record.note_loss(str(self._mqtt.broker), self._application.clock.now(), "left for another broker")
            raise

    async def _talk_over(self, connection: MqttConnection) -> None:
        application, broker = self._application, str(self._mqtt.broker)
        application.broker.note_connection(broker, application.clock.now(), partial(getattr, connection, "lost"))
        self._announce(EventName.MQTT_CONNECTED, f"connected to {broker}")
        # Made now: a reload may have come since the attempt began.
        duties = self._hearing.duties(self._mqtt)
        self._talk = BrokerTalk(connection, duties, application.stream, application.announcer, application.broker)
        async with asyncio.TaskGroup() as together:
            together.create_task(connection.run())
            together.create_task(self._talk.run())
            together.create_task(self._hearing.speak_for_fleet(connection, duties.topics))

    def _announce(self, name: EventName, words: str, **fields: str) -> None:
        self._application.announcer.announce(Event(name, words, fields))


def _way(mqtt: Mqtt) -> tuple[object, ...]:
    """What a connection is made of."""
    return mqtt.broker, mqtt.id, mqtt.tls, mqtt.user, mqtt.password


def _leaves(group: BaseExceptionGroup[BusError]) -> Iterator[str]:
    """The reasons within a group, at any depth."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield str(error)
