"""The state that a policy and the contents of its sources ask for, and the steps to it from the plan before. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.text import span_text
from banlistd.core.feeds.content import Content
from banlistd.core.ruleset.allowing.lists import carved_for_lists
from banlistd.core.ruleset.incremental_plan import Basis, Moves, plan_changes
from banlistd.core.ruleset.manual_allows import REASON
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.protection import Hit, ProtectionExclusions, carve, newly_carved, union_by_family
from banlistd.core.ruleset.recovery import is_held
from banlistd.core.ruleset.state import FirewallState
from banlistd.events import Event, EventName
from banlistd.model import Marker, PolicyHash, Protected, SourceId
from banlistd.services.planning.allow_lists import effective_policy, lists_in_force


@dataclass(frozen=True, slots=True, eq=False)
class DesiredState:
    """`basis`: what the state is the plan of. `moves`: what leads to it from the plan before; None if it was planned whole."""

    state: FirewallState
    basis: Basis | None
    moves: Moves | None = None


def desired_state(before: FirewallState | None, was: Basis | None, basis: Basis, markers: Sequence[Marker]) -> DesiredState:
    """`before`, `was`: the last state and its basis, if it is known. Costs up to seconds: for a worker thread."""
    if before is None or was is None:
        return DesiredState(basis.plan_whole(markers), basis)
    state, moves = plan_changes(before, was, basis, markers)
    return DesiredState(state, basis, moves)


@dataclass(frozen=True, slots=True, eq=False)
class PlanInForce:
    """`state`, `basis`: None where they are not known. `is_same`: policy and contents are still those that it was made of."""

    state: FirewallState | None
    basis: Basis | None
    policy_hash: PolicyHash
    is_same: bool


def plan_after(
    in_force: PlanInForce,
    policy: Policy,
    contents: Mapping[SourceId, Content],
    protected: Sequence[Protected],
) -> tuple[ProtectionExclusions, DesiredState]:
    """What is excluded, and the desired state; planned anew only where it differs. Costs up to seconds (`turn_for`)."""
    exclusions = exclusions_of(policy, contents, protected)
    if in_force.is_same and in_force.state and exclusions.policy_hash(policy.hash) == in_force.policy_hash:
        return exclusions, DesiredState(in_force.state, in_force.basis)
    basis, markers = basis_of(policy, contents, exclusions, in_force.state)
    return exclusions, desired_state(in_force.state, in_force.basis, basis, markers)


def basis_of(
    policy: Policy,
    contents: Mapping[SourceId, Content],
    exclusions: ProtectionExclusions,
    before: FirewallState | None = None,
) -> tuple[Basis, Sequence[Marker]]:
    """What a plan is made of, and the markers that go with it: where they stay, those of the state `before` themselves."""
    policy_hash = exclusions.policy_hash(policy.hash)
    known = {marker.source_id: marker for marker in before.markers} if before else {}
    markers = []
    for owner in policy.sources:
        content, marker = contents.get(owner.source_id), known.get(owner.source_id)
        if content is None:
            continue
        stays = marker is not None and marker.mark == owner.mark and is_held(marker, content.content_hash, policy_hash)
        markers.append(marker if marker and stays else Marker(owner.mark, owner.source_id, content.content_hash, policy_hash))
    never_banned = policy.never_banned if exclusions.is_empty else union_by_family(policy.never_banned, exclusions.ranges)
    addresses = _acting_addresses(policy, contents)
    return Basis(policy.acting, addresses, policy.allowed, never_banned, exclusions.answers), markers


def _acting_addresses(policy: Policy, contents: Mapping[SourceId, Content]) -> dict[SourceId, AddressSet]:
    """The addresses of the sources that act, in order."""
    in_order = (contents[owner.source_id] for owner in policy.acting if owner.source_id in contents)
    return {content.source_id: content.addresses for content in in_order}


def exclusions_of(policy: Policy, contents: Mapping[SourceId, Content], protected: Sequence[Protected]) -> ProtectionExclusions:
    """What of the protected addresses, and of those on allow lists, the lists would ban."""
    addresses, passing = _acting_addresses(policy, contents), effective_policy(policy, contents)
    exclusions = carve(protected, addresses, passing.never_banned, passing.allowed)
    lists = lists_in_force(policy, contents.get)
    return exclusions if lists is None else carved_for_lists(exclusions, addresses, lists, policy.never_banned)


def contents_to_plan(
    policy: Policy, contents: Mapping[SourceId, Content], external: AbstractSet[SourceId]
) -> dict[SourceId, Content]:
    """The contents of enabled sources. An empty one of an `external` source, which the ledger does not store, is left out."""
    enabled = {owner.source_id for owner in policy.sources}
    return {
        source_id: content
        for source_id, content in contents.items()
        if source_id in enabled and (source_id not in external or len(content.addresses))
    }


def carved_events(before: Sequence[Hit], hits: Sequence[Hit]) -> Iterator[Event]:
    """An event for each protected range that a list would ban wholly, once for each list and range. What was allowed by
    command is no news: the order has its own event.
    """
    for item, source_id in newly_carved(before, hits):
        if item.reason == REASON:
            continue
        span = span_text(item.span)
        message = (
            f"{source_id} bans {span} ({item.reason}): only {item.scope} pass"
            if item.answers
            else f"{source_id} would have banned {span} ({item.reason}): carved out"
        )
        yield Event(EventName.PROTECTED_CARVED, message, {"SOURCE_ID": source_id, "ADDRESS": span, "REASON": item.reason})
