"""Ports that do nothing: no event is announced, nothing is remembered."""

import asyncio
from collections.abc import Mapping, Sequence

from banlistd.core.addresses.sets import Addresses, Ranges
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.evidence.packets import SampledPacket
from banlistd.core.ruleset.policy import Policy
from banlistd.events import Event
from banlistd.model import Family, PolicyHash, Protected, ServiceEndpoint


class NoAnnouncer:
    """The Announcer of `ports` that drops every event."""

    def announce(self, event: Event) -> None:
        return None


class NoBootSnapshots:
    """The BootSnapshots of `ports` that keeps none."""

    async def keep(self, policy_hash: PolicyHash, policy: Policy, protected: Sequence[Protected]) -> None:
        return None


class NoConnections:
    """The Connections of `ports` that ends none."""

    async def end(self, changes: Sequence[Change], answers: Sequence[ServiceEndpoint], allowed: Ranges | None = None) -> None:
        return None

    async def answering(self) -> Mapping[Family, Addresses]:
        return {}


class NoPackets:
    """The PacketLog of `ports` that gets none."""

    lost = 0

    async def packets(self) -> Sequence[SampledPacket]:
        await asyncio.Event().wait()
        return ()


class NoHostMonitor:
    """The HostMonitor of `ports` that reports nothing."""

    async def wait_for_change(self) -> None:
        await asyncio.Event().wait()
