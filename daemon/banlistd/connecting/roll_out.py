"""What canaries refuse of the lists of a fleet: said by a node, and heard by its hub."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import cast

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.application import Application
from banlistd.connecting.news import news_about
from banlistd.connecting.node_key import NodeKey
from banlistd.control.ordering.node_refusals import NODE_REFUSALS, NodeRefusalRow
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.fleet.reports.judging import ReportMessage
from banlistd.core.fleet.roll_out.refusals import REFUSAL_TYPE, RefusedVersion
from banlistd.events import EventName
from banlistd.ports.mqtt import BusMessage
from banlistd.services.fleet.refusing import RefusalSending
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.publishing.canaries import Canaries, CanaryPlace
from banlistd.services.reports.allowances import Allowances
from banlistd.services.reports.refusals import Refusals

_NEXT_TRY = 10.0
_NEWS = (EventName.IMPORT_REFUSED, EventName.IMPORT_FAILED, EventName.SOURCE_PINNED)


class CanaryWatch:
    """Of a hub, over every connection."""

    def __init__(self, application: Application, fleet: str) -> None:
        announcer, clock = application.announcer, application.clock
        place = CanaryPlace(fleet, is_signed_by, Refusals(announcer, clock).note, Allowances().take)
        self._canaries = Canaries(place, application.reports.nodes(), application.roll_out, clock)
        self._work = asyncio.ensure_future(FaultRecorder(announcer).repeat(self._canaries.turn, _NEXT_TRY))

    def hear(self, node: str, message: BusMessage) -> None:
        """Never blocks."""
        self._canaries.hear(ReportMessage(node, message.payload, message.retained))

    async def end(self) -> None:
        """Take nothing any more."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


def refusal_sending(application: Application, fleet: Fleet, key: NodeKey) -> RefusalSending:
    """Of a node."""
    seal, news = partial(key.sealed, REFUSAL_TYPE), news_about(application.stream, _NEWS)
    return RefusalSending(fleet.name, partial(_refused, application), news, seal, application.clock)


async def _refused(application: Application) -> Sequence[RefusedVersion]:
    rows = cast("list[NodeRefusalRow]", await application.answers(NODE_REFUSALS, ()))
    return [RefusedVersion(**row) for row in rows]
