"""How long the versions of a list are kept, and how many."""

import pytest

from banlistd.adapters.storage import manual_bans
from banlistd.adapters.storage.versions import version_table
from banlistd.core.config.model import Source
from support.written_config import problems_of, read

DAY = 86_400.0
LIST = "url: 'https://lists.example/a'"


def source_of(keys: str, defaults: str = "{}") -> Source:
    return read(f"defaults: {defaults}\nsources:\n- {{id: a, {LIST}{keys}}}\n").sources[0]


@pytest.mark.parametrize(
    ("keys", "defaults", "seconds", "octets"),
    [
        ("", "{}", 30 * DAY, 8 * 2**20),
        ("", "{history: 7d, history_size: 1MiB}", 7 * DAY, 2**20),
        (", history: 1h", "{history: 7d}", 3600.0, 8 * 2**20),
        (", history: off", "{}", 0.0, 8 * 2**20),
        (", history: 365d, history_size: 4kB", "{history: off}", 365 * DAY, 4000),
    ],
)
def test_a_source_has_its_own_history_or_that_of_the_defaults(keys: str, defaults: str, seconds: float, octets: int) -> None:
    source = source_of(keys, defaults)
    assert (source.history, source.history_size) == (seconds, octets)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("history: 1m", 'history: "1m" is shorter than 1h'),
        ("history: 366d", 'history: "366d" is longer than 365d'),
        ("history: -1d", 'history: "-1d" is not'),
        ("history: [1d]", "history: "),
        ("history_size: 1kB", 'history_size: "1kB" is less than 4kB'),
    ],
)
def test_other_values_are_refused(keys: str, problem: str) -> None:
    assert problem in " ".join(problems_of(f"sources:\n- {{id: a, {LIST}, {keys}}}\n"))


def test_the_ledger_forgets_nothing_that_a_configuration_may_keep() -> None:
    longest = source_of(", history: 365d").history
    assert longest == version_table._LONGEST == manual_bans._LONGEST
