"""The program once its parts are together: what the modes of banlistd ask of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from banlistd.control.server import Answerer
from banlistd.daemon import Service
from banlistd.events import Event, EventName
from banlistd.model import Remark
from banlistd.ports import Announcer, Clock, FindingLog, Ledger, Storage
from banlistd.ports.orders import SeenOrderLog
from banlistd.ports.reports import ReportStores
from banlistd.services.backend_migration import BackendMigration
from banlistd.services.enforcer import Enforcer
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.telling.broker_record import BrokerRecord
from banlistd.services.telling.event_stream import EventStream

if TYPE_CHECKING:
    from banlistd.core.fleet.reports.addresses import Exempt
    from banlistd.services.fleet.fleet_lists import FleetLists
    from banlistd.services.publishing.roll_out import RollOut


def _no_hub() -> None:
    """Nothing is published here."""


@dataclass(frozen=True, slots=True)
class Application:
    """The parts that the program speaks to. `user_name`: of a uid; blocks. `stream`: what is announced, for readers.
    `started_at`: seconds since the epoch. `exempt`: what is never listed of what nodes report. `fleet`: its lists at this
    moment; None where none is taken. `witness`: of the clock, where nodes report.
    `roll_out`: of what a hub publishes; None on others.
    """

    service: Service
    answers: Answerer
    enforcer: Enforcer
    findings: FindingLog
    storage: Storage
    announcer: Announcer
    migration: BackendMigration
    remarks: Callable[[], Awaitable[Sequence[Remark]]]
    user_name: Callable[[int], str]
    stream: EventStream
    orders_seen: SeenOrderLog
    clock: Clock
    broker: BrokerRecord
    ledger: Ledger
    reports: ReportStores
    exempt: "Callable[[], Awaitable[Exempt]]"
    fleet: "Callable[[], FleetLists | None]"
    started_at: float
    witness: ClockWitness
    roll_out: "Callable[[], RollOut | None]" = _no_hub
    said: set[Remark] = field(default_factory=set)

    async def restore(self) -> None:
        """Put the bans back, empty backends that are no longer used, and say what the administrator should know."""
        await self.migration.begin()
        await self.service.restore()
        await self.migration.finish()
        await self.announce_remarks()

    async def announce_remarks(self) -> None:
        """Say what the administrator should know and was not yet announced."""
        new = [remark for remark in await self.remarks() if remark not in self.said]
        self.said.update(new)
        for remark in new:
            words = f"{remark.message}; {remark.hint}"
            self.announcer.announce(Event(EventName.FIREWALL_REMARK, words, {"REASON": words}))

    async def announce_order(self, words: str, uid: int) -> None:
        """Say that a user gives an order."""
        name = await asyncio.to_thread(self.user_name, uid)
        self.announcer.announce(Event(EventName.ORDER_GIVEN, f"{words}: ordered by {name}", {"ORDER": words, "UID": uid}))
