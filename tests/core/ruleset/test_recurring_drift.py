"""When drift is recurring, whose it is, and when it is over."""

from collections.abc import Iterable

import pytest

from banlistd.core.ruleset.repair.recurring_drift import CALM, RECURRING, Drift, Recurrence

ALONE = [Drift.SINGLE] * (RECURRING - 1)


def noted(repairs: Iterable[tuple[str, float]], found: Recurrence | None = None) -> tuple[list[Drift], Recurrence]:
    found, kinds = found or Recurrence(), []
    for culprit, at in repairs:
        kind, found = found.note(culprit, at)
        kinds.append(kind)
    return kinds, found


def test_some_repairs_in_a_short_time_are_recurring_and_the_rest_of_them_is_known() -> None:
    kinds, found = noted((f"nft[{at}]", float(at)) for at in range(RECURRING + 100))
    assert kinds == [*ALONE, Drift.RECURRING, *[Drift.KNOWN] * 100]
    assert (found.repairs, found.duration) == (RECURRING + 100, RECURRING + 99)


@pytest.mark.parametrize("every", [CALM / (RECURRING - 1), CALM, 10 * CALM])
def test_repairs_now_and_then_are_single(every: float) -> None:
    kinds, found = noted(("cron[7]", every * number) for number in range(20))
    assert set(kinds) == {Drift.SINGLE}
    assert not found.is_over(1e9)


def test_what_is_recurring_is_never_over_between_two_of_its_changes() -> None:
    every = 0.99 * CALM / (RECURRING - 1)
    _, found = noted(("cron[7]", every * number) for number in range(20))
    assert not found.is_over(every * 20)


def test_it_is_over_once_nothing_was_repaired_for_a_while() -> None:
    _, found = noted(("nft[1]", float(at)) for at in range(RECURRING))
    last = RECURRING - 1.0
    assert not found.is_over(last + CALM - 1)
    assert found.is_over(last + CALM)


def test_a_program_that_starts_anew_for_each_change_is_named_once_with_its_latest_process() -> None:
    _, found = noted([("nft[1]", 0), ("sh[2]", 1), ("nft[3]", 2), ("", 3)])
    assert found.culprit == "sh[2], nft[3]"


def test_several_programs_of_one_repair_are_named_and_of_many_the_latest() -> None:
    _, found = noted([("a[1], b[2]", 0), ("c[3]", 1), ("d[4]", 2), ("[5]", 3)])
    assert found.culprit == "c[3], d[4], [5]"


def test_who_changed_it_long_ago_is_not_the_culprit_of_today() -> None:
    _, found = noted([("nft[1]", 0), ("sh[2]", 2 * CALM)])
    assert found.culprit == "sh[2]"
