"""Decides which sets a change writes whole beside those that rules look into, and which it changes in place. Pure.

While any process listens to nf_tables, in any network namespace of the machine, the kernel keeps 8 KiB for each element of a
commit until its end, outside every cgroup (measured: 800 MB for 100,000). So no commit carries more than `MOST_ELEMENTS`. What
needs more fills a set of another name in many commits; one commit then makes the rules look there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from banlistd.adapters.firewalls.nftables.look import Look
from banlistd.adapters.firewalls.nftables.records import Elements, octets_of
from banlistd.adapters.firewalls.nftables.samples import elements_of
from banlistd.adapters.firewalls.nftables.sets import ALLOWED, APPLIED, SERVICES, SetShape, other_name, shape_of
from banlistd.core.ruleset.diff import Change, MapChange
from banlistd.core.ruleset.state import Kind, MapEntries, MapId, maps_of
from banlistd.model import Family, ServiceEndpoint

MOST_ELEMENTS = 10_000
"""Elements of the kernel in one commit; a range is two. With a listener such a commit takes 90 MB and 15 ms (measured)."""

# Octets of a commit's messages about rules, and about one marker; both are fewer.
_RULES, _MARKER = 32_768, 320


@dataclass(frozen=True, slots=True)
class Limit:
    """What one commit may carry: elements of the kernel, and octets of messages."""

    elements: int
    octets: int


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A set to be written whole, under a name that no rule uses. It contains `elements` or, of services, `answers`."""

    shape: SetShape
    elements: Elements | None = None
    answers: Sequence[ServiceEndpoint] = ()

    def __len__(self) -> int:
        return len(self.answers) if self.elements is None else len(self.elements.first)


@dataclass(frozen=True, slots=True, eq=False)
class Staging:
    """`sets`: what is written beside, by first name. `change`: the rest, which is changed in place. `markers`: there is no
    map of markers, or one of another form.
    """

    sets: Mapping[str, Staged]
    change: Change
    markers: bool

    def names(self, look: Look) -> Mapping[str, str]:
        """The names of the sets that rules look into afterwards, by first name."""
        return {**look.names, **{base: staged.shape.name for base, staged in self.sets.items()}}


@dataclass(frozen=True, slots=True)
class _Price:
    """What it costs to change a set in place, of what a `Limit` bounds."""

    elements: int
    octets: int


MARKERS = SetShape(APPLIED, None, mapped=True, interval=False)


def staging_of(change: Change, look: Look, limit: Limit) -> Staging:
    """A set is written beside where it is missing, has another form or is too small; and those that cost most, until the rest
    fits into one commit.
    """
    wanted = _wanted(change)
    items = {item.map.name: item for item in change.maps}
    beside = {base for base, shape in wanted.items() if _must_be_anew(base, shape, change, items.get(base), look)}
    prices = {base: _price_of(base, change, items.get(base), look) for base in wanted if base not in beside}
    room = limit.octets - _RULES - _MARKER * (len(change.markers) + len(change.retired))
    by_price = sorted(prices, key=lambda base: prices[base].elements)
    while by_price and (
        sum(prices[base].elements for base in by_price) > limit.elements
        or sum(prices[base].octets for base in by_price) > max(room, 0)
    ):
        beside.add(by_price.pop())
    beside |= {*_partners(beside, items)}
    sets = {base: _staged(base, shape, change, items.get(base), look) for base, shape in wanted.items() if base in beside}
    present = look.sets.get(APPLIED)
    return Staging(
        sets,
        replace(change, maps=tuple(item for item in change.maps if item.map.name not in sets)),
        markers=present is None or not present.fits(MARKERS, 0),
    )


def distrusting(change: Change, maps: frozenset[MapId]) -> Change:
    """The change where the content of these maps is not what it should be."""

    def anew(item: MapChange) -> MapChange:
        return replace(item, add=item.whole, remove=MapEntries.none(item.map.family), replace=True)

    return replace(change, maps=tuple(anew(item) if item.map in maps else item for item in change.maps))


def parts_of(elements: Elements, limit: Limit) -> Iterator[Elements]:
    """Elements in pieces that fit into one commit each."""
    count = len(elements.first)
    each = max(1, octets_of(elements) // max(count, 1))
    most = max(1, min(limit.elements // _weight(elements), limit.octets // each))
    for start in range(0, count, most):
        part = slice(start, start + most)
        yield Elements(
            elements.family,
            elements.first[part],
            None if elements.last is None else elements.last[part],
            None if elements.mark is None else elements.mark[part],
        )


def _wanted(change: Change) -> Mapping[str, SetShape]:
    """The sets that rules look into, by first name, as large as this change asks for."""
    wanted = {map_id.name: shape_of(map_id, 0) for map_id in maps_of(change.sources)}
    wanted |= {item.map.name: shape_of(item.map, len(item.whole)) for item in change.maps}
    wanted |= {name: SetShape(name, family, mapped=False, interval=True) for family, name in ALLOWED.items()}
    return wanted | {
        name: SetShape(name, family, mapped=False, interval=False, services=True) for family, name in SERVICES.items()
    }


def _must_be_anew(base: str, shape: SetShape, change: Change, item: MapChange | None, look: Look) -> bool:
    present = look.sets.get(look.names.get(base, ""))
    if present is None:
        return True
    if item is None and not change.reshape:
        return False
    return not present.fits(shape, len(item.whole) if item else 0) or (present.count is None and _is_whole(base, change, item))


def _is_whole(base: str, change: Change, item: MapChange | None) -> bool:
    """Whether the set would be emptied first."""
    if base in ALLOWED.values():
        return change.allowed is not None
    if base in SERVICES.values():
        return change.answers is not None
    return change.replace or (item is not None and item.replace)


def _price_of(base: str, change: Change, item: MapChange | None, look: Look) -> _Price:
    """To empty a set costs as much for each element as to fill it (measured: 8 KiB each)."""
    emptied = look.sets[look.names[base]].count or 0 if _is_whole(base, change, item) else 0
    if item is not None:
        added, removed = (elements_of(item.map, entries) for entries in (item.add, item.remove))
        weight = _weight(added)
        octets = octets_of(added) + octets_of(removed)
        return _Price(weight * (len(item.add) + len(item.remove) + emptied), octets)
    written = _staged(base, SetShape(base, None, mapped=False, interval=False), change, None, look)
    if written.elements is None:
        return _Price(len(written) + emptied, _MARKER * len(written))
    return _Price(_weight(written.elements) * (len(written) + emptied), octets_of(written.elements))


def _weight(elements: Elements) -> int:
    return 1 if elements.last is None else 2


def _partners(beside: set[str], items: Mapping[str, MapChange]) -> Iterator[str]:
    """Of hosts and networks of one hook and family, the other, if it changes too: an address may move between them, and no
    packet may find it in neither.
    """
    for item in items.values():
        other = replace(item.map, kind=Kind.NETS if item.map.kind is Kind.HOSTS else Kind.HOSTS).name
        if other in beside and other in items and (len(item.add) or len(item.remove)):
            yield item.map.name


def _staged(base: str, shape: SetShape, change: Change, item: MapChange | None, look: Look) -> Staged:
    shape = replace(shape, name=other_name(base, look.names.get(base), look.sets))
    if item is not None:
        return Staged(shape, elements_of(item.map, item.whole))
    for family, name in ALLOWED.items():
        if name == base:
            ranges = (change.allowed or {}).get(family)
            return Staged(shape, None if ranges is None else Elements(family, ranges.first, ranges.last, None))
    for family, name in SERVICES.items():
        if name == base:
            return Staged(shape, answers=_of_family(change, family))
    return Staged(shape)


def _of_family(change: Change, family: Family) -> Sequence[ServiceEndpoint]:
    return [answer for answer in change.answers or () if answer.family is family]
