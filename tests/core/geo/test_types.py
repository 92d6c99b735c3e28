"""How two answers become one, and how newer rows lie over older ones: held against a dictionary of single addresses."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.geo.types import Located, Origin, Row, nowhere, overlaid
from banlistd.model import Family

NORWAY = Origin("NO", "Norway")
OPERATOR = Origin(asn=64496, organisation="Example Network")

span = st.tuples(st.integers(0, 30), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
rows = st.lists(st.tuples(span, st.integers()), max_size=12).map(lambda found: [(*ends, known) for ends, known in found])


@given(rows, rows)
def test_newer_rows_take_their_range_and_leave_the_rest(older: list[Row[int]], newer: list[Row[int]]) -> None:
    held = overlaid([], older)
    after = overlaid(held, newer)
    naive = {at: known for first, last, known in (*older, *newer) for at in range(first, last + 1)}
    assert {at: known for first, last, known in after for at in range(first, last + 1)} == naive


@given(rows)
def test_rows_come_out_sorted_and_disjoint(some: list[Row[int]]) -> None:
    held = overlaid([], some)
    assert all(first <= last for first, last, _ in held)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(held))


def test_what_one_place_does_not_know_the_next_one_fills_in() -> None:
    assert NORWAY.filled(OPERATOR) == Origin("NO", "Norway", 64496, "Example Network")
    assert NORWAY.filled(OPERATOR).is_complete
    assert not NORWAY.is_complete
    assert not Origin().is_known


def test_the_first_place_is_believed_and_no_name_goes_with_a_code_of_another() -> None:
    assert Origin("NO").filled(Origin("SE", "Sweden", 1)) == Origin("NO", "", 1)
    assert Origin(asn=1).filled(Origin(asn=2, organisation="Two")) == Origin(asn=1)


def test_two_answers_combine_where_their_networks_overlap() -> None:
    v4 = Family.IPV4
    both = nowhere(v4).filled(Located(v4, 0, 255, NORWAY)).filled(Located(v4, 128, 511, OPERATOR))
    assert both == Located(v4, 128, 255, Origin("NO", "Norway", 64496, "Example Network"))
