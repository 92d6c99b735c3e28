"""Ends the connections of addresses that are banned from now on.

The rules drop each packet of a banned address before connection tracking. But packets of a flow that a flowtable forwards pass
no rule (measured: 812,000 octets in the 8 s after a ban); such a flow ends with its connection.

*Measured* with 500,000 connections: the kernel writes them in 0.7 s, and 0.35 s are ours.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from banlistd.adapters.netlink.conntrack import ConnectionTable
from banlistd.core.addresses.sets import Addresses, Ranges
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.newly_banned import bans_any, bans_any_ipv4, families_banned, newly_banned
from banlistd.model import Family, Remark, ServiceEndpoint

_LOG = logging.getLogger(__name__)

SIGNS = (
    Path("/sys/module/nf_conntrack"),  # systemd-nspawn hides it
    Path("/proc/sys/net/netfilter/nf_conntrack_count"),  # ProcSubset=pid hides it
    Path("/proc/self/net/stat/nf_conntrack"),  # the kernel may be built without it
)
"""Each is there where the kernel has connection tracking, unless it is hidden."""


_MOST = 20_000
"""Connections that are looked at for their peers."""


class LinuxConnections:
    """The Connections of `ports`, over ctnetlink.

    Its socket stays open: the close of a netfilter socket waits until the kernel has freed what the transactions before
    have removed. *Measured*: 20 to 25 ms after each change.
    `translates`: a banned IPv4 address is banned too within the source of an IPv6 packet.
    """

    def __init__(self, signs: Sequence[Path] = SIGNS, *, translates: bool = False) -> None:
        self._signs, self._translates = signs, translates
        self._fault = ""
        self._table: ConnectionTable | None = None

    def close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    async def end(self, changes: Sequence[Change], answers: Sequence[ServiceEndpoint], allowed: Ranges | None = None) -> None:
        if banning := [change for change in changes if bans_any(change)]:
            await asyncio.to_thread(self._end, banning, answers, allowed)

    async def answering(self) -> Mapping[Family, Addresses]:
        return await asyncio.to_thread(self._answering)

    def remarks(self) -> Sequence[Remark]:
        """One where the last attempt failed."""
        if not self._fault:
            return ()
        hint = "new packets are dropped all the same; only flows that a flowtable forwards go on"
        return (Remark(f"connections of newly banned addresses cannot be ended: {self._fault}", hint),)

    def _answering(self) -> Mapping[Family, Addresses]:
        if not any(sign.exists() for sign in self._signs):
            return {}
        try:
            with ConnectionTable() as table:  # of its own: the other one may be in use in another thread
                return table.answering(_MOST)
        except OSError as exc:
            _LOG.debug("connections cannot be read: %s", exc)
            return {}

    def _end(self, changes: Sequence[Change], answers: Sequence[ServiceEndpoint], allowed: Ranges | None) -> None:
        # The first question would load the module, which slows every packet down.
        if not any(sign.exists() for sign in self._signs):
            return
        try:
            self._table = table = self._table or ConnectionTable()
            choice = partial(newly_banned, changes, answers, allowed=allowed, translates=self._translates)
            within = self._translates and bans_any_ipv4(changes)
            names = table.find(choice, families_banned(changes), within=within) if table.entries() else []
            table.delete(names)
        except OSError as exc:
            self.close()  # what it still has to say would be taken for the next answer
            self._fault = exc.strerror or str(exc)
            _LOG.warning("connections of newly banned addresses cannot be ended: %s", self._fault)
        else:
            self._fault = ""
            _LOG.debug("ended %d connections of newly banned addresses", len(names))
