"""What an allowed range takes out of lists: whole entries that are cut, and the addresses that this costs."""

from banlistd.core.addresses.comparison import sample
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.allowing.holes import holes_in, ranges_of_spans
from banlistd.formats import Format
from banlistd.model import Family, SourceId

A, B = SourceId("a"), SourceId("b")


def set_of(*entries: str) -> AddressSet:
    return parse("".join(f"{entry}\n" for entry in entries).encode(), Format()).addresses


def found(content: AddressSet, *allowed: str) -> list[tuple[tuple[str, ...], int, int]]:
    ranges = {family: set_of(*allowed).ranges(family) for family in Family}
    return [
        (sample(hole.cut), hole.addresses[Family.IPV4], hole.addresses[Family.IPV6]) for hole in holes_in({A: content}, ranges)
    ]


def test_entries_that_are_cut_are_named_whole_and_only_what_is_allowed_of_them_counts() -> None:
    content = set_of("192.0.2.0/24", "198.51.100.0/24", "203.0.113.7", "203.0.113.9", "2001:db8::/32")
    assert found(content, "192.0.2.64/26", "203.0.113.0/29", "2001:db8:1::1") == [
        (("192.0.2.0/24", "2001:db8::/32", "203.0.113.7"), 65, 1)
    ]


def test_what_is_allowed_counts_in_its_ipv6_forms_too() -> None:
    content = set_of("64:ff9b::c000:207", "2001:0:5ef5:79fd:0:59d:3fff:fdf8", "64:ff9b::c000:208")
    ((entries, four, six),) = found(content, "192.0.2.7")
    assert entries == ("64:ff9b::c000:207", "2001:0:5ef5:79fd:0:59d:3fff:fdf8")
    assert (four, six) == (0, 2)


def test_a_list_without_any_of_it_has_no_hole() -> None:
    allowed = ranges_of_spans([(Family.IPV4, 3221225985, 3221225985), (Family.IPV6, 1, 1)])
    contents = {A: set_of("192.0.2.2"), B: set_of("192.0.2.0/24")}
    assert [hole.source_id for hole in holes_in(contents, allowed)] == [B]
