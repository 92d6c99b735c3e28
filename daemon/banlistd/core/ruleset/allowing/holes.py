"""What an allowed range takes out of the lists: the entries that it cuts, and how many of their addresses. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from banlistd.core.addresses.arrays import within
from banlistd.core.addresses.comparison import overlapping
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, from_numbers, union_of
from banlistd.core.ruleset.allowing.lists import cut_out_of
from banlistd.core.ruleset.protection import allowed_within, union_by_family, with_forms
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
