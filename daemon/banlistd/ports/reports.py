"""What is kept on disk of the reports of nodes, on both sides. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from banlistd.core.fleet.reports.addresses import ReportedAddress
    from banlistd.core.fleet.reports.judging import Node, SortedOut
    from banlistd.core.fleet.reports.outbox import ReportChange
    from banlistd.core.fleet.reports.quorum import QuorumRule
    from banlistd.core.fleet.reports.sightings import Sighting


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a report. `sightings`: new ones. `removed`: those taken back. `over`: those beyond its quota."""

    sightings: int
    removed: int
    over: int


class NodeRegister(Protocol):
    """The nodes that a hub admits. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def every(self) -> Sequence[Node]:
        """All of them, by their ids."""

    async def some(self, ids: Collection[str]) -> Sequence[Node]:
        """Those of these that are admitted, suspended or not."""

    async def own_addresses(self) -> frozenset[ReportedAddress]:
        """Of all nodes together."""

    async def admit(self, node: Node, is_canary: bool | None = None) -> None:
        """Write one down, or in place of the one with its id; the sightings of that one stay if its key does.

        `is_canary`, not that of the node, says whether it is one; None: as the one with its id is, and a new one is none.
        Raises RefusedError where another node has the key.
        """

    async def suspend(self, node_id: str, at: float) -> bool:
        """Take none of its reports from now on, and delete its sightings; whether there was such a node."""

    async def note_silent(self, ids: Collection[str], at: float) -> None:
        """Of these, and of no others, nothing is heard; of those that were not noted before, since this moment."""

    async def forget(self, node_id: str) -> bool:
        """Delete a node and its sightings; whether there was one."""


class SightingLog(Protocol):
    """What nodes have reported. Each call is one transaction. Raises LedgerError."""

    async def take(self, reports: Sequence[SortedOut], now: float) -> Sequence[Taken | None]:
        """Write reports down, in order. None: it is not newer than the newest of its node, or that is not admitted now, with
        this key.
        """

    async def of(self, address: ReportedAddress) -> Sequence[Sighting]:
        """Those of an address, by node and time."""

    async def counts(self) -> dict[str, int]:
        """By node, how many addresses it has reported; without those that have reported none."""

    async def prune(self, now: float, kept: float) -> None:
        """Forget what was last reported more than so many seconds ago; beyond the bound, the oldest of each node with more than
        its share. What is dated hours ahead counts as reported now: the clock was wrong, and its ban would last for years.
        """

    async def agreed(self, rule: QuorumRule, now: float) -> Sequence[ReportedAddress]:
        """What is listed by this rule at a moment, the most important first. It may take a second, and lets others go on."""


class ReportStores(Protocol):
    """The stores of reports, each made when it is asked for."""

    def nodes(self) -> NodeRegister:
        """On a hub: the nodes."""

    def sightings(self) -> SightingLog:
        """On a hub: what they have reported."""

    def outbox(self) -> ReportOutbox:
        """On a node: what it has to report."""


class ReportOutbox(Protocol):
    """What a node has to report, the newest change of each address. Each call is one transaction. Raises LedgerError."""

    async def next_boot(self, now: float) -> int:
        """A number that is larger than that of every call before, and no smaller than now (seconds since the epoch)."""

    async def repeater(self) -> str:
        """Who has last called `repeat`; empty: there was no call."""

    async def repeat(self, who: str, patterns: Sequence[str], now: float, most: int) -> int:
        """Add the bans in force of these origins, at most so many, the newest, and as many of those that were lifted in the
        last hours and are not banned again. A change that waits stays as it is.

        Returns how many addresses they are. Where the outbox is full, none is added.
        """

    async def oldest(self, limit: int) -> Sequence[tuple[int, ReportChange]]:
        """At most so many, the oldest first, each with a number of its own, which a newer change of the address replaces."""

    async def done(self, numbers: Collection[int]) -> None:
        """Delete those that still have these numbers."""
