"""What a connection to the broker is told of the time before it, and what is counted as lost."""

import asyncio
import dataclasses
import json
from collections.abc import Collection, Mapping
from typing import Any, Never

import pytest

from banlistd.core.mqtt.home_assistant import BIRTH_TOPIC, NodeIdentity, description, withdrawal
from banlistd.core.mqtt.topics import NodeTopics
from banlistd.events import Event, EventName
from banlistd.ports.mqtt import BusMessage
from banlistd.services.telling import broker
from banlistd.services.telling.broker import BrokerDuties, BrokerTalk
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import KEPT, EventStream
from support.fakes import FakeAnnouncer, FakeClock

TOPICS = NodeTopics("a")


class FakeConnection:
    """Keeps what is sent; nothing comes in."""

    lost = 0

    def __init__(self) -> None:
        self.sent: list[BusMessage] = []

        self.topics: Collection[str] = ()

    def listen(self, topics: Collection[str]) -> None:
        self.topics = topics

    def send(self, message: BusMessage) -> None:
        self.sent.append(message)

    async def deliver(self, message: BusMessage) -> bool:
        raise AssertionError(message)

    async def received(self) -> Never:
        await asyncio.Event().wait()
        raise AssertionError

    def refusals(self) -> frozenset[str]:
        return frozenset()

    def payloads(self, what: str) -> list[Any]:
        return [json.loads(message.payload) for message in self.sent if message.topic == TOPICS.of(what)]


class Life:
    """A daemon, of which only the broker's part is real."""

    def __init__(self, *patterns: str) -> None:
        self.clock, self.record = FakeClock(), BrokerRecord("mqtt://127.0.0.1:1883")
        self.stream = EventStream(FakeAnnouncer(), self.clock)
        self.duties = BrokerDuties(
            TOPICS, patterns, None, withdrawal("a"), self._state, self._no_order, self._no_press, lambda: 0.0, 7
        )

    async def _state(self) -> Mapping[str, object]:
        return {"bans": 1}

    async def _no_order(self, _: bytes, *, retained: bool) -> bytes | None:
        raise AssertionError(retained)

    async def _no_press(self, verb: str, *, retained: bool) -> bool:
        raise AssertionError(verb, retained)

    def announce(self, *messages: str) -> None:
        for message in messages:
            self.stream.announce(Event(EventName.LEDGER_FAULT, message))

    async def connection(self) -> FakeConnection:
        """One that lasts until everything announced has been read."""
        bus = FakeConnection()
        self.record.note_connection("mqtt://127.0.0.1:1883", self.clock.now(), lambda: bus.lost)
        talk = BrokerTalk(bus, self.duties, self.stream, self.stream, self.record)
        running = asyncio.create_task(talk.run())
        async with asyncio.timeout(60):
            while self.record.read_up_to < self.stream.newest(1).last:  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(0)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        self.record.note_loss("mqtt://127.0.0.1:1883", self.clock.now(), "gone")
        return bus


def messages(bus: FakeConnection) -> list[str]:
    return [event["message"] for event in bus.payloads("event")]


def test_an_event_is_sent_once_and_those_without_a_connection_are_sent_after_it() -> None:
    async def main() -> None:
        life = Life("ledger_*")
        life.announce("before the first connection")
        assert messages(await life.connection()) == ["before the first connection"]
        life.announce("one", "two")
        life.clock.time += 59
        assert messages(await life.connection()) == ["one", "two"]
        life.announce("three")
        assert messages(await life.connection()) == ["three"]
        assert life.record.lost == 0

    asyncio.run(main())


def test_events_older_than_a_minute_are_counted_as_lost() -> None:
    async def main() -> None:
        life = Life("ledger_*")
        life.announce("one", "two")
        life.clock.time += 61
        life.announce("three")
        bus = await life.connection()
        assert messages(bus) == ["three"]
        assert life.record.lost == 2
        life.announce("four")
        assert [state["lost"] for state in (await life.connection()).payloads("state")] == [2]

    asyncio.run(main())


@pytest.mark.parametrize(("patterns", "lost"), [(["ledger_*"], 5), ([], 0), (["firewall_*"], 5)])
def test_events_that_the_stream_no_longer_has_may_be_lost_ones(patterns: list[str], lost: int) -> None:
    async def main() -> None:
        life = Life(*patterns)
        life.announce(*(str(number) for number in range(KEPT + 5)))
        bus = await life.connection()
        assert len(messages(bus)) == (KEPT if patterns == ["ledger_*"] else 0)
        assert life.record.lost == lost

    asyncio.run(main())


def test_events_of_no_interest_are_not_lost() -> None:
    async def main() -> None:
        life = Life("firewall_*")
        life.announce("one")
        life.clock.time += 61
        assert messages(await life.connection()) == []
        assert life.record.lost == 0

    asyncio.run(main())


def test_an_event_with_a_long_text_is_sent_cut() -> None:
    async def main() -> None:
        life = Life("*")
        life.announce("m" * 60_000)
        (text,) = messages(await life.connection())
        assert (len(text), text[-1]) == (4096, "…")

    asyncio.run(main())


def test_only_a_host_that_is_described_listens_to_the_start_of_home_assistant() -> None:
    async def main() -> None:
        life, bus = Life(), FakeConnection()
        wanted = description(NodeIdentity("a", TOPICS.root, "1"), ())
        talk = BrokerTalk(bus, life.duties, life.stream, life.stream, life.record)
        running = asyncio.create_task(talk.run())
        await asyncio.sleep(0)
        found = [BIRTH_TOPIC in bus.topics]
        for each in (wanted, None):
            talk.configure(dataclasses.replace(life.duties, description=each))
            found.append(BIRTH_TOPIC in bus.topics)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert found == [False, True, False]
        assert TOPICS.order in bus.topics

    asyncio.run(main())


def test_the_state_is_sent_where_an_import_ends_and_not_where_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "STATE_REST", 0.0)

    async def main() -> None:
        life, bus = Life(), FakeConnection()
        running = asyncio.create_task(BrokerTalk(bus, life.duties, life.stream, life.stream, life.record).run())
        async with asyncio.timeout(60):
            for name, states in ((EventName.IMPORT_STARTED, 1), (EventName.IMPORT_COMPLETED, 2)):
                life.stream.announce(Event(name, "a: polling"))
                while life.record.read_up_to < life.stream.newest(1).last or len(bus.payloads("state")) < states:  # noqa: ASYNC110
                    await asyncio.sleep(0)
                for _ in range(10):  # turns of the loop, in which another one would be sent
                    await asyncio.sleep(0)
                assert len(bus.payloads("state")) == states
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())
