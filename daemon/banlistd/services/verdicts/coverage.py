"""Whether the bans take effect on this host, as far as that is known without a packet: for `status` and for monitoring."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from banlistd.backends import BackendName
from banlistd.control_api import Verdict, verdict_by
from banlistd.core.feeds.health.newest import OfNewest
from banlistd.core.printing import counted
from banlistd.core.ruleset.policy import Policy
from banlistd.errors import FirewallError
from banlistd.model import Marker, Remark, SourceId
from banlistd.scopes.names import is_by_hand
from banlistd.services.enforcer import Enforcer

_NAMED = 3  # sources in a reason
_PATIENCE = 0.03
"""Seconds for a change that is under way, before only the kernel is asked. A change of one list takes less; one of 5,000 takes
longer than 0.3, in which `status` is to be answered.
"""

Remarks = Callable[[], Awaitable[Sequence[Remark]]]

_BANS_NOTHING = Remark("the backend memory bans nothing", "backend: nftables")
_UNSEEN = Remark(
    "the action of a jail of fail2ban bans, mostly only packets to this host: banlistd does not see whether it does",
    "sudo banlistctl prove sends packets; backend: nftables covers forwarded packets too",
)
_UNKNOWN = Remark(
    "the firewall did not take the last change: bans may be missing or left over",
    "banlistd tries again; journalctl -u banlistd says why",
)


@dataclass(frozen=True, slots=True)
class HostVerdict:
    """`reasons`: why it is not PROTECTED."""

    verdict: Verdict
    reasons: Sequence[Remark]


class Coverage:
    """Judges the firewall in force. `gaps`: that call of the firewall. `uncovered`: the traffic that passes no rule."""

    def __init__(self, gaps: Remarks, enforcer: Enforcer, uncovered: Remarks) -> None:
        self._gaps = gaps
        self._enforcer = enforcer
        self._uncovered = uncovered
        self._reading = OfNewest(_read_and_blocking)

    async def judge(self, backend: BackendName) -> HostVerdict:
        """Never raises; waits for no change that takes long."""
        # Together: each waits for its turn of a processor that imports keep busy.
        (gaps, weak), passing_by = await asyncio.gather(self._of_rules(), self._uncovered())
        if not backend.kind.capabilities.blocks:
            gaps.append(_BANS_NOTHING)
        weak += [] if backend.kind.capabilities.sees_effect else [_UNSEEN]
        unread = [source_id for source_id in self._reading(self._enforcer.policy) if self._enforcer.content(source_id) is None]
        weak += [reason] if (reason := without_content(unread)) else []
        weak += passing_by
        return HostVerdict(verdict_by(gaps=gaps, weaknesses=weak), [*gaps, *weak])

    async def _of_rules(self) -> tuple[list[Remark], list[Remark]]:
        """What the firewall lacks, and what is not known of it."""
        is_settled = await self._is_settled(_PATIENCE)
        gaps = [*await self._gaps()]
        # A change that has begun meanwhile would keep the markers waiting until its end.
        is_settled = is_settled and await self._is_settled(0.0)
        state = self._enforcer.state
        if is_settled and state is not None and not gaps:
            try:
                lost = missing_markers(state.markers, await self._enforcer.markers())
            except FirewallError as error:
                lost = Remark(f"the firewall cannot be read: {error.message}", error.hint)
            gaps += [lost] if lost else []
        return gaps, [_UNKNOWN] if is_settled and state is None else []

    async def _is_settled(self, patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                await self._enforcer.wait_until_idle()
        except TimeoutError:
            return False
        return True


def _read_and_blocking(policy: Policy) -> Sequence[SourceId]:
    """The sources that are to ban, without those of manual bans."""
    return [one.source_id for one in policy.sources if one.action.blocks and not is_by_hand(one.source_id)]


def missing_markers(expected: Sequence[Marker], present: Sequence[Marker]) -> Remark | None:
    """A reason if the firewall does not have every marker that it was given: its bans are missing, or not known."""
    missing = {marker.source_id for marker in expected} - {marker.source_id for marker in present}
    if not missing:
        return None
    return Remark(
        f"the firewall lacks the bans of {_named(sorted(missing))}: another program has removed them",
        "banlistd writes them again; journalctl -u banlistd says who it was, and why it fails",
    )


def without_content(source_ids: Sequence[SourceId]) -> Remark | None:
    """A reason if sources that are to ban have never been read."""
    if not source_ids:
        return None
    number = counted(len(source_ids), "source has", "sources have")
    return Remark(f"{number} no content yet: {_named(source_ids)}", f"banlistctl refresh {source_ids[0]}")


def _named(source_ids: Sequence[SourceId]) -> str:
    more = len(source_ids) - _NAMED
    return ", ".join(source_ids[:_NAMED]) + (f" and {counted(more, 'other', 'others')}" if more > 0 else "")
