"""The policy with its manual bans of some packets, and a number for each scope, which names its maps. Pure.

A number keeps its scope for as long as the firewall has it: a packet that has met the conditions of a number is looked up in
its maps a moment later, and a change may come in between.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from banlistd.core.ruleset.policy import Policy, slot_row
from banlistd.model import MANUAL, Action, Direction, Mark, PolicyHash, SourceId, SourceSlot
from banlistd.scopes.names import MOST_BY_HAND, MOST_NUMBERS, is_by_hand
from banlistd.scopes.scope import Scope, id_by_hand


def numbers_of(sources: Sequence[SourceSlot]) -> Mapping[str, int]:
    """The number of each scope, by its digest."""
    return {owner.scope.digest: owner.scope_number for owner in sources if owner.scope and owner.scope_number}


def numbers_for(wanted: Mapping[Scope, int], present: Mapping[str, int]) -> Mapping[Scope, int]:
    """A number for each scope. `wanted`: the one that it would like, 0 for none. `present`: those in the firewall, by digest.

    A scope that the firewall has keeps its number. Another gets the one that it would like, or the lowest, of those that
    neither a wanted scope nor one of the firewall has.
    """
    numbers: dict[Scope, int] = {}
    for scope in wanted:
        number = present.get(scope.digest, 0)
        if number and number not in numbers.values():
            numbers[scope] = number
    for scope, liked in wanted.items():
        if scope not in numbers and liked and liked not in {*present.values(), *numbers.values()}:
            numbers[scope] = liked
    for scope in wanted:
        if scope not in numbers:
            taken = {*present.values(), *numbers.values()}
            # All are taken only after changes of which the outcome is not known; then those of scopes that go are given anew.
            free = [number for number in range(1, MOST_NUMBERS + 1) if number not in taken]
            numbers[scope] = free[0] if free else min({*range(1, MOST_NUMBERS + 1)} - {*numbers.values()})
    return numbers


def with_scopes(policy: Policy, by_hand: Mapping[Scope, Mark], present: Mapping[str, int]) -> Policy:
    """The policy with a source for the manual bans of each scope, behind that of the others and before every list, and with
    the numbers of `numbers_for`. A scope that a list has too shares its number, and so its maps.

    The very same policy where it has these sources already.
    """
    rest = [owner for owner in policy.sources if owner.source_id == MANUAL or not is_by_hand(owner.source_id)]
    like = next((owner for owner in rest if owner.source_id == MANUAL), None)
    slots = [
        SourceSlot(
            mark,
            SourceId(id_by_hand(scope)),
            Action.DROP,
            Direction.IN,
            log=like.log if like else None,
            hits=like.hits if like else False,
            scope=scope,
        )
        for scope, mark in sorted(by_hand.items(), key=lambda pair: pair[1])[:MOST_BY_HAND]
    ]
    ordered = (
        *(owner for owner in rest if owner.source_id == MANUAL),
        *slots,
        *(owner for owner in rest if owner.source_id != MANUAL),
    )
    liked = {owner.scope: owner.scope_number for owner in policy.sources}
    numbers = numbers_for({owner.scope: liked.get(owner.scope, 0) for owner in ordered if owner.scope}, present)
    sources = tuple(replace(owner, scope_number=numbers[owner.scope]) if owner.scope else owner for owner in ordered)
    if sources == policy.sources:
        return policy
    base = policy.base_hash or policy.hash
    return replace(policy, sources=sources, hash=_extended(base, sources), base_hash=base)


def _extended(base: PolicyHash, sources: Sequence[SourceSlot]) -> PolicyHash:
    """`base` is of numbers in the order of the lists; so it stays where they have these, and nothing is banned by hand."""
    by_hand = [slot_row(owner) for owner in sources if owner.scope and is_by_hand(owner.source_id)]
    listed = [*dict.fromkeys(owner.scope_number for owner in sources if owner.scope and not is_by_hand(owner.source_id))]
    moved = [] if listed == [*range(1, len(listed) + 1)] else [listed]
    if not by_hand and not moved:
        return base
    return PolicyHash(hashlib.sha256(json.dumps([base, by_hand, *moved]).encode()).hexdigest()[:16])
