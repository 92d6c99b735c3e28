from collections.abc import Sequence

import numpy as np

from banlistd.core.feeds.value.lifetimes import Lifetimes, Movements, MovementsReader, lifetimes_of

DAY = 86_400.0


def movements(*versions: tuple[float, Sequence[int]]) -> Movements:
    """Of versions in order: the day on which each came, and its addresses."""
    reader = MovementsReader()
    for day, addresses in reversed(versions):
        reader.add(day * DAY, np.array(sorted(addresses), dtype=np.uint32))
    found = reader.movements()
    assert found is not None
    return found


def test_the_list_that_had_an_address_sooner_is_first_and_by_so_many_days() -> None:
    one = movements((0, [1]), (2, [1, 10, 11, 12]))
    two = movements((0, [2]), (5, [2, 10, 11]), (9, [2, 10, 11, 12]))
    assert lifetimes_of([one, two]) == [Lifetimes(0.0, 3, 3.0, 0, None), Lifetimes(0.0, 0, None, 0, None)]


def test_an_address_that_another_list_has_had_all_along_or_at_the_same_time_is_no_first() -> None:
    one = movements((0, [1]), (2, [1, 10, 11]))
    two = movements((0, [2, 10]), (2, [2, 10, 11]))
    late = movements((0, [3]), (4, [3, 10, 11]))
    assert [found.first for found in lifetimes_of([one, two, late])] == [0, 0, 0]


def test_what_a_list_had_before_all_that_is_known_counts_for_it_also_when_it_has_left() -> None:
    one = movements((0, [1]), (3, [1, 10]))
    two = movements((0, [2]), (5, [2, 10]))
    gone = movements((0, [3, 10]), (1, [3]))
    assert [found.first for found in lifetimes_of([one, two])] == [1, 0]
    assert [found.first for found in lifetimes_of([one, two, gone])] == [0, 0, 0]


def test_how_long_an_address_is_listed_counts_once_it_has_left_and_its_beginning_is_known() -> None:
    one = movements((0, [1, 2]), (1, [2, 10]), (4, [2]), (5, [2, 10]), (10, [2]))
    assert lifetimes_of([one]) == [Lifetimes(0.0, 0, None, 2, 4.0)]


def test_one_version_says_nothing_of_the_past() -> None:
    assert lifetimes_of([movements((3, [1, 2]))]) == [Lifetimes(3 * DAY, 0, None, 0, None)]
    assert MovementsReader().movements() is None
    assert lifetimes_of([]) == []
