"""What the record says of the connection while reloads follow each other; the connections are the test's."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from banlistd.application import Application
from banlistd.connecting import link
from banlistd.connecting.broker import BrokerLinks
from banlistd.connecting.hearing import Hearing
from banlistd.core.config.service.mqtt import Broker, Mqtt
from banlistd.core.mqtt.home_assistant import withdrawal
from banlistd.core.mqtt.topics import NodeTopics
from banlistd.errors import BusError
from banlistd.paths import Paths
from banlistd.ports.mqtt import BusMessage
from banlistd.services.telling.broker import BrokerDuties
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream
from support.fakes import FakeAnnouncer, FakeClock

PLACES = cast("Paths", None)


class Bus:
    """A connection on which nothing is heard, and which ends only once it may."""

    lost = 0

    def __init__(self) -> None:
        self.is_begun, self.is_ending, self.may_end = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def listen(self, _: object) -> None: ...

    def send(self, _: BusMessage) -> None: ...

    def refusals(self) -> frozenset[str]:
        return frozenset()

    async def run(self) -> None:
        self.is_begun.set()
        await asyncio.Event().wait()

    async def received(self) -> None:
        await asyncio.Event().wait()


class World:
    """Brokers by their port; one that is not here refuses."""

    def __init__(self, *ports: int) -> None:
        self.buses = {port: Bus() for port in ports}
        self.refused = asyncio.Event()
        self.record, clock = BrokerRecord(), FakeClock()
        self.stream = EventStream(FakeAnnouncer(), clock)
        duties = BrokerDuties(NodeTopics("a"), (), None, withdrawal("a"), self._state, _never, _never, lambda: 0.0, 7)
        self.hearing = SimpleNamespace(
            listens_to=(), configure=_nothing, speak_for_fleet=_nothing, duties=lambda _: duties, end=_nothing
        )
        self.application = cast(
            "Application",
            SimpleNamespace(broker=self.record, clock=clock, stream=self.stream, announcer=self.stream),
        )
        self.links = BrokerLinks(self.application, PLACES, cast("Hearing", self.hearing))

    @asynccontextmanager
    async def connected(self, access: int, *_: object) -> AsyncIterator[Bus]:
        if access not in self.buses:
            self.refused.set()
            raise BusError("nothing listens there")
        bus = self.buses[access]
        try:
            yield bus
        finally:
            bus.is_ending.set()
            await bus.may_end.wait()

    async def _state(self) -> dict[str, object]:
        return {}


async def _never(*_: Any, **__: Any) -> Any:
    raise AssertionError


async def _nothing(*_: object) -> None: ...


def mqtt(port: int) -> Mqtt:
    return Mqtt(broker=Broker("127.0.0.1", port, has_tls=False))


def run(monkeypatch: pytest.MonkeyPatch, world_of: Callable[[], World], story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        world = world_of()
        monkeypatch.setattr(link, "connected", world.connected)
        monkeypatch.setattr(link, "broker_access", lambda wanted, *_: wanted.broker.port)
        async with asyncio.timeout(10):
            await story(world)

    asyncio.run(main())


def test_a_second_reload_while_the_first_broker_is_left_is_not_connected_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        first, second = world.buses[1], world.buses[2]
        await world.links.follow(mqtt(1), None)
        await first.is_begun.wait()
        assert world.record.is_connected
        await world.links.follow(mqtt(2), None)
        await first.is_ending.wait()  # the second is there, and leaves the first
        first.may_end.set()
        second.may_end.set()
        await world.links.follow(mqtt(3), None)
        await world.refused.wait()
        assert (world.record.broker, world.record.is_connected) == ("mqtt://127.0.0.1:3", False)
        await world.links.end()

    run(monkeypatch, lambda: World(1, 2), story)


def test_a_reload_that_follows_no_other_has_no_time_without_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(world: World) -> None:
        first, second = world.buses[1], world.buses[2]
        await world.links.follow(mqtt(1), None)
        await first.is_begun.wait()
        await world.links.follow(mqtt(2), None)
        await first.is_ending.wait()
        assert world.record.is_connected
        first.may_end.set()
        await second.is_begun.wait()
        assert (world.record.broker, world.record.is_connected) == ("mqtt://127.0.0.1:2", True)
        second.may_end.set()
        await world.links.end()

    run(monkeypatch, lambda: World(1, 2), story)
