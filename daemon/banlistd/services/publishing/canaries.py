"""What canaries refuse, as it comes from the broker: the newest message of each node, judged in a thread.

It counts because of the signature of an admitted node, and not because of what the broker says: who has the broker can keep a
refusal back, and stop no list.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from banlistd.core.fleet.reports.judging import Node, ReportMessage, ReportRefusal, WhyNot
from banlistd.core.fleet.reports.report import MOST_REPORT_OCTETS
from banlistd.core.fleet.roll_out.refusals import RefusedVersion, judged_refusals
from banlistd.core.mqtt.orders.order import IsSigned
from banlistd.errors import VerificationError
from banlistd.ports import Clock
from banlistd.ports.reports import NodeRegister
from banlistd.services.publishing.roll_out import RollOut

MOST_NODES_WAITING = 8192
MOST_OCTETS_TO_HEAR = 24 * 2**20
"""Nodes whose message waits, and all octets of theirs: every node may refuse the same version at one moment, canary or not."""


@dataclass(frozen=True, slots=True)
class CanaryPlace:
    """`fleet`: whose nodes count. `refuse`: hears of messages that do not. `allows`: whether one more of a node is looked at at
    this moment, of the monotonic clock.
    """

    fleet: str
    is_signed: IsSigned
    refuse: Callable[[ReportRefusal], None]
    allows: Callable[[str, float], bool]


class Canaries:
    """`register` is asked anew for each message: a command may suspend a node at any time."""

    def __init__(
        self, place: CanaryPlace, register: NodeRegister, roll_out: Callable[[], RollOut | None], clock: Clock
    ) -> None:
        self._place = place
        self._register = register
        self._roll_out = roll_out
        self._clock = clock
        self._waiting: dict[str, ReportMessage] = {}
        self._octets = 0
        self._filled = asyncio.Event()

    def hear(self, message: ReportMessage) -> None:
        """Take a message; never blocks. Who sends many only replaces its own, and beyond a bound nothing of it is read."""
        if not self._place.allows(message.node, self._clock.monotonic()):
            return
        if len(message.payload) > MOST_REPORT_OCTETS:
            words = f"it has {len(message.payload)} octets, more than {MOST_REPORT_OCTETS}"
            self._place.refuse(ReportRefusal(message.node, WhyNot.TOO_LARGE, words))
            return
        before = self._waiting.get(message.node)
        octets = self._octets + len(message.payload) - (len(before.payload) if before else 0)
        if octets <= MOST_OCTETS_TO_HEAR and (before or len(self._waiting) < MOST_NODES_WAITING):
            self._waiting[message.node] = message
            self._octets = octets
            self._filled.set()

    @property
    def waiting(self) -> Collection[ReportMessage]:
        """The messages that wait to be judged."""
        return self._waiting.values()

    async def turn(self) -> None:
        """Wait for a message, and act on it. Raises LedgerError; the node says it again within a minute."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        message = self._waiting.pop(next(iter(self._waiting)))
        self._octets -= len(message.payload)
        (node,) = await self._register.some([message.node]) or (None,)
        verdict = await asyncio.to_thread(self._judged, message, node)
        roll_out = self._roll_out()
        if isinstance(verdict, ReportRefusal):
            self._place.refuse(verdict)
        elif roll_out is not None:
            await roll_out.refused(message.node, verdict)

    def _judged(self, message: ReportMessage, node: Node | None) -> Sequence[RefusedVersion] | ReportRefusal:
        try:
            return judged_refusals(message, node, self._place.fleet, self._clock.now(), self._place.is_signed)
        except VerificationError as error:
            return ReportRefusal(message.node, WhyNot.NOT_CHECKED, error.message)
