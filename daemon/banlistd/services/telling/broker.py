"""What a host says and hears over MQTT while it is connected: status, state, events, its description, orders and buttons."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from banlistd.core.mqtt.fitting import fitted
from banlistd.core.mqtt.home_assistant import BIRTH_TOPIC, Description, is_birth
from banlistd.core.mqtt.topics import OFFLINE, ONLINE, NodeTopics, is_published
from banlistd.errors import BanlistdError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer
from banlistd.ports.mqtt import BusConnection, BusMessage
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream, NumberedEvent

STATE_EVERY, STATE_REST = 300.0, 10.0
"""Seconds between two states where nothing happens, and where much does."""

_PAUSE = 0.1
"""Seconds after a question without an answer."""

_STATE_EXPIRES, _EVENT_EXPIRES, _ANSWER_EXPIRES = 7200, 60, 60
_MOST_EVENTS = 50
_MOST_TASKS = 32
"""Orders, buttons and descriptions under way; more messages are dropped."""


@dataclass(frozen=True, slots=True)
class HubEars:
    """What a hub does with what it hears of its nodes, by their ids. `report`: never blocks. `state`: that there is one."""

    report: Callable[[str, BusMessage], None]
    state: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BrokerDuties:
    """`events`: patterns of names. `description`: for Home Assistant; None: not wanted, and then `withdrawal` is sent.

    `state`: gathers the state. `take_order`: octets and whether they are retained; the answer. `press`: verb and whether it is
    retained. `jitter`: seconds to wait before the description is sent again, another number each time. `boot`: when the daemon
    started, in seconds since the epoch; it goes with the will, as it is in the state. `hub`: None on a host that is none.
    `bell`: takes what the bell of the fleet says, and never blocks; None on a host that has no list of one. `refusals`: takes
    what a node refuses of the lists that this host publishes, by its id, and never blocks; None on one that publishes none.
    """

    topics: NodeTopics
    events: tuple[str, ...]
    description: Description | None
    withdrawal: Description
    state: Callable[[], Awaitable[Mapping[str, object]]]
    take_order: Callable[..., Awaitable[bytes | None]]
    press: Callable[..., Awaitable[bool]]
    jitter: Callable[[], float]
    boot: int
    hub: HubEars | None = None
    bell: Callable[[bytes], None] | None = None
    refusals: Callable[[str, BusMessage], None] | None = None

    @property
    def will(self) -> BusMessage:
        return BusMessage(self.topics.of("status"), OFFLINE, retained=True, about=(("boot", str(self.boot)),))

    @property
    def subscriptions(self) -> tuple[str, ...]:
        topics = self.topics
        # Only where it matters: a broker may end the connection of a client that may not read a topic.
        of_home = (BIRTH_TOPIC,) if self.description else ()
        of_nodes = (topics.reports, topics.states) if self.hub else ()
        of_canaries = (topics.refusals,) if self.refusals else ()
        of_hub = (topics.bell,) if self.bell else ()
        return (topics.of("status"), topics.order, f"{topics.press}+", *of_home, *of_nodes, *of_canaries, *of_hub)


class BrokerTalk:
    """One connection, noted in `record`. Ends with BusError once that is lost."""

    def __init__(
        self,
        connection: BusConnection,
        duties: BrokerDuties,
        stream: EventStream,
        announcer: Announcer,
        record: BrokerRecord,
    ) -> None:
        self._connection = connection
        self._duties = duties
        self._stream = stream
        self._announcer = announcer
        self._record = record
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: set[str] = set()
        self._is_describing = False

    def configure(self, duties: BrokerDuties) -> None:
        """From now on, these count; their topics are those of before."""
        before, self._duties = self._duties, duties
        self._connection.listen(duties.subscriptions)
        if duties.description != before.description:
            self._describe()

    async def run(self) -> None:
        # A reload may have come since the connection was begun.
        self._connection.listen(self._duties.subscriptions)
        self._send("status", ONLINE, retained=True)
        self._describe()
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(self._tell())
                together.create_task(self._hear())
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _tell(self) -> None:
        """Events as they come, with those since the last connection, and the state: at once, after each event that changes it
        (the beginning of an import changes nothing), and now and then.
        """
        loop = asyncio.get_running_loop()
        told_at, is_old = 0.0, True
        while True:
            now = loop.time()
            if (is_old and now >= told_at + STATE_REST) or now >= told_at + STATE_EVERY or not told_at:
                await self._send_state()
                told_at, is_old = now, False
            wait = STATE_REST if is_old else max(0.1, told_at + STATE_EVERY - now)
            read = await self._stream.wait_after(self._record.read_up_to, _MOST_EVENTS, wait)
            self._record.read_up_to = read.last
            if self._duties.events:
                # Which of them would have been sent is not known any more.
                self._record.earlier += read.lost
            for each in read.events:
                is_old = is_old or each.event.name is not EventName.IMPORT_STARTED
                self._send_event(each)
            self._announce_refusals()
            if not read.events:
                # Once the daemon stops, the stream waits no more, and this loop would keep all others from their ends.
                await asyncio.sleep(_PAUSE)

    async def _send_state(self) -> None:
        try:
            state = await self._duties.state()
        except BanlistdError:
            return
        document = {"v": 1, **state, "lost": self._record.lost}
        self._send("state", fitted(document), retained=True, expires=_STATE_EXPIRES)

    def _send_event(self, each: NumberedEvent) -> None:
        event = each.event
        if not is_published(str(event.name), self._duties.events):
            return
        if each.at < (self._record.since or 0.0) - _EVENT_EXPIRES:
            # The broker would have dropped it by now.
            self._record.earlier += 1
            return
        document = {"v": 1, "name": str(event.name), "message": event.message, "at": each.at, "fields": {**event.fields}}
        self._send("event", fitted(document), qos=0, expires=_EVENT_EXPIRES)

    async def _hear(self) -> None:
        while True:
            message = await self._connection.received()
            duties = self._duties
            if message.topic == duties.topics.of("status"):
                # The will of an earlier connection may come late.
                if message.payload == OFFLINE:
                    self._send("status", ONLINE, retained=True)
            elif message.topic == duties.topics.order:
                self._start(self._obey(message))
            elif message.topic.startswith(duties.topics.press):
                verb = message.topic.removeprefix(duties.topics.press)
                self._start(self._press(verb, retained=message.retained))
            elif self._is_of_fleet(duties, message):
                continue
            elif duties.description and is_birth(message.topic, message.payload) and not message.retained:
                # One that waits is enough: any client that may publish there can send any number.
                self._is_describing = self._is_describing or self._start(self._describe_later())

    @staticmethod
    def _is_of_fleet(duties: BrokerDuties, message: BusMessage) -> bool:
        """Whether it was for the bell or for the hub; then it is passed on."""
        if duties.bell and message.topic == duties.topics.bell:
            duties.bell(message.payload)
            return True
        if duties.hub and (node := duties.topics.node_of(message.topic, "report")):
            duties.hub.report(node, message)
            return True
        if duties.refusals and (node := duties.topics.node_of(message.topic, "refusal")):
            duties.refusals(node, message)
            return True
        if duties.hub and (node := duties.topics.node_of(message.topic, "state")):
            if not message.retained:
                duties.hub.state(node)
            return True
        return False

    def _start(self, work: "Awaitable[None]") -> bool:
        """Whether there was room for it."""
        task = asyncio.ensure_future(work)
        if len(self._tasks) >= _MOST_TASKS:
            task.cancel()
            return False
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def _obey(self, message: BusMessage) -> None:
        answer = await self._duties.take_order(message.payload, retained=message.retained)
        if answer is not None:
            self._send("answer", answer, expires=_ANSWER_EXPIRES)

    async def _press(self, verb: str, *, retained: bool) -> None:
        try:
            await self._duties.press(verb, retained=retained)
        except BanlistdError:
            return  # the events of the sources say what has failed

    async def _describe_later(self) -> None:
        await asyncio.sleep(self._duties.jitter())
        self._is_describing = False
        self._describe()

    def _describe(self) -> None:
        found = self._duties.description or self._duties.withdrawal
        self._connection.send(BusMessage(found.topic, found.payload, retained=True))

    def _announce_refusals(self) -> None:
        new = self._connection.refusals() - self._refused
        self._refused |= new
        for reason in sorted(new):
            self._announcer.announce(
                Event(EventName.MQTT_REFUSED, f"the MQTT broker refuses a message: {reason}", {"REASON": reason})
            )

    def _send(self, what: str, octets: bytes, *, retained: bool = False, qos: int = 1, expires: int | None = None) -> None:
        self._connection.send(BusMessage(self._duties.topics.of(what), octets, retained, qos, expires))
