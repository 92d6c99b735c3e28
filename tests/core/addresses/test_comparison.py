"""What one content has and another has not."""

from banlistd.core.addresses.comparison import SHOWN, compare
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.parsers import parse


def content(*lines: str) -> AddressSet:
    return parse("\n".join(lines).encode()).addresses


def test_entries_that_come_and_go_are_counted_and_shown() -> None:
    difference = compare(
        content("192.0.2.1", "192.0.2.2", "198.51.100.0/24", "2001:db8::/32"),
        content("192.0.2.2", "192.0.2.3", "198.51.100.0/25", "2001:db8::7", "2001:db9::-2001:db9::4"),
    )
    assert (difference.added, difference.removed) == (2, 4)
    assert difference.added_sample == ("2001:db9:: - 2001:db9::4", "192.0.2.3")
    assert difference.removed_sample[0] == "198.51.100.128/25"
    assert "192.0.2.1" in difference.removed_sample


def test_address_covered_by_a_new_network_is_no_loss() -> None:
    difference = compare(content("192.0.2.1"), content("192.0.2.0/24"))
    assert difference.removed == 0


def test_a_sample_is_short_and_networks_come_first() -> None:
    many = content(*(f"192.0.2.{index}" for index in range(100)), "203.0.113.0/24")
    difference = compare(AddressSet.none(), many)
    assert difference.added == 101
    assert len(difference.added_sample) == SHOWN
    assert difference.added_sample[:2] == ("203.0.113.0/24", "192.0.2.0")
    assert difference.removed_sample == ()
