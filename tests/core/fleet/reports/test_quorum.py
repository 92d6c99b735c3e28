"""What enough sites agree on, compared with a count of every second."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.fleet.reports.quorum import QuorumRule, Sightings, agreed_addresses

Rows = list[tuple[int, int, int, int]]
RULE = QuorumRule(quorum=2, window=10, lasting=20, most=100)


def listed(rows: Rows, rule: QuorumRule = RULE, now: float = 100) -> list[int]:
    found = agreed_addresses(Sightings.of(rows), rule, now)
    return [int(one) for one in found.address]


def counted_slowly(rows: Rows, rule: QuorumRule, now: int) -> dict[int, tuple[int, int, int]]:
    """By address: sites, newest report, and until when it is listed."""
    found = {}
    of_address = defaultdict(list)
    for address, *row in rows:
        of_address[address].append(row)
    for address, of_it in of_address.items():
        moments = range(min(first for _, first, _ in of_it), max(last for *_, last in of_it) + rule.window + 1)
        agreed = [
            moment
            for moment in moments
            if len({site for site, first, last in of_it if first <= moment <= last + rule.window}) >= rule.quorum
        ]
        if agreed and agreed[-1] + rule.lasting > now:
            newest = max(last for *_, last in of_it)
            found[address] = (len({site for site, *_ in of_it}), newest, agreed[-1] + rule.lasting)
    return found


ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 60), st.integers(0, 8)).map(
        lambda row: (row[0], row[1], row[2], row[2] + row[3])
    ),
    max_size=25,
)


@given(ROWS, st.integers(1, 4), st.integers(0, 15), st.integers(0, 30), st.integers(0, 110))
def test_it_is_what_a_count_of_every_second_finds(rows: Rows, quorum: int, window: int, lasting: int, now: int) -> None:
    rule = QuorumRule(quorum, window, lasting, 100)
    found = agreed_addresses(Sightings.of(rows), rule, now)
    columns = (found.address, found.sites, found.last, found.until)
    got = {int(one): (int(sites), int(last), int(until)) for one, sites, last, until in zip(*columns, strict=True)}
    assert got == counted_slowly(rows, rule, now)


@given(ROWS, st.integers(0, 4))
def test_the_most_important_come_first_and_no_more_than_the_bound(rows: Rows, most: int) -> None:
    every = agreed_addresses(Sightings.of(rows), RULE, 50)
    order = [
        (-int(sites), -int(last), int(one)) for one, sites, last in zip(every.address, every.sites, every.last, strict=True)
    ]
    assert order == sorted(order)
    assert listed(rows, QuorumRule(2, 10, 20, most), 50) == [int(one) for one in every.address[:most]]


def test_nodes_of_one_site_count_as_one() -> None:
    assert listed([(1, 7, 95, 95), (1, 7, 96, 96)]) == []
    assert listed([(1, 7, 95, 95), (1, 8, 96, 96)]) == [1]


def test_two_sites_that_report_further_apart_than_the_window_do_not_agree() -> None:
    assert listed([(1, 7, 80, 80), (1, 8, 91, 91)]) == []
    assert listed([(1, 7, 80, 80), (1, 8, 90, 90)]) == [1]


def test_a_later_report_of_one_site_takes_nothing_back() -> None:
    assert listed([(1, 7, 80, 80), (1, 8, 85, 85)]) == [1]
    assert listed([(1, 7, 80, 80), (1, 8, 85, 85), (1, 7, 99, 99)]) == [1]
