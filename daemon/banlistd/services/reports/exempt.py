"""What a hub never lists at this moment, of all that nodes report: what is allowed, reserved or protected there."""

from typing import TYPE_CHECKING

from banlistd.core.addresses.sets import FAMILIES, from_numbers, union_of
from banlistd.core.ruleset.protection import union_by_family, with_forms
from banlistd.ports import Host
from banlistd.services.enforcer import Enforcer

if TYPE_CHECKING:
    from banlistd.core.fleet.reports.addresses import Exempt


async def exempt_at(enforcer: Enforcer, host: Host) -> "Exempt":
    """Nothing is asked of the network."""
    from banlistd.core.fleet.reports.addresses import Exempt  # noqa: PLC0415 - a host without a fleet does without

    policy = enforcer.effective_policy
    protected = await host.protected(policy.urls, ask=False)
    ranges = {}
    for family in FAMILIES:
        spans = [item.span for item in protected if item.family is family]
        first = from_numbers(family, [low for _, low, _ in spans])
        last = from_numbers(family, [high for *_, high in spans])
        ranges[family] = union_of(family, first, last)
    return Exempt(union_by_family(policy.never_banned, with_forms(ranges)))
