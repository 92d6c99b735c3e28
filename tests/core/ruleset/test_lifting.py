import pytest

from adapters.firewalls.contract import addresses
from banlistd.core.addresses.sets import AddressSet, Ranges
from banlistd.core.ruleset.lifting import Lift, consent_to, lift_of
from banlistd.core.ruleset.plan import plan
from banlistd.core.ruleset.state import FirewallState
from banlistd.errors import RefusedError
from banlistd.model import Action, Direction, Family, Mark, SourceId, SourceSlot
from banlistd.scopes.scope import Scope

NOTHING = {family: Ranges.none(family) for family in Family}


def state(action: Action = Action.DROP, direction: Direction = Direction.IN, **contents: AddressSet) -> FirewallState:
    slots = [SourceSlot(Mark(at), SourceId(name), action, direction) for at, name in enumerate(sorted(contents), start=1)]
    return plan(slots, {SourceId(name): content for name, content in contents.items()}, NOTHING, NOTHING, ())


def lift(before: FirewallState, after: FirewallState) -> tuple[int, int]:
    found = lift_of(before, after)
    return found.lifted, found.bans


THREE = addresses("192.0.2.1", "198.51.100.0/24", "2001:db8::/32")


def test_what_stays_is_not_lifted_whoever_owns_it_and_however_it_is_cut() -> None:
    before = state(a=THREE)
    assert lift(before, before) == (0, 3)
    assert lift(before, state(b=THREE, a=addresses("203.0.113.1"))) == (0, 3)
    assert lift(before, state(a=addresses("192.0.2.0/24", "198.51.100.0/25", "198.51.100.128/25", "2001:db0::/28"))) == (0, 3)


def test_what_is_gone_or_has_a_hole_or_is_only_watched_is_lifted() -> None:
    before = state(a=THREE)
    assert lift(before, state()) == (3, 3)
    assert lift(before, state(a=addresses("198.51.100.0/30", "198.51.100.128/25", "2001:db8::/32"))) == (
        2,
        3,
    )
    assert lift(before, state(Action.COUNT, a=THREE)) == (3, 3)
    assert lift(state(Action.COUNT, a=THREE), state()) == (0, 0)


def test_each_direction_counts_for_itself() -> None:
    assert lift(state(direction=Direction.BOTH, a=THREE), state(a=THREE)) == (3, 6)
    assert lift(state(direction=Direction.OUT, a=THREE), state(a=THREE)) == (3, 3)


SSH, WEB = Scope(ports=((22, 22),)), Scope(ports=((80, 80),))


def test_a_ban_in_a_scope_is_lifted_by_another_scope_and_not_by_a_ban_of_all_packets() -> None:
    def scoped(scope: Scope, number: int = 1) -> FirewallState:
        slot = SourceSlot(Mark(1), SourceId("a"), Action.DROP, Direction.IN, scope=scope, scope_number=number)
        return plan([slot], {SourceId("a"): THREE}, NOTHING, NOTHING, ())

    assert lift(scoped(SSH), scoped(SSH)) == (0, 3)
    assert lift(scoped(SSH), scoped(SSH, 2)) == (0, 3)
    assert lift(scoped(SSH), scoped(WEB)) == (3, 3)
    assert lift(scoped(SSH), state(a=THREE)) == (0, 3)
    assert lift(state(a=THREE), scoped(SSH)) == (3, 3)


@pytest.mark.parametrize(
    ("lifted", "bans", "is_large"),
    [
        (0, 0, False),
        (20, 20, False),
        (21, 21, True),
        (50, 100, False),
        (51, 100, True),
        (1000, 10**6, False),
        (1001, 10**6, True),
    ],
)
def test_more_than_half_or_more_than_a_thousand_is_large_but_for_a_few(lifted: int, bans: int, is_large: bool) -> None:
    assert Lift(lifted, bans).is_large is is_large


def test_consent_needs_the_number_for_what_is_large() -> None:
    consent_to(0)(Lift(20, 20))
    consent_to(5019)(Lift(5019, 5019))
    with pytest.raises(RefusedError) as refused:
        consent_to(5018)(Lift(5019, 6000))
    assert refused.value.message == "the reload would lift 5,019 of 6,000 bans"
    assert "banlistctl reload --lift 5019" in refused.value.hint
