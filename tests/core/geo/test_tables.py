"""Tables of ranges held against dictionaries of single addresses."""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from banlistd.core.addresses.sets import FAMILIES, WIDTHS, AddressSet, Ranges, from_numbers, to_number, union_of
from banlistd.core.geo.tables import (
    GeoTable,
    Layer,
    country_of,
    layer_of,
    located_in,
    number_of,
    stacked,
    table_of_entries,
    tally,
)
from banlistd.core.geo.types import By, GeoEntry, Located, Origin
from banlistd.model import Family

Labels = Mapping[int, int]
"""Code by address."""

# Ends of the space, and the place of the 128-bit carry.
_EDGES = {Family.IPV4: (0, 2**32 - 20), Family.IPV6: (0, 2**64 - 10, 2**128 - 20)}


@st.composite
def labels_of(draw: st.DrawFn, family: Family) -> Labels:
    edges = draw(st.lists(st.sampled_from(_EDGES[family]), min_size=1, unique=True))
    codes = st.lists(st.integers(0, 3), min_size=20, max_size=20)
    return {edge + step: code for edge in edges for step, code in enumerate(draw(codes)) if code}


@st.composite
def bans_of(draw: st.DrawFn, family: Family) -> Ranges:
    starts = draw(st.lists(st.tuples(st.sampled_from(_EDGES[family]), st.integers(0, 19), st.integers(0, 6)), max_size=8))
    top = 2 ** WIDTHS[family] - 1
    spans = [(edge + step, min(edge + step + more, top)) for edge, step, more in starts]
    return union_of(family, from_numbers(family, [one[0] for one in spans]), from_numbers(family, [one[1] for one in spans]))


def layer(family: Family, labels: Labels, width: int = 1) -> Layer:
    """Of ranges that are cut into pieces, in no order."""
    addresses = sorted(labels, key=lambda address: hash((address, width)))
    single = from_numbers(family, addresses)
    return layer_of(family, single, single, np.array([labels[address] for address in addresses], dtype=np.uint32))


def table(family: Family, labels: Labels, names: Mapping[int, str] | None = None) -> GeoTable:
    return GeoTable({one: layer(family, labels) if one is family else Layer.none(one) for one in FAMILIES}, names or {})


def members(ranges: Ranges) -> list[int]:
    pairs = zip(ranges.first, ranges.last, strict=True)
    return [number for first, last in pairs for number in range(to_number(first), to_number(last) + 1)]


any_family = st.sampled_from(FAMILIES)
labelled = any_family.flatmap(lambda family: st.tuples(st.just(family), labels_of(family), labels_of(family)))
banned = any_family.flatmap(lambda family: st.tuples(st.just(family), labels_of(family), bans_of(family)))


@given(labelled)
def test_a_layer_knows_each_address_and_joins_neighbours(case: tuple[Family, Labels, Labels]) -> None:
    family, labels, other = case
    asked = sorted({*labels, *other, 0, 2 ** WIDTHS[family] - 1})
    made = layer(family, labels)
    assert list(made.codes_of(from_numbers(family, asked))) == [labels.get(address, 0) for address in asked]
    runs = [code for code, _ in itertools.groupby(sorted(labels), key=lambda at: (labels[at], at - sorted(labels).index(at)))]
    assert len(made) == len(runs)


@given(labelled)
def test_of_two_databases_the_first_is_believed(case: tuple[Family, Labels, Labels]) -> None:
    family, upper, lower = case
    both = stacked([table(family, upper), table(family, lower)]).layers[family]
    asked = sorted({*upper, *lower})
    assert list(both.codes_of(from_numbers(family, asked))) == [upper.get(at, lower.get(at)) for at in asked]


@given(banned, st.sets(st.integers(1, 3)))
def test_selection_has_exactly_the_addresses_of_its_codes(case: tuple[Family, Labels, Ranges], codes: set[int]) -> None:
    family, labels, _ = case
    chosen = table(family, labels).select(codes)
    assert members(chosen.ranges(family)) == sorted(address for address, code in labels.items() if code in codes)


@given(banned)
def test_bans_are_counted_as_one_would_by_hand(case: tuple[Family, Labels, Ranges]) -> None:
    family, labels, bans = case
    counts: Counter[int] = Counter()
    addresses: Counter[int] = Counter()
    for first, last in zip(bans.first, bans.last, strict=True):
        mine = [labels.get(number, 0) for number in range(to_number(first), to_number(last) + 1)]
        counts.update(set(mine))
        addresses.update(mine if family is Family.IPV4 else [])
    found = tally(table(family, labels), [(family, bans.first, bans.last)])
    assert {one.code: (one.bans, one.addresses) for one in found} == {
        code: (number, addresses[code]) for code, number in counts.items()
    }


@given(labelled)
def test_the_range_around_an_address_is_all_of_one_kind(case: tuple[Family, Labels, Labels]) -> None:
    family, labels, other = case
    made = layer(family, {at: number_of("NO") + code for at, code in labels.items()})
    asked = sorted({*labels, *other})
    for address, located in zip(asked, located_in(made, asked), strict=True):
        assert located.first <= address <= located.last
        known = {at for at in labels if located.first <= at <= located.last}
        if located.origin.country:
            assert known == set(range(located.first, located.last + 1))
            assert {labels[at] for at in known} == {labels[address]}
        else:
            assert not known


def test_nothing_is_counted_where_nothing_is_banned() -> None:
    assert not tally(GeoTable.none(), [])


def test_empty_table_knows_no_address() -> None:
    assert GeoTable.none().is_empty
    assert not tally(GeoTable.none(), [])
    hosts = from_numbers(Family.IPV4, [1, 2])
    (unknown,) = tally(GeoTable.none(), [(Family.IPV4, hosts, hosts)])
    assert (unknown.code, unknown.bans, unknown.addresses) == (0, 2, 2)
    assert GeoTable.none().select([1]) == AddressSet.none()


@pytest.mark.parametrize("country", ["NO", "AA", "ZW"])
def test_country_and_number_map_to_each_other(country: str) -> None:
    assert country_of(number_of(country)) == country


def test_cache_can_be_read_as_a_table() -> None:
    origin = Origin("NO", "Norway", 64496, "Example Network")
    entries = [GeoEntry(Family.IPV4, 1, 9, origin, 0.0), GeoEntry(Family.IPV6, 5, 5, Origin("SE"), 0.0)]
    countries, operators = table_of_entries(entries, By.COUNTRY), table_of_entries(entries, By.ASN)
    assert members(countries.select([number_of("NO")]).nets4) == list(range(1, 10))
    assert members(countries.select([number_of("SE")]).ranges(Family.IPV6)) == [5]
    assert operators.names == {64496: "Example Network"}
    assert not len(operators.layers[Family.IPV6])


def located(layer_: Layer, *addresses: int) -> Sequence[Located]:
    return located_in(layer_, addresses)


def test_a_layer_of_nothing_is_one_gap() -> None:
    (gap,) = located(Layer.none(Family.IPV4), 7)
    assert (gap.first, gap.last, gap.origin) == (0, 2**32 - 1, Origin())
