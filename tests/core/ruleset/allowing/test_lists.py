"""What allow lists name comes out of every plan, in every form of an address, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, to_number, to_text
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.allowing.lists import allow_lists, carved_for_lists, cut_out_of
from banlistd.core.ruleset.protection import ProtectionExclusions, forms
from banlistd.formats import Format
from banlistd.model import Family, SourceId

NOTHING = {family: Ranges.none(family) for family in FAMILIES}


def set_of(*entries: str) -> AddressSet:
    return parse("".join(f"{entry}\n" for entry in entries).encode(), Format()).addresses


def texts(ranges: Ranges) -> list[str]:
    ends = zip(ranges.first, ranges.last, strict=True)
    return [f"{to_text(ranges.family, first)}-{to_text(ranges.family, last)}" for first, last in ends]


def carved(content: AddressSet, *allowed: str) -> dict[Family, list[str]]:
    found = carved_for_lists(ProtectionExclusions.none(), {SourceId("a"): content}, allow_lists([set_of(*allowed)]), NOTHING)
    return {family: texts(found.ranges[family]) for family in FAMILIES}


def test_only_what_is_listed_is_carved_out() -> None:
    found = carved(set_of("192.0.2.0/24", "198.51.100.7"), "198.51.100.0/24", "203.0.113.1")
    assert found[Family.IPV4] == ["198.51.100.7-198.51.100.7"]
    found = carved(set_of("192.0.2.0/24", "2001:db8::/48"), "192.0.2.128-192.0.3.9", "2001:db8::/32")
    assert found == {
        Family.IPV4: ["192.0.2.128-192.0.2.255"],
        Family.IPV6: ["2001:db8::-2001:db8:0:ffff:ffff:ffff:ffff:ffff"],
    }


def test_an_address_is_carved_out_in_its_ipv6_forms_too() -> None:
    found = carved(set_of("2002:c000:207::/48", "64:ff9b::c000:207", "64:ff9b::c000:208"), "192.0.2.7")
    assert found[Family.IPV6] == [
        "64:ff9b::c000:207-64:ff9b::c000:207",
        "2002:c000:207::-2002:c000:207:ffff:ffff:ffff:ffff:ffff",
    ]


def test_several_lists_are_one() -> None:
    lists = allow_lists([set_of("192.0.2.0/25"), set_of("192.0.2.128/25", "2001:db8::1")])
    assert texts(lists.ranges[Family.IPV4]) == ["192.0.2.0-192.0.2.255"]
    assert texts(lists.ranges[Family.IPV6]) == ["2001:db8::1-2001:db8::1"]


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**12)), max_size=8))
def test_the_forms_of_many_ranges_are_those_of_each(spans: list[tuple[int, int]]) -> None:
    ends = [(first, min(first + width, 2**32 - 1)) for first, width in spans]
    lists = allow_lists([set_of(*(f"{_v4(first)}-{_v4(last)}" for first, last in ends))]) if ends else allow_lists([])
    for first, last in ends:
        for family, low, high in forms((Family.IPV4, first, last)):
            known = lists.forms[family]
            bounds = [(to_number(one), to_number(other)) for one, other in zip(known.first, known.last, strict=True)]
            assert any(one <= low and high <= other for one, other in bounds), (first, last, family)
    assert len(lists.forms[Family.IPV6]) <= 5 * len(ends)


def test_hosts_and_networks_are_cut_alike() -> None:
    content = set_of("192.0.2.1", "192.0.2.2", "198.51.100.0/24")
    assert texts(cut_out_of(content, set_of("192.0.2.2-198.51.100.3").nets4)) == [
        "192.0.2.2-192.0.2.2",
        "198.51.100.0-198.51.100.3",
    ]


def _v4(number: int) -> str:
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))
