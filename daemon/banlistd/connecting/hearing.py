"""What is said and heard over MQTT, by the configuration.

One for all connections, so that what a reload forbids ends at once.
"""

import asyncio
import random
import socket
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.application import Application
from banlistd.connecting.node_key import NodeKey, NodeKeyReading
from banlistd.control.ordering.node_state import NODE_STATE, NodeStateAnswer
from banlistd.control.ordering.ordered import OrderedCommands
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.config.service.mqtt import Mqtt
from banlistd.core.fleet.following import PartMove, fleet_moves
from banlistd.core.mqtt.home_assistant import NodeIdentity, description, withdrawal
from banlistd.core.mqtt.orders.order import Recipient
from banlistd.core.mqtt.topics import HOME, NodeTopics, fit_node_id
from banlistd.paths import Paths
from banlistd.ports.mqtt import BusConnection
from banlistd.services.obeying.presses import Presses
from banlistd.services.obeying.signed_orders import SignedOrders
from banlistd.services.telling.broker import BrokerDuties

if TYPE_CHECKING:
    from banlistd.connecting.reports import FleetReports
    from banlistd.connecting.roll_out import CanaryWatch
    from banlistd.services.fleet.bell import Bell
    from banlistd.services.fleet.refusing import RefusalSending
    from banlistd.services.telling.ringing import Ringing

_JITTER = 10.0
"""Seconds, at most, from the start of Home Assistant until this host describes itself: many hosts hear of it at once."""


class Hearing:
    """Orders and buttons, as the newest configuration has them."""

    def __init__(self, application: Application, mqtt: Mqtt, places: Paths) -> None:
        clock, announcer = application.clock, application.announcer
        self._application = application
        self._places = places
        self._fleet: Fleet | None = None
        self._in = _name(application.service.config.fleet)
        self._reports: FleetReports | None = None
        self._bell: Bell | None = None
        self._ringing: Ringing | None = None
        self._canaries: CanaryWatch | None = None
        self._refusing: RefusalSending | None = None
        self._changed = asyncio.Event()
        self._key = NodeKeyReading(application, places, lambda key: self._sign(self._fleet, PartMove.KEEP, key))
        self._commands = OrderedCommands(application.answers, announcer)
        self._orders = SignedOrders(
            self._recipient(mqtt), is_signed_by, application.orders_seen, self._commands.carry_out, announcer, clock
        )
        self._presses = Presses(mqtt.presses, self._commands.press, clock)

    def is_in(self, fleet: Fleet | None) -> bool:
        """Whether the topics are those of this fleet."""
        return self._in == _name(fleet)

    async def configure(self, mqtt: Mqtt, fleet: Fleet | None) -> None:
        """From now on, these operators, buttons and parts of the fleet count, over every connection."""
        self._orders.configure(self._recipient(mqtt))
        self._presses.configure(mqtt.presses)
        if self._reports:
            await self._reports.follow_lists()
        if fleet != self._fleet:
            moves, self._fleet = fleet_moves(self._fleet, fleet), fleet
            if moves.publishing in {PartMove.BEGIN, PartMove.END}:
                self._ringing = _ringing(self._application, fleet, self._places)
                if self._canaries:
                    await self._canaries.end()
                self._canaries = _canaries(self._application, fleet)
            key = self._key.follow(fleet)
            if fleet is None and self._reports:
                await self._reports.end()
                self._reports = None
            self._sign(fleet, moves.reporting, key)
            if moves.taking in {PartMove.BEGIN, PartMove.END}:
                if self._bell:
                    await self._bell.end()
                self._bell = _bell(self._application)

    def _sign(self, fleet: Fleet | None, reporting: PartMove, key: NodeKey | None) -> None:
        """What a node says of itself to its hub goes on with this key; without one, it waits."""
        self._refusing = _refusing(self._application, fleet, key)
        if fleet is not None:
            self._reports = self._reports or _reports(self._application, fleet)
            self._reports.configure(fleet, reporting, key)
        self._changed.set()
        self._changed = asyncio.Event()

    def duties(self, mqtt: Mqtt) -> BrokerDuties:
        """Of a connection."""
        topics = self._topics(mqtt)
        identity = NodeIdentity(
            topics.node, topics.root, version("banlistd"), takes_lists=self._application.fleet() is not None
        )
        return BrokerDuties(
            topics,
            mqtt.events,
            description(identity, mqtt.presses) if mqtt.home_assistant else None,
            withdrawal(topics.node),
            self._state,
            self._orders.take,
            self._presses.press,
            partial(random.uniform, 0.0, _JITTER),
            int(self._application.started_at),
            self._reports.ears if self._reports else None,
            self._bell.ring if self._bell else None,
            self._canaries.hear if self._canaries else None,
        )

    @property
    def listens_to(self) -> tuple[bool, bool, bool]:
        """Whether a connection made now would listen to reports, to the bell, and to canaries."""
        has_ears = self._reports is not None and self._reports.ears is not None
        return has_ears, self._bell is not None, self._canaries is not None

    async def speak_for_fleet(self, connection: BusConnection, topics: NodeTopics) -> NoReturn:
        """Ring the bell of a hub, and send the reports of a node, over one connection: what the newest configuration wants.

        Raises BusError in a group, once the connection is lost.
        """
        while True:
            changed, ringing, refusing = self._changed, self._ringing, self._refusing
            sending = self._reports.sending if self._reports else None
            async with asyncio.TaskGroup() as together:
                works: list[asyncio.Task[NoReturn]] = []
                if ringing:
                    works.append(together.create_task(ringing.run(connection.send, topics.bell)))
                if sending:
                    works.append(together.create_task(sending.run(connection.deliver, topics)))
                if refusing:
                    works.append(together.create_task(refusing.run(connection.deliver, topics)))
                await changed.wait()
                for work in works:
                    work.cancel()

    async def end(self) -> None:
        """Give up what is under way."""
        await self._commands.end()
        await self._key.end()
        if self._reports:
            await self._reports.end()
        if self._bell:
            await self._bell.end()
        if self._canaries:
            await self._canaries.end()

    async def _state(self) -> NodeStateAnswer:
        return cast("NodeStateAnswer", await self._application.answers(NODE_STATE, ()))

    def _topics(self, mqtt: Mqtt) -> NodeTopics:
        return NodeTopics(mqtt.id or fit_node_id(socket.gethostname()), self._in)

    def _recipient(self, mqtt: Mqtt) -> Recipient:
        topics = self._topics(mqtt)
        return Recipient(topics.node, mqtt.operators, topics.fleet)


def _name(fleet: Fleet | None) -> str:
    return fleet.name if fleet else HOME


def _bell(application: Application) -> "Bell | None":
    if application.fleet() is None:
        return None
    from banlistd.core.fleet.trust import FleetState  # noqa: PLC0415 - only here: most hosts are in no fleet
    from banlistd.services.fleet.bell import Bell  # noqa: PLC0415 - as above

    async def known() -> FleetState:
        lists = application.fleet()
        return await lists.state() if lists else FleetState()

    async def poll() -> None:
        ids = [source.id for source in application.service.config.sources if source.hub and source.enabled]
        if ids:
            await application.service.refresh(ids, anyway=False)

    def jitter() -> float:
        lists = application.fleet()
        return random.uniform(0.0, lists.fleet.spread if lists else 0.0)  # noqa: S311 - no secret

    return Bell(known, poll, jitter, application.clock.monotonic)


def _ringing(application: Application, fleet: Fleet | None, places: Paths) -> "Ringing | None":
    """Of the hub of a fleet."""
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


def _reports(application: Application, fleet: Fleet) -> "FleetReports":
    from banlistd.connecting.reports import FleetReports  # noqa: PLC0415 - only here: most hosts are in no fleet

    return FleetReports(application, fleet.name)


def _canaries(application: Application, fleet: Fleet | None) -> "CanaryWatch | None":
    if fleet is None or fleet.publish is None:
        return None
    from banlistd.connecting.roll_out import CanaryWatch  # noqa: PLC0415 - only here: most hosts are no hub

    return CanaryWatch(application, fleet.name)


def _refusing(application: Application, fleet: Fleet | None, key: NodeKey | None) -> "RefusalSending | None":
    if fleet is None or fleet.root is None or key is None:
        return None
    from banlistd.connecting.roll_out import refusal_sending  # noqa: PLC0415 - only here: most hosts are in no fleet

    return refusal_sending(application, fleet, key)
