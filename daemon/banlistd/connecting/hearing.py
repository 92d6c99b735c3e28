"""What is said and heard over MQTT, by the configuration.

One for all connections, so that what a reload forbids ends at once.
"""

import asyncio
import random
import socket
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, cast

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.application import Application
from banlistd.control.ordering.node_state import NODE_STATE, NodeStateAnswer
from banlistd.control.ordering.ordered import OrderedCommands
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.core.mqtt.home_assistant import NodeIdentity, description, withdrawal
from banlistd.core.mqtt.orders.order import Recipient
from banlistd.core.mqtt.topics import HOME, NodeTopics, fit_node_id
from banlistd.paths import Paths
from banlistd.services.obeying.presses import Presses
from banlistd.services.obeying.signed_orders import SignedOrders
from banlistd.services.telling.broker import BrokerDuties

if TYPE_CHECKING:
    from banlistd.connecting.reports import FleetReports
    from banlistd.services.fleet.bell import Bell
    from banlistd.services.reports.sending import ReportSending
    from banlistd.services.telling.ringing import Ringing

_JITTER = 10.0
"""Seconds, at most, from the start of Home Assistant until this host describes itself: many hosts hear of it at once."""


class Hearing:
    """Orders and buttons, as the newest configuration has them."""

    def __init__(self, application: Application, mqtt: Mqtt, places: Paths) -> None:
        clock, announcer = application.clock, application.announcer
        self._application = application
        self._fleet = _fleet(application)
        self._reports = _reports(application, places)
        self._bell = _bell(application)
        self.ringing = _ringing(application, places)
        self._commands = OrderedCommands(application.answers, announcer)
        self._orders = SignedOrders(
            self._recipient(mqtt), is_signed_by, application.orders_seen, self._commands.carry_out, announcer, clock
        )
        self._presses = Presses(mqtt.presses, self._commands.press, clock)

    def configure(self, mqtt: Mqtt) -> None:
        """From now on, these operators and buttons count, over every connection."""
        self._orders.configure(self._recipient(mqtt))
        self._presses.configure(mqtt.presses)

    def duties(self, mqtt: Mqtt) -> BrokerDuties:
        """Of a connection."""
        topics = self._topics(mqtt)
        identity = NodeIdentity(topics.node, topics.root, version("banlistd"))
        return BrokerDuties(
            topics,
            mqtt.events,
            description(identity, mqtt.presses) if mqtt.home_assistant else None,
            withdrawal(topics.node),
            self._state,
            self._orders.take,
            self._presses.press,
            partial(random.uniform, 0.0, _JITTER),
            self._reports.ears if self._reports else None,
            self._bell.ring if self._bell else None,
        )

    @property
    def is_hub(self) -> bool:
        """Whether a connection made now would listen to reports."""
        return self._reports is not None and self._reports.ears is not None

    @property
    def sending(self) -> "ReportSending | None":
        """Of the reports of this machine, if it has any."""
        return self._reports.sending if self._reports else None

    async def end(self) -> None:
        """Give up what is under way."""
        await self._commands.end()
        if self._reports:
            await self._reports.end()
        if self._bell:
            await self._bell.end()

    async def _state(self) -> NodeStateAnswer:
        return cast("NodeStateAnswer", await self._application.answers(NODE_STATE, ()))

    def _topics(self, mqtt: Mqtt) -> NodeTopics:
        return NodeTopics(mqtt.id or fit_node_id(socket.gethostname()), self._fleet)

    def _recipient(self, mqtt: Mqtt) -> Recipient:
        topics = self._topics(mqtt)
        return Recipient(topics.node, mqtt.operators, topics.fleet)


def _fleet(application: Application) -> str:
    fleet = application.service.config.fleet
    return fleet.name if fleet else HOME


def _bell(application: Application) -> "Bell | None":
    lists = application.fleet
    if lists is None:
        return None
    from banlistd.services.fleet.bell import Bell  # noqa: PLC0415 - only here: most hosts are in no fleet

    async def known() -> int:
        return (await lists.state()).timestamp_version

    async def poll() -> None:
        ids = [source.id for source in application.service.config.sources if source.hub and source.enabled]
        if ids:
            await application.service.refresh(ids, anyway=False)

    return Bell(known, poll, partial(random.uniform, 0.0, lists.fleet.spread), application.clock.monotonic)


def _ringing(application: Application, places: Paths) -> "Ringing | None":
    """Of the hub of a fleet."""
    fleet = application.service.config.fleet
    if fleet is None or fleet.publish is None:
        return None
    from banlistd.services.telling.ringing import Ringing  # noqa: PLC0415 - only here: most hosts are no hub

    async def timestamp() -> bytes:
        return await asyncio.to_thread(_content_of, places.fleet / "public" / "metadata" / "timestamp.json")

    return Ringing(application.stream, timestamp)


def _content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _reports(application: Application, places: Paths) -> "FleetReports | None":
    fleet = application.service.config.fleet
    if fleet is None:
        return None
    from banlistd.connecting.reports import FleetReports  # noqa: PLC0415 - only here: most hosts are in no fleet

    return FleetReports(application, fleet, places)
