"""Many nodes with the real code, each with a database of its own: connection, bell, pull, guards, import, and a firewall in
memory. Only the loops of the service do not run, so that a poll is caused by the bell alone.

Argument: JSON with `first` and `size`, `config` (the folder with the configuration of all of them), `folder` and `programs`.
"""

import asyncio
import gc
import json
import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from banlistd.adapters.fetch.fleet import pulling
from banlistd.adapters.firewalls.memory import MemoryFirewall
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.fleet.trust_rows import TrustTable
from banlistd.adapters.storage.orders.orders_seen import SeenOrderTable
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.adapters.storage.reports.stores import ReportTables
from banlistd.adapters.system.clock import SystemClock
from banlistd.application import Application
from banlistd.compose import load_config
from banlistd.connecting.broker import talk_to_broker
from banlistd.control.parts import answered_by
from banlistd.core.config.model import Config
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.guards import HOLD
from banlistd.core.fleet.trust import KnownTrust, Pulled, WantedList
from banlistd.core.ruleset.state import MapEntries, MapId
from banlistd.events import Event, EventName
from banlistd.model import SourceId
from banlistd.paths import Paths
from banlistd.ports.fleet import SignedLists
from banlistd.services.enforcer import Enforcer
from banlistd.services.fleet.fleet_lists import FleetLists
from banlistd.services.obeying.remembered import RememberedOrders
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.starting import garbage
from support.fakes import FakeAnnouncer, FakeClock, FakeFetcher
from support.many_nodes.crowd import say
from support.many_nodes.pull_programs import PullPrograms
from worlds import Environment, assemble

_LOOK_EVERY = 0.25
_AT_ONCE = 16
"""Nodes that are opened at the same time."""

_FAULTS = (EventName.IMPORT_FAILED, EventName.HUB_REFUSED, EventName.MQTT_REFUSED)


class CountedPulls:
    """The SignedLists of `ports`, which all nodes share, with what their pulls cost together."""

    def __init__(self, through: SignedLists) -> None:
        self._through = through
        self.pulls = self.requests = self.octets = 0

    async def pull(self, fleet: Fleet, wanted: Sequence[WantedList], known: KnownTrust, seconds: float) -> Pulled:
        pulled = await self._through.pull(fleet, wanted, known, seconds)
        self.pulls += 1
        self.requests += pulled.requests
        self.octets += pulled.octets
        return pulled

    async def add_root(self, fleet: Fleet, root: bytes, known: KnownTrust) -> Pulled:
        return await self._through.add_root(fleet, root, known)


@dataclass(slots=True)
class Node:
    """`talk`: with the broker; it ends by a fault alone."""

    firewall: MemoryFirewall
    broker: BrokerRecord
    talk: "asyncio.Task[None]"
    _maps: Mapping[MapId, MapEntries] = field(default_factory=dict)
    _bans: int = 0

    @property
    def bans(self) -> int:
        """Counted only after a change: that of all nodes, four times in a second, took a third of what they do at rest."""
        if self._maps is not (maps := self.firewall.maps):
            self._maps, self._bans = maps, sum(len(entries.first) for entries in maps.values())
        return self._bans


@dataclass
class Faults(FakeAnnouncer):
    """Keeps nothing but the newest fault."""

    newest: str = ""

    def announce(self, event: Event) -> None:
        if event.name in _FAULTS:
            self.newest = event.message


@dataclass(frozen=True, slots=True)
class Crowded:
    """What all nodes share."""

    signed: "CountedPulls"
    clock: SystemClock
    faults: Faults


async def _opened(stack: AsyncExitStack, config: Config, places: Paths, shared: Crowded) -> Node:
    clock = shared.clock
    environment = Environment(places.state, clock=cast("FakeClock", clock), announcer=shared.faults)
    database = await stack.enter_async_context(open_database(places.database))
    firewall, broker, orders = MemoryFirewall(), BrokerRecord(), RememberedOrders(SeenOrderTable(database))
    assert config.fleet is not None
    trust, others = TrustTable(database), environment.fetcher
    enforcers: list[Enforcer] = []  # it is made of these lists

    def content(source_id: SourceId) -> Content | None:
        return enforcers[0].content(source_id)

    waits_since = partial(QuarantineTable(database).refused_since, HOLD)
    lists = FleetLists(config.fleet, shared.signed, trust, content, shared.faults, clock, others, waits_since)
    environment.fetcher = cast("FakeFetcher", lists)
    world = await assemble(environment, config, database, firewall=firewall)
    enforcers.append(world.enforcer)
    await world.service.restore()
    parts, nothing = world.parts, cast("Any", None)
    application = Application(
        world.service,
        partial(answered_by, parts),
        world.enforcer,
        parts.findings,
        database,
        parts.events,
        nothing,
        nothing,
        nothing,
        parts.events,
        orders,
        clock,
        broker,
        world.ledger,
        ReportTables(database, places.database),
        nothing,
        lambda: lists,
        clock.now(),
        ClockWitness(clock),
    )
    return Node(firewall, broker, asyncio.ensure_future(talk_to_broker(application, places)))


def _places(order: dict[str, Any], name: str) -> Paths:
    folder = Path(order["folder"]) / name
    (folder / "state").mkdir(parents=True)
    return Paths(Path(order["config"]), folder / "state", folder / "runtime")


async def _run(order: dict[str, Any]) -> None:
    gc.disable()
    first = _places(order, f"before-{order['first']}")
    async with open_database(first.database):
        pass
    config, clock = load_config(first), SystemClock()
    assert config.mqtt is not None
    programs = PullPrograms(order["programs"])
    shared = Crowded(CountedPulls(pulling.MirrorPrograms(Path(order["folder"]), "0", clock)), clock, Faults())
    nodes: list[Node] = []
    async with AsyncExitStack() as stack:
        stack.enter_context(patch.object(pulling, "_ended", programs.ended))
        said = asyncio.ensure_future(_say(nodes, shared))
        numbers = range(order["first"], order["first"] + order["size"])
        for start in range(0, order["size"], _AT_ONCE):
            names = [f"node-{number}" for number in numbers[start : start + _AT_ONCE]]
            configs = [replace(config, mqtt=replace(config.mqtt, id=name)) for name in names]
            places = [_places(order, name) for name in names]
            for place in places:
                shutil.copyfile(first.database, place.database)
            both = zip(configs, places, strict=True)
            nodes += await asyncio.gather(*(_opened(stack, mine, place, shared) for mine, place in both))
        garbage.look_from_now_on()  # as a daemon does after its start
        await said


async def _say(nodes: Sequence[Node], shared: Crowded) -> None:
    signed = shared.signed
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        say(
            {
                "open": len(nodes),
                "connected": sum([node.broker.is_connected for node in nodes]),
                "have": Counter([node.bans for node in nodes]),  # JSON makes words of them
                "pulls": signed.pulls,
                "requests": signed.requests,
                "octets": signed.octets,
                "fault": next((f"{node.talk.exception()!r}" for node in nodes if node.talk.done()), shared.faults.newest),
            }
        )


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.argv[1])))
