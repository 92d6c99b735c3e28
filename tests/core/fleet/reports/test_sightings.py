"""What one node may add to the sightings: few of each address, few in an hour, and its share of the table."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.fleet.reports.quorum import GAP
from banlistd.core.fleet.reports.sightings import MOST_SPELLS, Spell, changes_by, fair_share, with_report, within_quota
from support.reporters import reported

NOW = 1_800_000_000


@given(st.lists(st.integers(0, 40), max_size=60))
def test_the_sightings_of_an_address_are_few_in_order_and_lose_no_report(gaps: list[int]) -> None:
    spells: tuple[Spell, ...] = ()
    for at in (NOW + gap * GAP for gap in gaps):
        spells = with_report(spells, at)
        assert any(first <= at <= last for first, last in spells)
        assert with_report(spells, at) == spells
    assert len(spells) <= MOST_SPELLS
    assert all(end + GAP < begin for (_, end), (begin, _) in pairwise(spells))
    assert all(any(first <= NOW + gap * GAP <= last for first, last in spells) for gap in gaps)


def test_beyond_the_bound_the_oldest_become_one() -> None:
    spells = tuple((NOW + number * 1000, NOW + number * 1000) for number in range(MOST_SPELLS))
    assert with_report(spells, NOW + 50_000) == ((NOW, NOW + 1000), *spells[2:], (NOW + 50_000, NOW + 50_000))


def test_each_report_apart_from_the_others_is_new_also_beyond_the_bound() -> None:
    bans = [reported("203.0.113.7", NOW + 900), reported("203.0.113.8", NOW + 9000), reported("203.0.113.9", NOW)]
    many = [(NOW + number * 1000, NOW + number * 1000) for number in range(MOST_SPELLS)]
    known = {bans[0].address: [(NOW, NOW + 300)], bans[1].address: many}
    assert [change.is_new for change in changes_by(bans, known)] == [False, True, True]
    assert changes_by([reported("203.0.113.8", NOW)], known) == []


def test_more_new_sightings_than_the_quota_do_not_count_longer_ones_do() -> None:
    bans = [reported(f"203.0.113.{number}", NOW) for number in range(10)]
    known = {bans[8].address: [(NOW - 10, NOW - 10)], bans[9].address: [(NOW - 9999, NOW - 9999)]}
    counted, over = within_quota(changes_by(bans, known), 3)
    assert ([change.ban for change in counted], over) == ([bans[0], bans[1], bans[2], bans[8]], 6)


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 300))
def test_a_fair_share_fills_the_table_and_takes_nothing_of_those_with_less(counts: list[int], most: int) -> None:
    share = fair_share(counts, most)
    assert (share is None) == (sum(counts) <= most)
    if share is not None:
        kept = sum(min(count, share) for count in counts)
        assert kept <= most < sum(min(count, share + 1) for count in counts)
