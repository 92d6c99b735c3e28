"""What a reload makes of the parts that report and gather reports, on a real database; the connection is the test's."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from banlistd.adapters.fetch.credentials import read_credential
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.reports.stores import ReportTables
from banlistd.application import Application
from banlistd.connecting import node_key
from banlistd.connecting.hearing import Hearing
from banlistd.control.commands.monitoring.broker import broker_lines, broker_row
from banlistd.core.config.model import Config, Source
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.config.service.mqtt import Broker, Mqtt
from banlistd.core.config.service.reports import Reports
from banlistd.core.manual.manual_bans import read_ban
from banlistd.core.mqtt.orders.keys import private_key_text
from banlistd.core.mqtt.topics import NodeTopics
from banlistd.events import EventName
from banlistd.model import SourceId
from banlistd.paths import Paths
from banlistd.ports.mqtt import BusConnection, BusMessage
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream
from support.fakes import FakeAnnouncer, FakeClock

MQTT = Mqtt(broker=Broker("127.0.0.1", 1, has_tls=False))
TOPICS = NodeTopics("node-1")
# Without a fleet, the topics have the same name.
NODE = Fleet(name="home", report=("fail2ban/*",), node_key="${credential:node-key}")


class World:
    """A hearing, and the reports that it has delivered."""

    def __init__(self, disk: Path, reports: ReportTables, clock: FakeClock) -> None:
        self.service = SimpleNamespace(config=Config())
        self.clock = clock
        self.delivered = asyncio.Queue[BusMessage]()
        self.announcer = FakeAnnouncer()
        stream, nothing = EventStream(self.announcer, clock), cast("Any", None)
        application = SimpleNamespace(
            service=self.service,
            clock=clock,
            announcer=stream,
            stream=stream,
            reports=reports,
            answers=nothing,
            orders_seen=nothing,
            exempt=nothing,
            fleet=lambda: None,
            roll_out=lambda: None,
            broker=BrokerRecord(),
            witness=ClockWitness(clock),
            started_at=1.0,
        )
        self.record = application.broker
        self.hearing = Hearing(cast("Application", application), MQTT, Paths(disk, disk, disk, credentials=disk))

    async def reload(self, config: Config) -> None:
        self.service.config = config
        assert self.hearing.is_in(config.fleet)
        await self.hearing.configure(MQTT, config.fleet)

    async def deliver(self, message: BusMessage) -> bool:
        self.delivered.put_nowait(message)
        return True


def run(disk: Path, story: Callable[[World], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), open_database(disk / "db") as database:
            clock = FakeClock()
            ban = read_ban({"address": "203.0.113.7", "origin": "fail2ban/sshd", "for": "1d"}).at(clock.now())
            await ManualBanTable(database).change([ban], [])
            world = World(disk, ReportTables(database, disk / "db"), clock)
            try:
                await story(world)
            finally:
                await world.hearing.end()

    (disk / "node-key").write_text(private_key_text(bytes(range(32))))
    asyncio.run(main())


def sendings() -> list[asyncio.Task[Any]]:
    """What sends reports now."""
    return [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == "ReportSending.run"]  # type: ignore[union-attr]


def is_gathering() -> bool:
    """Whether reports are judged, or silent nodes looked for: there is nothing else that is tried again after a fault."""
    names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    return "FaultRecorder.repeat" in names


def test_a_hub_gathers_reports_as_long_as_a_list_is_made_of_them(tmp_path: Path) -> None:
    listed = Source(id=SourceId("reports"), reports=Reports())
    hub = Config(fleet=Fleet(name="home"), sources=(listed,))
    without: tuple[Config, ...] = (
        replace(hub, sources=()),
        replace(hub, sources=(replace(listed, enabled=False),)),
        Config(),
    )

    async def story(world: World) -> None:
        for later in without:
            await world.reload(hub)
            assert world.hearing.duties(MQTT).hub is not None
            assert (world.hearing.listens_to[0], is_gathering()) == (True, True)
            await world.reload(replace(hub, sources=(listed, Source(id=SourceId("more"), url="https://lists.example"))))
            assert (world.hearing.listens_to[0], is_gathering()) == (True, True)
            await world.reload(later)
            assert (world.hearing.listens_to[0], is_gathering()) == (False, False)

    run(tmp_path, story)


def test_after_a_reload_without_a_fleet_nothing_is_reported_until_there_is_one_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.reload(Config(fleet=NODE))
        connection = cast("BusConnection", world)
        speaking = asyncio.ensure_future(world.hearing.speak_for_fleet(connection, TOPICS))
        assert (await world.delivered.get()).topic == TOPICS.of("report")
        (before,) = sendings()
        await world.reload(Config())
        await asyncio.wait([before])
        for _ in range(10):  # as many steps as a new task would need
            await asyncio.sleep(0)
        assert sendings() == []
        # Its name is another one with other origins: so what is in force is said at once.
        await world.reload(Config(fleet=replace(NODE, report=("fail2ban/sshd",))))
        await world.delivered.get()
        speaking.cancel()
        await asyncio.wait([speaking])

    run(tmp_path, story)


def test_a_key_that_cannot_be_read_is_tried_again_until_it_can_and_status_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_key, "FIRST_PAUSE", 0.001)

    async def story(world: World) -> None:
        attempts, third = 0, asyncio.Event()

        def noted(*arguments: Any) -> str:
            nonlocal attempts
            attempts += 1
            if attempts == 3:
                third.set()
            return read_credential(*arguments)

        monkeypatch.setattr(node_key, "read_credential", noted)
        key = tmp_path / "node-key"
        text = key.read_text()
        key.write_text("no key")
        await world.reload(Config(fleet=NODE))
        connection = cast("BusConnection", world)
        speaking = asyncio.ensure_future(world.hearing.speak_for_fleet(connection, TOPICS))
        fault = "the file is not a private key of Ed25519"
        assert fault in world.record.key_fault
        assert any(fault in line for line in broker_lines({**broker_row(world.record), "broker": "mqtt://here"}, 0.0))
        await third.wait()
        assert [event.name for event in world.announcer.events] == [EventName.SERVICE_FAULT]
        key.write_text(text)
        assert (await world.delivered.get()).topic == TOPICS.of("report")
        assert world.record.key_fault == ""
        speaking.cancel()
        await asyncio.wait([speaking])

    run(tmp_path, story)


def test_a_key_that_no_configuration_wants_any_more_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_key, "FIRST_PAUSE", 0.001)

    async def story(world: World) -> None:
        (tmp_path / "node-key").unlink()
        await world.reload(Config(fleet=NODE))
        assert world.record.key_fault
        await world.reload(Config())
        assert world.record.key_fault == ""
        names = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks() if not task.cancelling()}
        assert "NodeKeyReading._try_again" not in names

    run(tmp_path, story)
