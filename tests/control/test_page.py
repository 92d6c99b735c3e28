import pytest

from banlistd.control.page import Column, Table, due_in, interval, number, short_duration, since
from banlistd.core.printing import counted, printable
from banlistd.ctl.output import aligned


@pytest.mark.parametrize(
    ("foreign", "shown"),
    [
        ("plain and ünïcode 日本", "plain and ünïcode 日本"),
        ("\x1b[2J\x07", r"\x1b[2J\x07"),
        ("two\r\nlines", r"two\r\nlines"),
        ("\u202eevil", r"\u202eevil"),
        ("\x9b1m", r"\x9b1m"),
        ("\ud800", r"\ud800"),
        (None, "None"),
    ],
)
def test_foreign_text_cannot_steer_a_terminal(foreign: object, shown: str) -> None:
    assert printable(foreign) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (44.4, "44 s"),
        (5300, "1 h"),
        (5500, "2 h"),
        (169_000, "2 d"),
        (59.9, "1 min"),
        (60, "1 min"),
        (599.97, "10 min"),
        (3540, "59 min"),
        (3599, "1 h"),
        (3 * 3600, "3 h"),
        (90_000, "1 d"),
    ],
)
def test_a_duration_shows_its_largest_unit(seconds: float, shown: str) -> None:
    assert short_duration(seconds) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0s"), (90, "1min30s"), (43_200, "12h"), (86_400, "1d"), (5400, "1h30min")])
def test_an_interval_reads_as_a_configuration_has_it(seconds: float, shown: str) -> None:
    assert interval(seconds) == shown


@pytest.mark.parametrize(
    ("epoch", "past", "future"),
    [(None, "never", ""), (1000.0, "now", "now"), (700.0, "5 min ago", "now"), (8300.0, "now", "in 2 h")],
)
def test_time_is_relative_to_now(epoch: float | None, past: str, future: str) -> None:
    assert (since(epoch, 1000.0), due_in(epoch, 1000.0)) == (past, future)


def test_numbers_are_grouped_and_nouns_agree() -> None:
    assert (number(1_234_567), number(None)) == ("1,234,567", "")
    assert [counted(n, "ban", "bans") for n in (0, 1, 2_000)] == ["0 bans", "1 ban", "2,000 bans"]


def test_a_table_is_aligned_without_blanks_at_the_ends_of_lines() -> None:
    table = Table((Column("ID"), Column("N", right=True), Column("ERROR")), (("a", "1", ""), ("long", "1,000", "x")))

    assert aligned(table) == ["ID        N  ERROR", "a         1", "long  1,000  x"]
