"""What the guards compare a list with, gathered from what is written down."""

from banlistd.core.feeds.content import Content
from banlistd.core.feeds.judgement import GuardContext
from banlistd.core.ruleset.policy import Policy
from banlistd.model import SourceId
from banlistd.ports import Quarantine


async def guard_context(
    quarantine: Quarantine, policy: Policy, source_id: SourceId, before: Content | None, now: float, *, has_moved: bool
) -> GuardContext:
    """`before`: the last good content. `now`: seconds since the epoch. Raises LedgerError."""
    past = await quarantine.past(source_id, now)
    health = past.health
    return GuardContext(
        policy.never_banned,
        policy.allowed,
        before.addresses if before else None,
        past.sizes,
        health is not None and health.has_end_count,
        (now - health.good_at) / 86400 if health else 0.0,
        has_moved,
        past.samples,
        int(now * 1e6),
    )
