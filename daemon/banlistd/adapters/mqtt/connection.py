"""A connection to a broker of MQTT 5, by aiomqtt.

What its versions 2.5 do not do by themselves is done here: an attempt that times out or is cancelled closes its socket, the
reasons in the broker's acknowledgements are kept, and one message is under way at a time.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from banlistd.adapters.mqtt.outbox import Outbox
from banlistd.adapters.mqtt.without_dns import without_dnspython
from banlistd.errors import BusError
from banlistd.ports.mqtt import BusMessage

with without_dnspython():
    import aiomqtt

_TIMEOUT = 10.0
"""Seconds for an answer of the broker."""

_KEEPALIVE = 30
"""Seconds; a dead peer is noticed after twice that."""

_LOOK_EVERY = 5.0
"""Seconds between two looks at the keepalive. aiomqtt looks each second, and wakes an idle daemon as often."""

_SESSION_EXPIRY = 10
"""Seconds. The delay of the will ends with the session, so 0 would void it."""

_WILL_DELAY = 5
_CLOSING = 2.0

_WITH_WILL = 4
"""The reason of a DISCONNECT after which the will is published (MQTT 5.0, 3.14.2.1)."""

_TO_NOBODY = 0x10
"""The reason of a PUBACK where no client has subscribed to the topic (MQTT 5.0, 3.4.2.1)."""

_INCOMING, _OUTGOING = 256, 64

_MOST_IN_A_TURN = 1000
"""Packets."""

MOST_RECEIVED = 96 * 1024
"""Octets of a packet, told to the broker; an order has at most 48 KiB. One that sends more all the same loses
the connection.
"""

_LOG = logging.getLogger(__name__)
"""aiomqtt's and paho's: what they would say is in the reasons of BusError."""
_LOG.addHandler(logging.NullHandler())
_LOG.propagate = False


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """`tls` None: not encrypted. `password` is not in repr."""

    host: str
    port: int
    client_id: str
    tls: ssl.SSLContext | None = None
    user: str = ""
    password: str = field(default="", repr=False)


class _Client(aiomqtt.Client):
    async def _misc_loop(self) -> None:
        while self._client.loop_misc() == MQTTErrorCode.MQTT_ERR_SUCCESS:  # noqa: ASYNC110 - paho cannot be waited for
            await asyncio.sleep(_LOOK_EVERY)


class MqttConnection:
    """The BusConnection of `ports`."""

    def __init__(self, client: aiomqtt.Client, topics: Collection[str]) -> None:
        """`topics`: those that the broker knows of."""
        self._client = client
        self._subscribed = self._wanted = frozenset(topics)
        self._topics_changed = asyncio.Event()
        self._outbox = Outbox()
        self._refusals: set[str] = set()
        self._sending = asyncio.Lock()
        self._is_passed_on = False
        self._messages = client.messages
        paho: Any = client._client  # noqa: SLF001 - aiomqtt drops the reason
        before = paho.on_publish

        def acknowledged(paho_client: Any, userdata: Any, number: int, reason: ReasonCode, properties: Any) -> None:
            self._is_passed_on = not reason.is_failure and reason.value != _TO_NOBODY
            if reason.is_failure:
                self._refusals.add(str(reason))
            before(paho_client, userdata, number, reason, properties)

        paho.on_publish = acknowledged

    @property
    def lost(self) -> int:
        return self._outbox.lost

    def refusals(self) -> frozenset[str]:
        found = frozenset(self._refusals)
        self._refusals.clear()
        return found

    def send(self, message: BusMessage) -> None:
        self._outbox.put(message)

    async def deliver(self, message: BusMessage) -> bool:
        async with self._sending:
            await self._publish(message)
            return self._is_passed_on

    def listen(self, topics: Collection[str]) -> None:
        self._wanted = frozenset(topics)
        self._topics_changed.set()

    async def received(self) -> BusMessage:
        """Raises BusError. A reader that is cancelled may lose a message."""
        try:
            message = await anext(self._messages)
        except aiomqtt.MqttError as error:
            raise BusError(_reason(error)) from error
        return BusMessage(str(message.topic), bytes(message.payload), retained=bool(message.retain), qos=message.qos)

    async def run(self) -> None:
        """Send what waits, and listen to what is wanted, until the connection is lost. Raises BusError."""
        works = [asyncio.ensure_future(self._send_on()), asyncio.ensure_future(self._listen_on())]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
            for work in done:
                await work
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
            self._outbox.give_up()

    async def _send_on(self) -> None:
        while True:
            message = await self._outbox.get()
            async with self._sending:
                await self._publish(message)

    async def _listen_on(self) -> None:
        while True:
            await self._topics_changed.wait()
            self._topics_changed.clear()
            wanted = self._wanted
            try:
                for topic in sorted(self._subscribed - wanted):
                    await self._client.unsubscribe(topic)
                for topic in sorted(wanted - self._subscribed):
                    await self._client.subscribe(topic, qos=1)
            except aiomqtt.MqttError as error:
                raise BusError(_reason(error)) from error
            self._subscribed = wanted

    async def _publish(self, message: BusMessage) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if message.expires:
            properties.MessageExpiryInterval = message.expires
        if message.about:
            properties.UserProperty = [*message.about]
        try:
            await self._client.publish(
                message.topic, message.payload, qos=message.qos, retain=message.retained, properties=properties
            )
        except aiomqtt.MqttError as error:
            self._outbox.note_failure(message)
            raise BusError(_reason(error)) from error


@asynccontextmanager
async def connected(
    access: BrokerAccess, will: BusMessage, topics: Collection[str], seconds: float = _TIMEOUT
) -> AsyncIterator[MqttConnection]:
    """A connection that listens to these topics. `seconds`: for each answer of the broker. Raises BusError. Nothing of
    an attempt stays, however it ends.
    """
    client = _client(access, will, seconds)
    entering = asyncio.ensure_future(client.__aenter__())
    try:
        await asyncio.shield(entering)
        connection = MqttConnection(client, topics)
        for topic in topics:
            await client.subscribe(topic, qos=1)
        yield connection
    except aiomqtt.MqttError as error:
        raise BusError(_reason(error)) from error
    finally:
        await asyncio.shield(_end(client, entering))


def _client(access: BrokerAccess, will: BusMessage, seconds: float) -> aiomqtt.Client:
    opened, last = Properties(PacketTypes.CONNECT), Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    opened.SessionExpiryInterval = _SESSION_EXPIRY
    opened.MaximumPacketSize = MOST_RECEIVED
    last.WillDelayInterval = _WILL_DELAY
    if will.about:
        last.UserProperty = [*will.about]
    client = _Client(
        access.host,
        access.port,
        username=access.user or None,
        password=access.password or None,
        logger=_LOG,
        identifier=access.client_id,
        protocol=aiomqtt.ProtocolVersion.V5,
        will=aiomqtt.Will(will.topic, will.payload, will.qos, will.retained, last),
        timeout=seconds,
        keepalive=_KEEPALIVE,
        clean_start=True,
        properties=opened,
        tls_context=access.tls,
        max_queued_incoming_messages=_INCOMING,
        max_queued_outgoing_messages=_OUTGOING,
    )
    _bound(client)
    return client


def _bound(client: aiomqtt.Client) -> None:
    """A broker that does not keep to the largest packet, or never pauses, loses the connection: paho would take 256 MiB, and
    what is left to acknowledge without a bound.
    """
    paho: Any = client._client  # noqa: SLF001 - there is no public way
    loop, receive, read = asyncio.get_running_loop(), paho._sock_recv, paho.loop_read  # noqa: SLF001 - as above
    packets = 0

    def next_turn() -> None:
        nonlocal packets
        packets = 0

    def bounded_receive(size: int) -> bytes:
        if size > MOST_RECEIVED:
            # To paho, the connection is lost.
            raise ConnectionError("the packet is too large")
        found: bytes = receive(size)
        return found

    def bounded_read(*arguments: int) -> Any:
        nonlocal packets
        if not packets:
            loop.call_soon(next_turn)
        packets += 1
        if packets > _MOST_IN_A_TURN or len(paho._out_packet) > _MOST_IN_A_TURN:  # noqa: SLF001 - as above
            raise ConnectionError("the broker sends without a pause")
        return read(*arguments)

    paho._sock_recv, paho.loop_read = bounded_receive, bounded_read  # noqa: SLF001 - as above


async def _end(client: aiomqtt.Client, entering: "asyncio.Future[aiomqtt.Client]") -> None:
    """Close what an attempt has opened; each step is bounded by a timeout of its own."""
    answered = client._connected  # noqa: SLF001 - aiomqtt cannot be asked to give up
    if not entering.done() and not answered.done():
        # Cancelled: a broker that says nothing must not delay a stop until the timeout.
        answered.set_exception(aiomqtt.MqttError("left"))
    with suppress(aiomqtt.MqttError, OSError, TimeoutError):
        await entering
    if answered.done() and not answered.cancelled():
        answered.exception()  # where the connect failed first, asyncio would log it as never retrieved
    paho: Any = client._client  # noqa: SLF001 - aiomqtt has no way to ask for the will
    # The broker publishes the will after its delay, unless the next start is quicker.
    paho.disconnect = partial(paho.disconnect, ReasonCode(PacketTypes.DISCONNECT, identifier=_WITH_WILL))
    if not entering.cancelled() and entering.exception() is None:
        # After a failed attempt, aiomqtt would wait in vain for the end of a connection that never began.
        with suppress(aiomqtt.MqttError, TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await client.__aexit__(None, None, None)
    paho.disconnect()  # otherwise the socket of a failed attempt and a task would stay
    paho.loop_misc()


def _reason(error: aiomqtt.MqttError) -> str:
    return str(error) or type(error).__name__
