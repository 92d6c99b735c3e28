"""The broker of the configuration in force: a reload that names another one is followed without a time between the two."""

import asyncio
from itertools import takewhile

from banlistd.application import Application
from banlistd.connecting.hearing import Hearing
from banlistd.connecting.link import BrokerLink
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.paths import Paths


async def talk_to_broker(application: Application, places: Paths) -> None:
    """Until no broker is configured, or this machine has joined or left a fleet, or it is cancelled."""
    service, record = application.service, application.broker
    if (mqtt := service.config.mqtt) is None:
        return
    hearing = Hearing(application, mqtt, places)
    links = BrokerLinks(application, places, hearing)
    try:
        while (mqtt := (config := service.config).mqtt) is not None and hearing.is_in(config.fleet):
            await links.follow(mqtt, config.fleet)
            await links.watch(asyncio.ensure_future(service.wait_for_another(config)))
    finally:
        await links.end()
        if record.is_connected:
            record.note_loss(record.broker, application.clock.now(), "left")
    if mqtt is None:
        record.note_end()
    else:
        record.note_loss(str(mqtt.broker), application.clock.now(), "a reload has changed the fleet")


class BrokerLinks:
    """The connection in use, and the one that is to take its place."""

    def __init__(self, application: Application, places: Paths, hearing: Hearing) -> None:
        self._application = application
        self._places = places
        self._hearing = hearing
        self._running: dict[BrokerLink, asyncio.Task[None]] = {}

    async def follow(self, mqtt: Mqtt, fleet: Fleet | None) -> None:
        """Use the connection that this configuration wants. One that is there stays until a new one is."""
        await self._hearing.configure(mqtt, fleet)
        used = next((link for link, task in self._running.items() if link.serves(mqtt) and not task.done()), None)
        await self._leave(*[link for link in self._running if link is not used and not link.is_talking])
        for link in self._running:
            link.is_outdated = link is not used
        if used is not None:
            used.configure(mqtt)
            return
        link = BrokerLink(self._application, mqtt, self._places, self._hearing, self._leave_before)
        self._running[link] = asyncio.ensure_future(link.run())

    async def watch(self, reload: "asyncio.Future[None]") -> None:
        """Until the reload has come. Raises an unexpected error that has ended a connection."""
        try:
            while not reload.done():
                await asyncio.wait([reload, *self._running.values()], return_when=asyncio.FIRST_COMPLETED)
                for link in [link for link, task in self._running.items() if task.done()]:
                    self._running.pop(link).result()
        finally:
            reload.cancel()

    async def end(self) -> None:
        """Leave every broker, and give up what is under way."""
        await self._leave(*self._running)
        await self._hearing.end()

    async def _leave_before(self, link: BrokerLink) -> None:
        await self._leave(*takewhile(lambda one: one is not link, [*self._running]))

    async def _leave(self, *links: BrokerLink) -> None:
        tasks = [self._running.pop(link) for link in links]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
