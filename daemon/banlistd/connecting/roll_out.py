"""What canaries refuse of the lists of a fleet: said by a node, and heard by its hub."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import cast

from banlistd.adapters.fetch.credentials import read_credential
from banlistd.adapters.signatures.ed25519 import is_signed_by, public_key_of, signature_of
from banlistd.application import Application
from banlistd.control.ordering.node_refusals import NODE_REFUSALS, NodeRefusalRow
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.credentials import credential_names
from banlistd.core.fleet.reports.judging import ReportMessage
from banlistd.core.fleet.roll_out.refusals import REFUSAL_TYPE, RefusedVersion
from banlistd.core.mqtt.orders.envelope import Envelope, envelope_text, signed_octets
from banlistd.core.mqtt.orders.keys import key_id, private_key
from banlistd.errors import BanlistdError
from banlistd.events import EventName
from banlistd.paths import Paths
from banlistd.ports.mqtt import BusMessage
from banlistd.services.fleet.refusing import RefusalSending
from banlistd.services.loops.faults import FaultRecorder
from banlistd.services.publishing.canaries import Canaries, CanaryPlace
from banlistd.services.reports.refusals import Refusals
from banlistd.services.telling.event_stream import EventStream

_NEXT_TRY = 10.0
_MOST_EVENTS = 100
_PAUSE = 0.1
"""Seconds after a question without an answer: once the daemon stops, the stream waits no more."""

_NEWS = (EventName.IMPORT_REFUSED, EventName.IMPORT_FAILED, EventName.SOURCE_PINNED)


class CanaryWatch:
    """Of a hub, over every connection."""

    def __init__(self, application: Application, fleet: str) -> None:
        announcer, clock = application.announcer, application.clock
        place = CanaryPlace(fleet, is_signed_by, Refusals(announcer, clock).note)
        self._canaries = Canaries(place, application.reports.nodes(), application.roll_out, clock)
        self._work = asyncio.ensure_future(FaultRecorder(announcer).repeat(self._canaries.turn, _NEXT_TRY))

    def hear(self, node: str, message: BusMessage) -> None:
        """Never blocks."""
        self._canaries.hear(ReportMessage(node, message.payload, message.retained))

    async def end(self) -> None:
        """Take nothing any more."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)


def refusal_sending(application: Application, fleet: Fleet, places: Paths) -> RefusalSending | None:
    """Of a node; None where its key cannot be read, which is announced: its lists are taken all the same."""
    try:
        seed = private_key(read_credential(places.credentials, *credential_names(fleet.node_key)))
    except BanlistdError as error:
        FaultRecorder(application.announcer).record(error)
        return None
    seal = partial(_sealed, seed, key_id(public_key_of(seed)))
    return RefusalSending(fleet.name, partial(_refused, application), refusal_news(application.stream), seal, application.clock)


def _sealed(seed: bytes, named: str, payload: bytes) -> bytes:
    signature = signature_of(seed, signed_octets(REFUSAL_TYPE, payload))
    return envelope_text(Envelope(REFUSAL_TYPE, payload, named, signature)).encode()


async def _refused(application: Application) -> Sequence[RefusedVersion]:
    rows = cast("list[NodeRefusalRow]", await application.answers(NODE_REFUSALS, ()))
    return [RefusedVersion(**row) for row in rows]


def refusal_news(stream: EventStream) -> Callable[[float], Awaitable[None]]:
    """Waits at most so many seconds until a version may have been refused since the last call."""
    last = stream.newest(0).last

    async def news(seconds: float) -> None:
        nonlocal last
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while (left := end - loop.time()) > 0:
            reading = await stream.wait_after(last, _MOST_EVENTS, left)
            last = reading.last
            if reading.lost or any(each.event.name in _NEWS for each in reading.events):
                return
            if not reading.events:
                await asyncio.sleep(_PAUSE)

    return news
