"""The overlap of lists, compared with what counting address by address finds."""

import ipaddress
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import FAMILIES, AddressSet, from_numbers, to_number
from banlistd.core.feeds.value import overlap
from banlistd.core.feeds.value.overlap import MOST, Overlap, overlap_of
from banlistd.model import Family

TOP = {Family.IPV4: 2**32 - 1, Family.IPV6: 2**128 - 1}

Spans = list[tuple[int, int]]

spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)).map(lambda pair: (pair[0], min(sum(pair), 40))), max_size=12)


def set_of(v4: Spans, v6: Spans) -> AddressSet:
    def columns(family: Family, some: Spans) -> list[np.ndarray]:
        # At the very end of the addresses, where one more does not fit the type.
        last = TOP[family]
        return [from_numbers(family, [last - 40 + one[end] for one in some]) for end in (0, 1)]

    return AddressSet.of(*columns(Family.IPV4, v4), *columns(Family.IPV6, v6))


def entries_of(content: AddressSet, family: Family) -> list[set[int]]:
    nets = content.nets(family)
    hosts = [{to_number(host)} for host in content.hosts(family)]
    ends = zip(nets.first, nets.last, strict=True)
    return [*hosts, *(set(range(to_number(first), to_number(last) + 1)) for first, last in ends)]


def counted_one_by_one(lists: Sequence[AddressSet], others: AddressSet) -> Overlap:
    n = len(lists)
    entries, unique, addresses, alone = (np.zeros(n, dtype=np.int64) for _ in range(4))
    shared = np.zeros((n, n), dtype=np.int64)
    for family in FAMILIES:
        every = [set().union(*entries_of(content, family)) for content in (*lists, others)]
        for row, content in enumerate(lists):
            rest = set().union(*(one for place, one in enumerate(every) if place != row))
            for entry in entries_of(content, family):
                entries[row] += 1
                unique[row] += not entry & rest
                shared[row] += [bool(entry & one) for one in every[:-1]]
            if family is Family.IPV4:
                addresses[row] += len(every[row])
                alone[row] += len(every[row] - rest)
    return Overlap(entries, unique, shared, addresses, alone)


@pytest.mark.parametrize("piece", [256, 1 << 17])
@given(lists=st.lists(st.builds(set_of, spans, spans), max_size=5), others=st.builds(set_of, spans, spans))
def test_it_equals_what_counting_one_by_one_finds(piece: int, lists: list[AddressSet], others: AddressSet) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "_PIECE", piece)
        found, expected = overlap_of(lists, others), counted_one_by_one(lists, others)
    for name in ("entries", "unique", "shared", "addresses", "unique_addresses"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name


def test_lists_that_are_cut_into_pieces_are_counted_as_one() -> None:
    rng = np.random.default_rng(7)
    lists = [AddressSet.of(np.unique(rng.integers(0, 4000, 3000, dtype=np.uint32))) for _ in range(4)]
    lists.append(AddressSet.of(np.array([500, 3000], dtype=np.uint32), np.array([2600, 3900], dtype=np.uint32)))
    whole = overlap_of(lists, AddressSet.none())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlap, "_PIECE", 512)
        cut = overlap_of(lists, AddressSet.none())
    assert whole.shared.tolist() == cut.shared.tolist() == counted_one_by_one(lists, AddressSet.none()).shared.tolist()
    assert whole.unique.tolist() == cut.unique.tolist()


def test_a_network_and_an_address_inside_it_share_one_entry_each() -> None:
    one = AddressSet.of(from_numbers(Family.IPV4, [int(ipaddress.ip_address("192.0.2.7"))]))
    network = ipaddress.ip_network("192.0.2.0/24")
    two = AddressSet.of(
        from_numbers(Family.IPV4, [int(network[0]), int(ipaddress.ip_address("198.51.100.1"))]),
        from_numbers(Family.IPV4, [int(network[-1]), int(ipaddress.ip_address("198.51.100.1"))]),
    )
    found = overlap_of([one, two], AddressSet.none())
    assert found.shared.tolist() == [[1, 1], [1, 2]]
    assert found.unique.tolist() == [0, 1]
    assert found.addresses.tolist() == [1, 257]
    assert found.unique_addresses.tolist() == [0, 256]


def test_as_many_lists_as_the_bits_allow_are_compared_and_no_more() -> None:
    lists = [AddressSet.of(from_numbers(Family.IPV4, [n, 1000])) for n in range(MOST)]
    others = AddressSet.of(from_numbers(Family.IPV4, [5]))
    found = overlap_of(lists, others)
    assert found.unique.tolist() == [int(n != 5) for n in range(MOST)]
    assert (found.shared == 1 + np.eye(MOST, dtype=np.int64)).all()
    with pytest.raises(ValueError, match="at most 63"):
        overlap_of([*lists, others], others)
