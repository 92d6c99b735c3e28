"""What the firewall has seen of listed addresses, and where it is kept. The docstrings are contracts that tests check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from banlistd.core.feeds.value.over_time import HitSpan, Slots
from banlistd.core.ruleset.evidence.hits import FlowHit, HitBounds, HitChoice, HitCount
from banlistd.core.ruleset.evidence.packets import SampledPacket
from banlistd.core.ruleset.evidence.totals import Total
from banlistd.model import SourceId


class PacketLog(Protocol):
    """Samples of packets of sources with `hits`, as the firewall sends them."""

    async def packets(self) -> Sequence[SampledPacket]:
        """Wait for samples, at least one, and return those that have arrived, at most some thousands.

        Raises FirewallError where samples cannot be had; the next call tries again.
        """

    @property
    def lost(self) -> int:
        """How many samples the kernel could not pass on, because they were not read in time."""


class HitLog(Protocol):
    """Hits, a row each. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def note(self, hits: Sequence[FlowHit], bounds: HitBounds, now: float) -> None:
        """Add them to those that are kept: the same meeting under the same run is one row. Forget what is beyond the bounds."""

    async def newest_first(self, choice: HitChoice, limit: int) -> Sequence[FlowHit]:
        """At most so many, by their newest sample."""

    async def counts(self, since: float = 0.0) -> Mapping[SourceId, HitCount]:
        """Of each source that has hits, those with a sample since then (seconds since the epoch)."""

    async def over_time(self, slots: Slots) -> Sequence[HitSpan]:
        """When the hits with a sample in one of the slots, or later, were first and last sampled; the slots may be outside."""


class TotalLog(Protocol):
    """What was counted of each source. Each call is one transaction. Raises LedgerError."""

    async def load(self) -> Mapping[SourceId, Total]:
        """All of them, also those of sources that are no more."""

    async def keep(self, totals: Mapping[SourceId, Total]) -> None:
        """Write these in place of those of the same sources."""
