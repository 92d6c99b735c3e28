"""What another policy would lift, from what is written down: neither a daemon nor the firewall is asked."""

import asyncio
from collections.abc import Sequence

from banlistd.core.feeds.content import Content
from banlistd.core.manual.manual_bans import addresses_of
from banlistd.core.ruleset.lifting import Lift, lift_of
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.state import FirewallState
from banlistd.model import MANUAL, Protected, SourceId
from banlistd.ports import Ledger, ManualBans
from banlistd.services.planning.content_store import ContentStore
from banlistd.services.planning.desired_state import basis_of, exclusions_of


async def lift_between(
    before: Policy, after: Policy, protected: Sequence[Protected], ledger: Ledger, bans: ManualBans, now: float
) -> Lift:
    """What a change of policy would lift at a moment (seconds since the epoch), with the accepted content of every source.

    Raises LedgerError.
    """
    store = ContentStore(ledger)
    _, rows = await bans.load()
    manual = store.register(MANUAL, [addresses_of(ban for ban in rows if ban.in_force(now))])

    async def planned(policy: Policy) -> FirewallState:
        contents: dict[SourceId, Content] = {MANUAL: manual}
        for owner in policy.sources:
            _, content = await store.accepted(owner.source_id)
            contents |= {owner.source_id: content} if content else {}
        return await asyncio.to_thread(_plan, policy, contents, protected)

    return await asyncio.to_thread(lift_of, await planned(before), await planned(after))


def _plan(policy: Policy, contents: dict[SourceId, Content], protected: Sequence[Protected]) -> FirewallState:
    basis, markers = basis_of(policy, contents, exclusions_of(policy, contents, protected))
    return basis.plan_whole(markers)
