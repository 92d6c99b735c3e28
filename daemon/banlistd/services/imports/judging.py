"""What the guards compare a list with, gathered from what is written down."""

from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.addresses.sets import FAMILIES, Ranges
from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.judgement import GuardContext
from banlistd.core.feeds.quarantine import PastContents
from banlistd.core.ruleset.policy import Policy
from banlistd.model import Action


def guard_context(
    past: PastContents, policy: Policy, source: Source, before: Content | None, now: float, *, has_moved: bool
) -> GuardContext:
    """`past`: of the source's good lists. `policy`: with what the allow lists name. `before`: the last good content. `now`:
    seconds since the epoch.
    """
    health = past.health
    # An allow list that names what is allowed already is as large as it is; otherwise its own content would hide its growth.
    is_allow_list = source.action is Action.ALLOW
    return GuardContext(
        reserved_ranges() if is_allow_list else policy.never_banned,
        {family: Ranges.none(family) for family in FAMILIES} if is_allow_list else policy.allowed,
        before.addresses if before else None,
        past.sizes,
        health is not None and health.has_end_count,
        (now - health.good_at) / 86400 if health else 0.0,
        has_moved,
        past.samples,
        int(now * 1e6),
    )
