"""What an allowed range takes out of the lists: the entries that it cuts, and how many of their addresses. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from banlistd.core.addresses.arrays import within
from banlistd.core.addresses.comparison import overlapping
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, from_numbers, no_addresses, union_of
from banlistd.core.ruleset.allowing.lists import cut_out_of
from banlistd.core.ruleset.protection import allowed_within, every_embedded, union_by_family, with_forms
from banlistd.model import Family, SourceId, Span


@dataclass(frozen=True, slots=True, eq=False)
class Hole:
    """What of one source is not banned, because it is allowed. `cut`: the entries of the list that have any of it, whole.

    `addresses`: how many of the list's addresses are allowed, of each family.
    """

    source_id: SourceId
    cut: AddressSet
    addresses: Mapping[Family, int]


def holes_in(contents: Mapping[SourceId, AddressSet], allowed: Mapping[Family, Ranges]) -> Iterator[Hole]:
    """A hole for each content that has any of what is allowed, in every form of an address."""
    passing = with_forms(allowed)
    for source_id, content in contents.items():
        also = {Family.IPV4: Ranges.none(Family.IPV4), Family.IPV6: allowed_within(content, allowed)}
        free = union_by_family({family: cut_out_of(content, passing[family]) for family in FAMILIES}, also)
        if any(len(ranges) for ranges in free.values()):
            yield Hole(source_id, _entries_with(content, free), {family: free[family].count() for family in FAMILIES})


def holes_of_each(contents: Mapping[SourceId, AddressSet], spans: Sequence[Span]) -> Iterator[tuple[int, Hole]]:
    """What `holes_in` finds of each of many allowed ranges, with its place among them: by range, then by content.

    Only what a range touches is looked at, so 5,000 of them cost little more than one look at the lists.
    """
    rows = _Rows(spans)
    found: dict[int, list[Hole]] = {}
    for source_id, content in contents.items():
        for place, hole in rows.holes_in(source_id, content):
            found.setdefault(place, []).append(hole)
    for place in sorted(found):
        yield from ((place, hole) for hole in found[place])


class _Rows:
    """Allowed ranges as arrays, with the IPv6 forms of those of IPv4. `_places`: of each row, whose form it is."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        places = {family: [place for place, span in enumerate(spans) if span[0] is family] for family in FAMILIES}
        ends = {
            family: (
                from_numbers(family, [spans[place][1] for place in places[family]]),
                from_numbers(family, [spans[place][2] for place in places[family]]),
            )
            for family in FAMILIES
        }
        self._v4 = Ranges(Family.IPV4, *ends[Family.IPV4])  # neither sorted nor merged
        forms = [*every_embedded(self._v4), ends[Family.IPV6]]
        self._first6, self._last6 = (np.concatenate([form[end] for form in forms]) for end in (0, 1))
        self._places4 = np.array(places[Family.IPV4], dtype=np.int64)
        of_forms = [self._places4] * (len(forms) - 1)
        self._places6 = np.concatenate([*of_forms, np.array(places[Family.IPV6], dtype=np.int64)])

    def holes_in(self, source_id: SourceId, content: AddressSet) -> Iterator[tuple[int, Hole]]:
        rows6 = np.flatnonzero(overlapping(content, Family.IPV6, self._first6, self._last6))
        also = {*self._within(content, np.arange(len(self._v4)))}
        touched6 = {*self._places6[rows6].tolist()}
        yield from self._of_ipv4(source_id, content, touched6 | also)
        near = _near(content, self._first6[rows6], self._last6[rows6]) if touched6 - also else content
        for place in touched6 | also:
            known = content if place in also else near
            yield from ((place, hole) for hole in holes_in({source_id: known}, ranges_of_spans([self._spans[place]])))

    def _of_ipv4(self, source_id: SourceId, content: AddressSet, others: set[int]) -> Iterator[tuple[int, Hole]]:
        """Of ranges that touch a list in IPv4 only, as nearly all do: their entries are neighbours."""
        hosts, nets, first, last = content.hosts4, content.nets4, self._v4.first, self._v4.last
        bounds = np.stack(
            [
                hosts.searchsorted(first, side="left"),
                hosts.searchsorted(last, side="right"),
                nets.last.searchsorted(first, side="left"),
                nets.first.searchsorted(last, side="right"),
            ]
        )
        touches = np.flatnonzero((bounds[1] > bounds[0]) | (bounds[3] > bounds[2]))
        for row, place, (low, high, begin, end) in zip(
            touches.tolist(), self._places4[touches].tolist(), bounds[:, touches].T.tolist(), strict=True
        ):
            if place in others:
                continue
            cut = Ranges(Family.IPV4, nets.first[begin:end], nets.last[begin:end])
            free = Ranges(Family.IPV4, np.maximum(cut.first, first[row]), np.minimum(cut.last, last[row]))
            entries = AddressSet(hosts[low:high], cut, no_addresses(Family.IPV6), Ranges.none(Family.IPV6))
            yield place, Hole(source_id, entries, {Family.IPV4: high - low + free.count(), Family.IPV6: 0})

    def _within(self, content: AddressSet, rows: Addresses) -> Iterator[int]:
        """The places of IPv4 ranges of which a list has Teredo or ISATAP addresses: groups without any are passed over."""
        merged = union_of(Family.IPV4, self._v4.first[rows], self._v4.last[rows])
        free = {Family.IPV4: Ranges.none(Family.IPV4), Family.IPV6: Ranges.none(Family.IPV6)}
        free[Family.IPV6] = allowed_within(content, {**free, Family.IPV4: merged})
        if not len(free[Family.IPV6]):
            return
        if len(rows) == 1:
            yield int(self._places4[rows[0]])
            return
        fewer = _entries_with(content, free)
        for half in np.array_split(rows, 2):
            yield from self._within(fewer, half)


def _near(content: AddressSet, first: Addresses, last: Addresses) -> AddressSet:
    """The entries of a list that IPv6 ranges touch, and all of IPv4."""
    merged = union_of(Family.IPV6, first, last)
    hosts, nets = _of_family(
        content, AddressSet.of_ranges({Family.IPV4: Ranges.none(Family.IPV4), Family.IPV6: merged}), Family.IPV6
    )
    return AddressSet(content.hosts4, content.nets4, hosts, nets)


def _entries_with(content: AddressSet, free: Mapping[Family, Ranges]) -> AddressSet:
    """The entries that have any of the ranges."""
    some = AddressSet.of_ranges(free)
    (hosts4, nets4), (hosts6, nets6) = (_of_family(content, some, family) for family in FAMILIES)
    return AddressSet(hosts4, nets4, hosts6, nets6)


def _of_family(content: AddressSet, some: AddressSet, family: Family) -> tuple[Addresses, Ranges]:
    ranges, nets = some.nets(family), content.nets(family)
    has = overlapping(some, family, nets.first, nets.last)
    hosts = within(content.hosts(family), ranges.first, ranges.last)
    return hosts, Ranges(family, nets.first[has], nets.last[has])


def ranges_of_spans(spans: Iterable[Span]) -> Mapping[Family, Ranges]:
    """Addresses of both families, merged."""
    known = list(spans)
    found = {}
    for family in FAMILIES:
        mine = [(first, last) for kind, first, last in known if kind is family]
        first, last = (from_numbers(family, [ends[at] for ends in mine]) for at in (0, 1))
        found[family] = union_of(family, first, last)
    return found
