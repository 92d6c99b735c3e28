"""What is allowed and protected, written down as it comes and goes."""

import asyncio
from collections.abc import Mapping, Sequence

from banlistd.core.ruleset.allowing.exemptions import (
    ExemptionChange,
    ExemptionKey,
    ExemptSpan,
    exemption_change,
    exemption_keys,
)
from banlistd.core.ruleset.policy import Policy
from banlistd.model import PolicyHash, Protected, Span
from banlistd.ports import BootSnapshots, Clock
from banlistd.ports.history import Exemptions


class ExemptionRecord:
    """The BootSnapshots of `ports` that also writes down what each policy in force exempts from bans, and since when."""

    def __init__(self, snapshots: BootSnapshots, table: Exemptions, clock: Clock) -> None:
        self._snapshots = snapshots
        self._table = table
        self._clock = clock
        self._known: Mapping[ExemptionKey, ExemptSpan] | None = None
        self._noted: tuple[PolicyHash, Sequence[Protected]] | None = None

    async def keep(self, policy_hash: PolicyHash, policy: Policy, protected: Sequence[Protected]) -> None:
        await self._snapshots.keep(policy_hash, policy, protected)
        if (policy.hash, protected) != self._noted:
            await self._note(policy, protected)
            self._noted = policy.hash, protected

    async def of(self, span: Span) -> Sequence[ExemptSpan]:
        """What of these addresses is exempt, and then what was, the newest end first, as far as it is kept. Raises
        LedgerError.
        """
        present = [one for one in (self._known or {}).values() if one.meets(span)]
        return [*present, *await self._table.ended(span)]

    async def _note(self, policy: Policy, protected: Sequence[Protected]) -> None:
        """Nothing is forgotten where the database cannot be used: the next change writes it."""
        if self._known is None:
            # What the firewall was last told holds until now, also while nothing ran.
            self._known = {one.key: one for one in await self._table.load()}
        # Not on the loop: thousands of ranges may be others at once.
        change, known = await asyncio.to_thread(_changed, self._known, policy, protected, self._clock.now())
        if change.come or change.ended:
            await self._table.change([*change.ended, *change.come])
        self._known = known


def _changed(
    before: Mapping[ExemptionKey, ExemptSpan], policy: Policy, protected: Sequence[Protected], now: float
) -> tuple[ExemptionChange, Mapping[ExemptionKey, ExemptSpan]]:
    """What changes, and what is exempt then."""
    change = exemption_change(before, exemption_keys(policy, protected), now)
    over = {one.key for one in change.ended}
    left = {key: one for key, one in before.items() if key not in over}
    return change, left | {one.key: one for one in change.come}
