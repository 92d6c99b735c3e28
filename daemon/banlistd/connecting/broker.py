"""The connection to the broker, put together where one is configured, and made again whenever it is lost."""

import asyncio
import math
import random
import socket
import ssl
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import NoReturn, cast

from banlistd.adapters.fetch.credentials import credential_file, read_credential
from banlistd.adapters.mqtt.certificates import tls_context
from banlistd.adapters.mqtt.connection import BrokerAccess, connected
from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.application import Application
from banlistd.control.ordering.node_state import NODE_STATE, NodeStateAnswer
from banlistd.control.ordering.ordered import OrderedCommands
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.core.credentials import credential_names
from banlistd.core.mqtt.home_assistant import NodeIdentity, description, withdrawal
from banlistd.core.mqtt.orders.order import Recipient
from banlistd.core.mqtt.topics import NodeTopics, fit_node_id
from banlistd.errors import BusError, FetchError
from banlistd.events import Event, EventName
from banlistd.paths import Paths
from banlistd.services.obeying.presses import Presses
from banlistd.services.obeying.signed_orders import SignedOrders
from banlistd.services.telling.broker import BrokerDuties, BrokerTalk

_LONGEST_PAUSE, _DOUBLINGS = 120.0, 7
_STEADY = 60.0
"""Seconds after which a connection counts as a good one: of two hosts with one name, each ends the other's."""

_JITTER = 10.0
"""Seconds, at most, from the start of Home Assistant until this host describes itself: many hosts hear of it at once."""


async def talk_to_broker(application: Application, mqtt: Mqtt, places: Paths) -> NoReturn:
    """Until it is cancelled: connect, and after a loss connect again, after a random pause that grows to two minutes."""
    commands = OrderedCommands(application.answers, application.announcer)
    try:
        await _talk(application, mqtt, places, duties_of(application, mqtt, commands))
    finally:
        await commands.end()


async def _talk(application: Application, mqtt: Mqtt, places: Paths, duties: BrokerDuties) -> NoReturn:
    loop = asyncio.get_running_loop()
    attempt, said = 0, ""
    while True:
        reason, since = "", math.inf
        try:
            async with connected(_access(mqtt, places, duties.topics.node), duties.will, duties.subscriptions) as connection:
                since, said = loop.time(), ""
                application.broker.note_connection(application.clock.now(), partial(getattr, connection, "lost"))
                application.announcer.announce(Event(EventName.MQTT_CONNECTED, f"connected to {mqtt.broker}"))
                async with asyncio.TaskGroup() as together:
                    together.create_task(connection.run())
                    talk = BrokerTalk(connection, duties, application.stream, application.announcer, application.broker)
                    together.create_task(talk.run())
        except* BusError as group:
            reason = next(_leaves(group))
        application.broker.note_loss(application.clock.now(), reason)
        if reason != said:
            said = reason
            words = f"no connection to {mqtt.broker}: {reason}"
            application.announcer.announce(Event(EventName.MQTT_LOST, words, {"REASON": reason}))
        attempt = 1 if loop.time() - since >= _STEADY else min(attempt + 1, _DOUBLINGS)
        await asyncio.sleep(random.uniform(1.0, min(_LONGEST_PAUSE, 1.0 + 2.0**attempt)))  # noqa: S311 - no secret


def duties_of(application: Application, mqtt: Mqtt, commands: OrderedCommands) -> BrokerDuties:
    """What is said and heard, by the configuration."""
    topics = NodeTopics(mqtt.id or fit_node_id(socket.gethostname()))
    clock, announcer = application.clock, application.announcer
    recipient = Recipient(topics.node, mqtt.operators, topics.fleet)
    orders = SignedOrders(recipient, is_signed_by, application.orders_seen, commands.carry_out, announcer, clock)
    identity = NodeIdentity(topics.node, topics.root, version("banlistd"))

    async def state() -> NodeStateAnswer:
        return cast("NodeStateAnswer", await application.answers(NODE_STATE, ()))

    return BrokerDuties(
        topics,
        mqtt.events,
        description(identity, mqtt.presses) if mqtt.home_assistant else None,
        withdrawal(topics.node),
        state,
        orders.take,
        Presses(mqtt.presses, commands.press, clock).press,
        partial(random.uniform, 0.0, _JITTER),
    )


def _access(mqtt: Mqtt, places: Paths, node: str) -> BrokerAccess:
    """Read anew for each attempt: certificates are renewed. Raises BusError."""
    broker = mqtt.broker
    try:
        password = read_credential(places.credentials, *credential_names(mqtt.password)) if mqtt.password else ""
        tls = _tls(mqtt, places) if broker.has_tls else None
    except FetchError as error:
        raise BusError(error.message, error.hint) from error
    return BrokerAccess(broker.host, broker.port, f"banlistd-{node}", tls, mqtt.user, password)


def _tls(mqtt: Mqtt, places: Paths) -> ssl.SSLContext | None:
    tls = mqtt.tls
    if tls.ca is None:
        return None
    key = None
    if tls.key:
        (name,) = credential_names(tls.key)
        read_credential(places.credentials, name)  # so that its absence is reported as that of every credential
        key = credential_file(places.credentials, name) if places.credentials else None
    return tls_context(tls.ca, tls.certificate, key)


def _leaves(group: BaseExceptionGroup[BusError]) -> Iterator[str]:
    """The reasons within a group, at any depth."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield str(error)
