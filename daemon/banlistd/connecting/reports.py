"""The parts of a fleet that report, or gather reports, over the connection to the broker."""

import asyncio
import random
from contextlib import suppress
from functools import partial

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.application import Application
from banlistd.connecting.news import news_about
from banlistd.connecting.node_key import NodeKey
from banlistd.core.config.model import Source
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.fleet.following import PartMove
from banlistd.core.fleet.reports.judging import ReportMessage
from banlistd.core.fleet.reports.quorum import quorum_rule
from banlistd.core.fleet.reports.report import REPORT_TYPE
from banlistd.errors import LedgerError
from banlistd.events import EventName
from banlistd.model import OutcomeKind
from banlistd.ports.mqtt import BusMessage
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.reports.gathering import Gathering, GatheringPlace
from banlistd.services.reports.refreshing import Refreshing
from banlistd.services.reports.sending import Reporter, ReportSending
from banlistd.services.reports.silence import Silence
from banlistd.services.telling.broker import HubEars

_NEXT_TRY = 10.0

_CHANGES_OF_BANS = (
    EventName.MANUAL_BAN_ADDED,
    EventName.MANUAL_BAN_CONFIRMED,
    EventName.MANUAL_BAN_REMOVED,
    EventName.MANUAL_BAN_EXPIRED,
    EventName.MANUAL_BANS_CHANGED,
)


class FleetReports:
    """What a machine of a fleet reports, and what its hub hears, over every connection."""

    def __init__(self, application: Application, fleet: str) -> None:
        self._application = application
        self._fleet = fleet
        self._hub: Hub | None = None
        self.sending: ReportSending | None = None

    def configure(self, fleet: Fleet, reporting: PartMove, key: NodeKey | None) -> None:
        """Report from now on what this configuration wants; without a key, nothing yet. What waits to be sent stays."""
        if reporting is PartMove.KEEP and (self.sending or not fleet.report):
            return
        self.sending = _sending(self._application, fleet, key) if fleet.report and key else None

    async def follow_lists(self) -> None:
        """Gather no reports any more where a reload has left no list that is made of them."""
        if not _lists(self._application):
            hub = self._hub
            await self._end_hub()
            if hub is not None:
                await hub.leave()

    @property
    def ears(self) -> HubEars | None:
        """None where no list is made of reports."""
        if not _lists(self._application):
            return None
        if self._hub is None:
            self._hub = Hub(self._application, self._fleet)
        return self._hub.ears

    async def end(self) -> None:
        await self._end_hub()

    async def _end_hub(self) -> None:
        hub, self._hub = self._hub, None
        if hub is not None:
            await hub.end()


def _lists(application: Application) -> list[Source]:
    return [source for source in application.service.config.sources if source.reports and source.enabled]


def _sending(application: Application, fleet: Fleet, key: NodeKey) -> ReportSending:
    name = " ".join([fleet.name, key.id, *sorted(fleet.report)])
    reporter = Reporter(name, fleet.name, fleet.report, partial(key.sealed, REPORT_TYPE), partial(random.uniform, 0.0))
    news = news_about(application.stream, _CHANGES_OF_BANS)
    return ReportSending(reporter, application.reports.outbox(), application.clock, news)


class Hub:
    """What a hub does with the reports of its nodes, with a connection or without one."""

    def __init__(self, application: Application, fleet: str) -> None:
        self._application = application
        clock, announcer = application.clock, application.announcer
        register, log = application.reports.nodes(), application.reports.sightings()
        self._refreshing = Refreshing(self._refresh)
        place = GatheringPlace(fleet, is_signed_by, application.exempt, self._refreshing.note, self._kept, application.witness)
        self._gathering = Gathering(place, register, log, announcer, clock)
        self._silence = Silence(register, announcer, clock)
        self.ears = HubEars(self._report, self._silence.hear)
        faults, turns = (
            FaultRecorder(announcer),
            (
                self._gathering.turn,
                self._gathering.look_at_early,
                self._refreshing.turn,
                self._silence.turn,
            ),
        )
        self._works = [asyncio.ensure_future(faults.repeat(turn, _NEXT_TRY)) for turn in turns]

    async def end(self) -> None:
        """Take no report any more."""
        for work in self._works:
            work.cancel()
        await asyncio.gather(*self._works, return_exceptions=True)

    async def leave(self) -> None:
        """After its end: no node is listened to any more."""
        with suppress(LedgerError):  # a notice of a node stays open
            await self._silence.leave()

    def _report(self, node: str, message: BusMessage) -> None:
        self._silence.hear(node)
        self._gathering.hear(ReportMessage(node, message.payload, message.retained))

    def _kept(self) -> float:
        """For how many seconds a sighting matters."""
        rules = [quorum_rule(one.reports) for one in _lists(self._application) if one.reports]
        return max((rule.kept for rule in rules), default=0)

    async def _refresh(self) -> bool:
        lists = [source.id for source in _lists(self._application)]
        outcomes = await self._application.service.refresh(lists) if lists else ()
        return any(one.kind is not OutcomeKind.SKIPPED for one in outcomes)
