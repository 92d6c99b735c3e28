import numpy as np
import pytest

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.timed import NEVER, TimedEntries, spread
from banlistd.core.feeds.parsers import parse


def entries(*rows: tuple[str, int]) -> TimedEntries:
    return TimedEntries.joined([TimedEntries.of(addresses(text), until) for text, until in rows])


def addresses(text: str) -> AddressSet:
    return parse(text.replace(" ", "\n").encode()).addresses


MIXED = [("192.0.2.1", 10), ("198.51.100.0/24", 20), ("2001:db8::1", 10), ("2001:db8:1::/48", NEVER)]


def test_what_has_not_ended_is_left() -> None:
    timed = entries(*MIXED)
    assert timed.after(9.9).addresses() == addresses("192.0.2.1 198.51.100.0/24 2001:db8::1 2001:db8:1::/48")
    assert timed.after(10.0).addresses() == addresses("198.51.100.0/24 2001:db8:1::/48")
    assert timed.after(20.0).addresses() == addresses("2001:db8:1::/48")
    assert (len(timed), len(timed.after(10.0))) == (4, 2)


def test_the_first_end() -> None:
    timed = entries(*MIXED)
    assert [timed.after(now).next_end() for now in (0.0, 10.0, 20.0)] == [10, 20, NEVER]
    assert TimedEntries.none().next_end() == NEVER


@pytest.mark.parametrize("rows", [[], MIXED, MIXED[:1], MIXED[2:3]])
def test_bytes_have_all_of_it(rows: list[tuple[str, int]]) -> None:
    timed = entries(*rows)
    again = TimedEntries.decode(timed.encode())
    assert all(np.array_equal(one, other) for one, other in zip(timed.columns, again.columns, strict=True))
    assert [column.dtype for column in timed.columns] == [column.dtype for column in again.columns]


@pytest.mark.parametrize(
    "octets", [b"", b"BLE1", b"BLS1" + bytes(8), entries(*MIXED).encode()[:-1], entries().encode() + b"\0"]
)
def test_other_bytes_are_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match="encoded entries"):
        TimedEntries.decode(octets)


def test_entries_that_others_wrote_are_looked_at() -> None:
    timed = entries(*MIXED)
    assert timed.fault() == ""
    turned = TimedEntries(timed.last4, timed.first4, *timed.columns[2:])
    assert turned.fault() == "an entry that ends before it begins"
    cut = TimedEntries(timed.first4[:1], *timed.columns[1:])
    assert cut.fault() == "columns of different lengths"


def test_ends_are_spread_over_the_entries_behind_them() -> None:
    assert spread([1, 1, 3], [5, 6, NEVER], 5).tolist() == [NEVER, 6, 6, NEVER, NEVER]
    assert spread([], [], 2).tolist() == [NEVER, NEVER]
