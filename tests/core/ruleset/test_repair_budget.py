"""What repairs may use of the processor: a share of it in the long run, and nothing is delayed below that."""

from itertools import accumulate, combinations_with_replacement

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.ruleset.repair.repair_budget import REPAIR_BURST, REPAIR_SHARE, RepairBudget

amounts = st.floats(0, 1e3)
PAST = 1e6


def repaired(budget: RepairBudget, now: float, cost: float) -> tuple[RepairBudget, float, float]:
    """The budget after a repair that comes as soon as it may, on an idle machine; when it began, and when it ended."""
    began = now + budget.wait(now)
    return budget.charge(cost, began + cost), began, began + cost


@given(st.lists(st.tuples(amounts, amounts), max_size=30))
def test_no_stretch_of_time_has_more_than_its_share_and_one_burst(peace_and_cost: list[tuple[float, float]]) -> None:
    now, budget, began = PAST, RepairBudget.full(PAST), []
    for peace, cost in peace_and_cost:
        budget, start, now = repaired(budget, now + peace, cost)
        began.append(start)
    spent = [0.0, *accumulate(cost for _, cost in peace_and_cost)]
    for first, last in combinations_with_replacement(range(len(began)), 2):
        # The last one is not included: it is paid for afterwards.
        allowed = REPAIR_BURST + REPAIR_SHARE * (began[last] - began[first])
        assert spent[last] - spent[first] <= allowed + 1e-6


@given(st.lists(st.tuples(amounts, amounts), max_size=30))
def test_after_a_long_peace_a_burst_of_repairs_waits_for_nothing(peace_and_cost: list[tuple[float, float]]) -> None:
    now, budget = PAST, RepairBudget.full(PAST)
    for peace, cost in peace_and_cost:
        budget, _, now = repaired(budget, now + peace, cost)
    now += (REPAIR_BURST + sum(cost for _, cost in peace_and_cost)) / REPAIR_SHARE
    for _ in range(8):
        assert budget.wait(now) == 0
        budget = budget.charge(REPAIR_BURST / 8, now)


@given(st.lists(st.floats(0, 0.9), max_size=100))
def test_repairs_that_use_less_than_the_share_wait_for_nothing(parts: list[float]) -> None:
    now, budget = PAST, RepairBudget.full(PAST)
    for part in parts:
        now += 1.0
        assert budget.wait(now) == 0
        budget = budget.charge(part * REPAIR_SHARE, now)


def test_a_repair_that_used_more_than_there_was_is_paid_for_before_the_next() -> None:
    budget = RepairBudget.full(PAST).charge(REPAIR_BURST + 3 * REPAIR_SHARE, PAST)
    assert budget.wait(PAST) == pytest.approx(3)
    assert budget.wait(PAST + 2) == pytest.approx(1)
    assert budget.wait(PAST + 3) == 0
