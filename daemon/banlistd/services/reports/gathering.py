"""Reports of nodes, as they come from the broker: bounded, judged in a thread, and written down many at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from banlistd.core.fleet.reports.addresses import Exempt, ReportedAddress
from banlistd.core.fleet.reports.judging import (
    Node,
    ReportMessage,
    ReportRefusal,
    SortedOut,
    WhyNot,
    judged_report,
    sorted_out,
)
from banlistd.core.fleet.reports.report import MOST_REPORT_OCTETS, NodeReport
from banlistd.core.mqtt.orders.order import IsSigned
from banlistd.core.printing import counted
from banlistd.errors import LedgerError, VerificationError
from banlistd.ports import Announcer, Clock
from banlistd.ports.reports import NodeRegister, SightingLog
from banlistd.services.reports.allowances import EVERY, Allowances
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.reports.early import EarlyReports
from banlistd.services.reports.refusals import Refusals

MOST_TO_JUDGE = 8192
MOST_OCTETS_TO_JUDGE = 24 * 2**20
"""Reports that wait to be judged, and all octets of theirs. One has a kilobyte or less, and 48 KiB at most. What is left out
comes again with the next repetition, an hour later; so there is room for a fleet that is attacked at one moment.
"""

REPORTS_AT_ONCE = 32
"""Reports that are judged and written together."""

MOST_TRIES = 3
"""How often a lot of reports is tried together where the database cannot be used; then each of them once, alone."""

_NOT_YET = frozenset({WhyNot.UNKNOWN_NODE, WhyNot.SUSPENDED, WhyNot.WRONG_KEY})
"""Why a report is refused that may count once its node is admitted, or has its new key here."""

_LOOK_EVERY = 5.0
"""Seconds until it is noticed that a node was admitted of which there is a report."""

_PRUNE_EVERY = 600.0

_EXEMPT_FOR = 10.0
"""Seconds that what is exempt is taken as it was."""


@dataclass(frozen=True, slots=True)
class GatheringPlace:
    """`fleet`: whose reports are taken. `exempt`: what is never listed here at this moment. `changed`: called when what
    is listed may have changed. `kept`: for how many seconds a sighting matters at this moment. `witness`: of our clock.
    """

    fleet: str
    is_signed: IsSigned
    exempt: Callable[[], Awaitable[Exempt]]
    changed: Callable[[], None]
    kept: Callable[[], float]
    witness: ClockWitness


class Gathering:
    """`register` and `log` are asked anew for each lot of reports: a command may suspend a node at any time."""

    def __init__(
        self,
        place: GatheringPlace,
        register: NodeRegister,
        log: SightingLog,
        announcer: Announcer,
        clock: Clock,
    ) -> None:
        self._place = place
        self._register = register
        self._log = log
        self._clock = clock
        self._refusals = Refusals(announcer, clock)
        self._allowances = Allowances()
        self._early = EarlyReports()
        self._waiting: deque[ReportMessage] = deque()
        self._octets = 0
        self._filled = asyncio.Event()
        self._failed = 0
        self._exempt: tuple[float, Exempt] | None = None
        self._pruned_at = clock.monotonic()

    def hear(self, message: ReportMessage) -> None:
        """Take a message; never blocks."""
        node = message.node
        if not self._allowances.take(node, self._clock.monotonic()):
            words = f"it sends more than one report in {EVERY:g} s"
            self._refusals.note(ReportRefusal(node, WhyNot.TOO_OFTEN, words))
        elif len(message.payload) > MOST_REPORT_OCTETS:
            words = f"it has {len(message.payload)} octets, more than {MOST_REPORT_OCTETS}"
            self._refusals.note(ReportRefusal(node, WhyNot.TOO_LARGE, words))
        elif len(self._waiting) >= MOST_TO_JUDGE or self._octets + len(message.payload) > MOST_OCTETS_TO_JUDGE:
            self._refusals.note(ReportRefusal(node, WhyNot.TOO_OFTEN, "too many nodes report at once"))
        else:
            self._waiting.append(message)
            self._octets += len(message.payload)
            self._filled.set()

    @property
    def waiting(self) -> int:
        """How many reports wait to be judged."""
        return len(self._waiting)

    async def turn(self) -> None:
        """Wait for reports, and take some of them. Raises LedgerError where they cannot be stored; then they wait."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        lot = [self._waiting.popleft() for _ in range(min(REPORTS_AT_ONCE, len(self._waiting)))]
        octets = sum(len(message.payload) for message in lot)
        self._octets -= octets
        try:
            await self._take(lot)
        except LedgerError:
            self._failed += 1
            if self._failed < MOST_TRIES:
                self._waiting.extendleft(reversed(lot))
                self._octets += octets
                raise
            await self._take_each(lot)
        self._failed = 0
        await self._prune()

    async def _take_each(self, lot: Sequence[ReportMessage]) -> None:
        """What cannot be stored is left out, and the others are not."""
        for message in lot:
            try:
                await self._take([message])
            except LedgerError as error:
                self._refusals.note(ReportRefusal(message.node, WhyNot.NOT_STORED, error.message))

    async def _take(self, lot: Sequence[ReportMessage]) -> None:
        nodes = {node.id: node for node in await self._register.some({message.node for message in lot})}
        own = await self._register.own_addresses() if nodes else frozenset()
        exempt = await self._exempt_now()
        parts = (lot, nodes, own, exempt)
        accepted, refusals = await asyncio.to_thread(self._judged, *parts, self._clock.now())
        for refusal in refusals:
            self._refusals.note(refusal)
        self._keep_early(lot, nodes, refusals)
        for node, off in [*((one.node, one.off) for one in refusals if one.off), *((one.report.node, 0.0) for one in accepted)]:
            self._place.witness.hear(node, off)
        is_changed = False
        if accepted:
            for one, taken in zip(accepted, await self._log.take(accepted, self._clock.now()), strict=True):
                if taken is None:
                    words = "another one came first, or the node is not admitted any more"
                    self._refusals.note(ReportRefusal(one.report.node, WhyNot.REPLAYED, words, is_proven=True))
                    continue
                is_changed = is_changed or bool(taken.sightings or taken.removed)
                self._note_left_out(one, taken.over)
        if is_changed:
            self._place.changed()

    def _judged(
        self, lot: Sequence[ReportMessage], nodes: dict[str, Node], own: frozenset[ReportedAddress], exempt: Exempt, now: float
    ) -> tuple[list[SortedOut], list[ReportRefusal]]:
        accepted, refusals = [], []
        kept = self._place.kept()
        for message in lot:
            verdict = self._verdict(message, nodes.get(message.node), now)
            if isinstance(verdict, ReportRefusal):
                refusals.append(verdict)
                continue
            node = nodes[message.node] = replace(nodes[message.node], boot=verdict.boot, seq=verdict.seq)
            accepted.append(sorted_out(verdict, node.key, exempt, own, now, kept))
        return accepted, refusals

    def _verdict(self, message: ReportMessage, node: Node | None, now: float) -> NodeReport | ReportRefusal:
        try:
            return judged_report(message, node, self._place.fleet, now, self._place.is_signed)
        except VerificationError as error:
            return ReportRefusal(message.node, WhyNot.NOT_CHECKED, error.message)

    def _keep_early(self, lot: Sequence[ReportMessage], nodes: Mapping[str, Node], refusals: Sequence[ReportRefusal]) -> None:
        strange = {one.node for one in refusals if one.why in _NOT_YET}
        for message in lot:
            if message.node in strange:
                node = nodes.get(message.node)
                self._early.keep(message, node.key if node else None, self._clock.monotonic())

    async def look_at_early(self) -> None:
        """Wait, and then judge the reports of nodes that were admitted since they came. Raises LedgerError."""
        await asyncio.sleep(_LOOK_EVERY)
        await self.take_early()

    async def take_early(self) -> None:
        """Judge them with the next lot. Raises LedgerError."""
        if ids := self._early.nodes:
            found = self._early.provable(await self._register.some(ids), self._clock.monotonic())
            self._waiting.extend(found)
            self._octets += sum(len(message.payload) for message in found)
            if found:
                self._filled.set()

    def _note_left_out(self, one: SortedOut, over: int) -> None:
        every = {**one.left_out, **({WhyNot.OVER_QUOTA: over} if over else {})}
        for why, count in every.items():
            if why is WhyNot.OVER:  # it came a long way
                continue
            words = f"{counted(count, 'address', 'addresses')} of {len(one.report.bans)} did not count"
            self._refusals.note(ReportRefusal(one.report.node, why, words, is_proven=True))

    async def _prune(self) -> None:
        """Now and then: forget what no list asks for any more."""
        now = self._clock.monotonic()
        if now - self._pruned_at >= _PRUNE_EVERY and not self._place.witness.is_in_doubt:
            self._pruned_at = now
            # Without a list that is made of them, as within a reload, what is known stays: the list may come again.
            if kept := self._place.kept():
                with suppress(LedgerError):  # then the next one forgets more
                    await self._log.prune(self._clock.now(), kept)

    async def _exempt_now(self) -> Exempt:
        now = self._clock.monotonic()
        if self._exempt is None or now - self._exempt[0] >= _EXEMPT_FOR:
            self._exempt = now, await self._place.exempt()
        return self._exempt[1]
