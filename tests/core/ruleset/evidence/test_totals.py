"""Totals go on where counters begin anew."""

from collections.abc import Mapping

from banlistd.core.ruleset.evidence.totals import Total, advanced
from banlistd.model import Counter, SourceId

ONE, TWO = SourceId("one"), SourceId("two")


def after(*readings: tuple[int, str]) -> Counter:
    totals: Mapping[SourceId, Total] = {}
    for packets, boot in readings:
        totals = advanced(totals, {ONE: Counter(packets, 10 * packets)}, boot)
    return totals[ONE].counted


def test_a_counter_that_goes_on_counts_once() -> None:
    assert after((3, "a"), (3, "a"), (8, "a")) == Counter(8, 80)


def test_a_counter_that_began_anew_is_added() -> None:
    assert after((8, "a"), (2, "a"), (5, "a")) == Counter(13, 130)


def test_after_a_reboot_every_counter_began_anew_even_if_it_is_ahead_already() -> None:
    assert after((8, "a"), (9, "b"), (10, "b")) == Counter(18, 180)


def test_a_source_without_a_counter_keeps_its_total() -> None:
    totals = advanced({ONE: Total(Counter(1, 10), Counter(2, 20), "a")}, {TWO: Counter(4, 40)}, "a")
    assert {source: total.counted for source, total in totals.items()} == {ONE: Counter(3, 30), TWO: Counter(4, 40)}
