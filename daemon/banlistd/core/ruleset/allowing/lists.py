"""What allow lists name is banned by no source: it becomes a part of the policy, and comes out of every plan. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from banlistd.core.addresses.arrays import within
from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, intersection, subtract, union_of
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.protection import ProtectionExclusions, union_by_family, with_forms
from banlistd.model import Family, SourceId


@dataclass(frozen=True, slots=True, eq=False)
class AllowLists:
    """What all allow lists together name. `forms`: the same, and each IPv6 form of what is IPv4."""

    ranges: Mapping[Family, Ranges]
    forms: Mapping[Family, Ranges]

    def added_to(self, policy: Policy) -> Policy:
        """The policy with these addresses allowed. Its hash stays: what is carved out for them is in the markers."""
        allowed = union_by_family(policy.allowed, self.ranges)
        return replace(policy, allowed=allowed, never_banned=union_by_family(policy.never_banned, self.forms))


def allow_lists(contents: Iterable[AddressSet]) -> AllowLists:
    """Of the contents in force of the sources that allow."""
    ranges = {family: Ranges.none(family) for family in FAMILIES}
    for content in contents:
        ranges = dict(union_by_family(ranges, {family: content.ranges(family) for family in FAMILIES}))
    return AllowLists(ranges, with_forms(ranges))


def carved_for_lists(
    exclusions: ProtectionExclusions,
    contents: Mapping[SourceId, AddressSet],
    lists: AllowLists,
    never_banned: Mapping[Family, Ranges],
) -> ProtectionExclusions:
    """`exclusions`, and what of the contents is on an allow list. Like those, it depends on what is touched alone: an allowed
    address that comes and goes unlisted changes nothing.
    """
    ranges = {}
    for family in FAMILIES:
        passing = lists.forms[family]
        found = [cut_out_of(content, passing) for content in contents.values()] if len(passing) else []
        first, last = (
            np.concatenate([getattr(part, end) for part in found] or [passing.first[:0]]) for end in ("first", "last")
        )
        ranges[family] = subtract(union_of(family, first, last), never_banned[family])
    return replace(exclusions, ranges=union_by_family(exclusions.ranges, ranges))


def cut_out_of(content: AddressSet, passing: Ranges) -> Ranges:
    """The part of a content that is in ranges of one family."""
    family = passing.family
    hosts = within(content.hosts(family), passing.first, passing.last)
    nets = intersection(content.nets(family), passing)
    if not len(nets):
        return union_of(family, hosts, hosts)
    return union_of(family, np.concatenate([hosts, nets.first]), np.concatenate([hosts, nets.last]))
