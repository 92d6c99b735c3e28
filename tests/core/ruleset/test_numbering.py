"""The numbers of scopes: each keeps its own while the firewall has it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.firewalls.holdings import owner
from banlistd.core.addresses.sets import FAMILIES, Ranges
from banlistd.core.ruleset.policy import Policy
from banlistd.core.ruleset.scoping.numbering import numbers_for, numbers_of, with_scopes
from banlistd.model import MANUAL, Action, Mark, PolicyHash, SourceId, SourceSlot
from banlistd.scopes.names import MOST_BY_HAND, MOST_NUMBERS, MOST_SCOPES
from banlistd.scopes.scope import Scope

MOST = MOST_SCOPES + MOST_BY_HAND
SCOPES = [Scope(ports=((port, port),)) for port in range(1, 3 * MOST)]
A, B, C = SCOPES[:3]
some = st.lists(st.sampled_from(SCOPES), max_size=MOST, unique=True)


def scoped(mark: int, scope: Scope, number: int = 0) -> SourceSlot:
    return replace(owner(mark, f"list-{mark}"), scope=scope, scope_number=number)


def policy(*sources: SourceSlot) -> Policy:
    nothing = {family: Ranges.none(family) for family in FAMILIES}
    manual = SourceSlot(Mark(1), MANUAL, Action.DROP, owner(1, "manual").direction, log=3)
    return Policy((manual, *sources), nothing, nothing, PolicyHash("0123456789abcdef"))


@given(st.lists(some, min_size=1, max_size=6))
def test_no_scope_gets_the_number_of_one_that_the_firewall_has(changes: list[list[Scope]]) -> None:
    present: dict[str, int] = {}
    for wanted in changes:
        numbers = numbers_for(dict.fromkeys(wanted, 0), present)
        assert [*numbers] == wanted or set(numbers) == set(wanted)
        assert len({*numbers.values()}) == len(wanted)
        assert all(0 < number <= MOST_NUMBERS for number in numbers.values())
        for scope, number in numbers.items():
            assert present.get(scope.digest, number) == number
            assert all(other != number for digest, other in present.items() if digest != scope.digest)
        present = {scope.digest: number for scope, number in numbers.items()}


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        ({A: 1, B: 2}, {}, {A: 1, B: 2}),
        ({A: 1, B: 2}, {B.digest: 1}, {A: 2, B: 1}),
        ({B: 1}, {A.digest: 1, B.digest: 2}, {B: 2}),
        ({A: 0, C: 1}, {}, {A: 2, C: 1}),
        ({C: 1}, {A.digest: 1, B.digest: 2}, {C: 3}),
        ({A: 1, B: 2}, {A.digest: 7, B.digest: 7}, {A: 7, B: 2}),
    ],
)
def test_a_number_is_kept_then_as_liked_then_the_lowest(
    wanted: dict[Scope, int], present: dict[str, int], expected: dict[Scope, int]
) -> None:
    assert numbers_for(wanted, present) == expected


def test_a_policy_that_the_firewall_has_already_is_the_very_same() -> None:
    found = with_scopes(policy(scoped(2, A, 1), scoped(3, B, 2)), {C: Mark(9), A: Mark(8)}, {})
    assert [(owner.source_id == SourceId("list-2"), owner.scope_number) for owner in found.sources] == [
        (False, 0),
        (False, 1),
        (False, 3),
        (True, 1),
        (False, 2),
    ]
    assert found.sources[1].log == 3
    assert with_scopes(found, {C: Mark(9), A: Mark(8)}, numbers_of(found.sources)) is found


def test_the_hash_depends_on_numbers_and_not_on_the_way_to_them() -> None:
    plain = policy(scoped(2, A, 1), scoped(3, B, 2))
    moved = with_scopes(plain, {}, {B.digest: 1})
    assert [owner.scope_number for owner in moved.sources[1:]] == [2, 1]
    assert moved.hash != plain.hash
    by_hand = with_scopes(plain, {C: Mark(9)}, {})
    assert by_hand.hash != plain.hash
    assert with_scopes(by_hand, {}, numbers_of(by_hand.sources)).hash == plain.hash
    assert with_scopes(moved, {}, numbers_of(moved.sources)).hash == with_scopes(plain, {}, {B.digest: 1}).hash
    assert with_scopes(plain, {}, {}) is plain


def test_where_every_number_is_taken_a_new_scope_gets_one_of_a_scope_that_goes() -> None:
    present = {scope.digest: number for number, scope in enumerate(SCOPES[:MOST_NUMBERS], 1)}
    new = SCOPES[MOST_NUMBERS]
    assert numbers_for({SCOPES[0]: 0, new: 0}, present) == {SCOPES[0]: 1, new: 2}
