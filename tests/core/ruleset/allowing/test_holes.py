"""What an allowed range takes out of lists: whole entries that are cut, and the addresses that this costs."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.comparison import sample
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.allowing.holes import Hole, holes_in, holes_of_each, ranges_of_spans
from banlistd.core.ruleset.scoping.by_hand import spans_as_set
from banlistd.formats import Format
from banlistd.model import Family, SourceId, Span
from support.data import real_list

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


# Few addresses, so that ranges often touch: plain, and in the forms that embed them; Teredo and ISATAP among them.
_BASES = [
    (Family.IPV4, 0xC0000200),
    (Family.IPV6, 0x0064FF9B << 96 | 0xC0000200),
    (Family.IPV6, 0x2002C000 << 96 | 0x0200 << 80),
    (Family.IPV6, 0x20010000 << 96 | 0x5EF579FD << 64 | 0x059D << 32 | 0x3FFFFDF0),
    (Family.IPV6, 0x20010DB8 << 96 | 0x5EFE << 32 | 0xC0000200),
]
spans = st.builds(
    lambda base, low, width: (base[0], base[1] + low, base[1] + low + width),
    st.sampled_from(_BASES),
    st.integers(0, 24),
    st.sampled_from([0, 0, 1, 7, 300]),
)


def as_rows(every: list[tuple[int, Hole]]) -> list[tuple[object, ...]]:
    return [(place, hole.source_id, hole.cut, hole.addresses) for place, hole in every]


@given(st.lists(spans, max_size=12), st.lists(spans, max_size=12), st.lists(spans, min_size=1, max_size=8))
def test_many_ranges_at_once_have_the_holes_that_each_has_by_itself(a: list[Span], b: list[Span], allowed: list[Span]) -> None:
    contents = {A: spans_as_set(a), B: spans_as_set(b)}
    each = [(place, hole) for place, span in enumerate(allowed) for hole in holes_in(contents, ranges_of_spans([span]))]
    assert as_rows([*holes_of_each(contents, allowed)]) == as_rows(each)


@pytest.mark.parametrize("name", ["bitwire_outbound_20260129.txt", "bitwire_inbound_ipv6_20260129.txt"])
def test_thousands_of_allow_entries_cost_little_more_than_some(name: str) -> None:
    content = parse(real_list(name).read_bytes(), Format()).addresses
    hosts = [(Family.IPV4, int(one), int(one)) for one in content.hosts4[:: max(1, len(content.hosts4) // 5_000)]]
    nets = [(Family.IPV6, int.from_bytes(one.ljust(16, b"\0"), "big")) for one in [*content.hosts6, *content.nets6.first]]
    allowed = [*hosts, *((family, first, first) for family, first in nets), *((Family.IPV4, n, n) for n in range(9, 5_009))]
    allowed = [allowed[at * len(allowed) // 5_000] for at in range(5_000)]
    contents = {A: content}
    found, many = timed(lambda: [*holes_of_each(contents, allowed)])
    each, some = timed(lambda: [[*holes_in(contents, ranges_of_spans([span]))] for span in allowed[:50]])
    assert len(found) > 400
    assert [hole.cut for place, hole in found if place < 50] == [hole.cut for holes in each for hole in holes]
    assert many < 50 * some  # a hundred times as many; 6 and 14 are measured


def timed(work: Callable[[], object]) -> tuple[Any, float]:
    began = time.thread_time()
    return work(), time.thread_time() - began
