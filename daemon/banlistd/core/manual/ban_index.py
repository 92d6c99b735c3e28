"""The manual bans in memory, so arranged that an order costs as much as its own bans, however many there are. No I/O."""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter, lt
from typing import Any

import numpy as np

from banlistd.core.addresses.arrays import distinct, without
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, from_numbers, union_of
from banlistd.model import BanKey, Family, ManualBan, Span
from banlistd.scopes.scope import Scope

BanPlace = tuple[float, Family, int, int, str]
"""The place of a ban in the order of age: its time of creation, then its key."""

_MANY = 256
"""Bans: to sort everything again is quicker than to insert so many one by one."""


def age_of(ban: ManualBan) -> BanPlace:
    return (ban.created_at, *ban.key)


def _end_of(ban: ManualBan) -> tuple[float, BanKey]:
    return ban.ends_at or 0.0, ban.key


def _in_order(
    bans: list[ManualBan], moment: Callable[[ManualBan], float], place: Callable[[ManualBan], Any]
) -> list[ManualBan]:
    """Sorted by a place that begins with a moment. Bans of many moments often are so already, and are not sorted then."""
    moments = list(map(moment, bans))
    return bans if all(map(lt, moments, moments[1:])) else sorted(bans, key=place)


@dataclass(slots=True)
class _Covered:
    """The addresses of bans with one scope: single ones and networks, which may have the same ones."""

    hosts: dict[Family, Addresses] = field(default_factory=lambda: {family: from_numbers(family, []) for family in FAMILIES})
    nets: dict[Family, Ranges] = field(default_factory=lambda: {family: Ranges.none(family) for family in FAMILIES})
    wide: dict[Family, dict[Span, None]] = field(default_factory=lambda: {family: {} for family in FAMILIES})

    def addresses(self) -> AddressSet:
        """As `AddressSet.of` has it."""
        (hosts4, nets4), (hosts6, nets6) = (
            (without(self.hosts[family], self.nets[family].first, self.nets[family].last), self.nets[family])
            for family in FAMILIES
        )
        return AddressSet.of_parts(hosts4, nets4, hosts6, nets6)


class BanIndex:
    """Manual bans by key, origin, age and end, and their addresses as one set for each scope."""

    def __init__(self, bans: Iterable[ManualBan]) -> None:
        self._bans: dict[BanKey, ManualBan] = {}
        self._of_origin: dict[str, dict[BanKey, None]] = {}
        # Nearly every span has one ban: a tuple takes a fifth of the memory of a dictionary.
        self._of_span: dict[Span, tuple[BanKey, ...]] = {}
        self._wide: Mapping[Family, dict[Span, None]] = {family: {} for family in FAMILIES}
        self._scoped: dict[BanKey, ManualBan] = {}
        self._by_age: list[ManualBan] = []
        self._by_end: list[ManualBan] = []
        self._covered: dict[Scope | None, _Covered] = {None: _Covered()}
        self._scopes: Counter[Scope] = Counter()
        self._fill({ban.key: ban for ban in bans})

    def __len__(self) -> int:
        return len(self._bans)

    def get(self, key: BanKey) -> ManualBan | None:
        return self._bans.get(key)

    def count_of(self, origin: str) -> int:
        """How many bans an origin has."""
        return len(self._of_origin.get(origin, ()))

    def keys_of(self, span: Span | None, origin: str | None) -> Sequence[BanKey]:
        """Bans of exactly these addresses or, None, of any; of this origin or, None, of every one."""
        if span is not None:
            return [key for key in self._of_span.get(span, ()) if origin in (None, key[3])]
        return list(self._bans if origin is None else self._of_origin.get(origin, ()))

    def containing(self, family: Family, number: int) -> Sequence[ManualBan]:
        """The bans that an address is in, oldest first."""
        spans = [span for span in self._wide[family] if span[1] <= number <= span[2]]
        keys = [key for span in ((family, number, number), *spans) for key in self._of_span.get(span, ())]
        return sorted((self._bans[key] for key in keys), key=age_of)

    def oldest_first(self) -> Sequence[ManualBan]:
        return tuple(self._by_age)

    def newest_first(self, before: BanPlace | None, limit: int, now: float) -> Sequence[ManualBan]:
        """At most so many bans in force, from the newest on, or from the one before a place."""
        at = len(self._by_age) if before is None else bisect_left(self._by_age, before, key=age_of)
        found: list[ManualBan] = []
        while at > 0 and len(found) < limit:
            at -= 1
            if self._by_age[at].in_force(now):
                found.append(self._by_age[at])
        return found

    def ended(self, now: float) -> Sequence[ManualBan]:
        """The bans that have run out."""
        return self._by_end[: bisect_right(self._by_end, now, key=lambda ban: ban.ends_at or 0.0)]

    def next_end(self) -> float | None:
        """When a ban runs out next."""
        return self._by_end[0].ends_at if self._by_end else None

    def addresses(self) -> AddressSet:
        """What the bans of all packets cover, as `AddressSet.of` has it."""
        return self._covered[None].addresses()

    def scoped(self) -> Mapping[BanKey, ManualBan]:
        """The bans of some packets."""
        return self._scoped

    def scopes(self) -> Mapping[Scope, int]:
        """How many bans each scope has."""
        return self._scopes

    def scoped_addresses(self) -> Mapping[Scope, AddressSet]:
        """What the bans of each scope cover."""
        return {scope: self._covered[scope].addresses() for scope in self._scopes}

    def change(self, come: Iterable[ManualBan], go: Iterable[BanKey]) -> None:
        """Take bans in, in place of those with the same key, and others out."""
        bans = {ban.key: ban for ban in come}
        left = [self._bans[key] for key in {**dict.fromkeys(go), **bans} if key in self._bans]
        touched: dict[Scope | None, dict[Span, None]] = {}
        for ban in (*left, *bans.values()):
            touched.setdefault(ban.scope, {})[ban.span] = None
        before = {scope: {span for span in spans if self._covers(span, scope)} for scope, spans in touched.items()}
        self._rearrange(left, list(bans.values()))
        for ban in left:
            self._take_out(ban)
        for ban in bans.values():
            self._take_in(ban)
        for scope, spans in touched.items():
            after = {span for span in spans if self._covers(span, scope)}
            self._cover(scope, [*(after - before[scope])], [*(before[scope] - after)])

    def changed(self, come: Iterable[ManualBan], go: Iterable[BanKey]) -> "BanIndex":
        """What `change` makes of it, as another index: for many bans, in a thread."""
        gone = set(go)
        kept = (ban for key, ban in self._bans.items() if key not in gone)
        return BanIndex((*kept, *come))

    def _fill(self, bans: dict[BanKey, ManualBan]) -> None:
        """What `change` makes of an empty index; a start with 100,000 bans waits for it."""
        self._bans = bans
        for key, ban in bans.items():
            self._of_origin.setdefault(ban.origin, {})[key] = None
            span = ban.span
            self._of_span[span] = (*self._of_span[span], key) if span in self._of_span else (key,)
            if ban.first != ban.last:
                self._wide[ban.family][span] = None
            if ban.scope is not None:
                self._scoped[key] = ban
                self._scopes[ban.scope] += 1
        self._by_age = _in_order(list(bans.values()), attrgetter("created_at"), age_of)
        self._by_end = _in_order([ban for ban in self._by_age if ban.ends_at is not None], attrgetter("ends_at"), _end_of)
        if not self._scoped:
            self._cover(None, list(self._of_span), [])
            return
        covered: dict[Scope | None, dict[Span, None]] = {}
        for ban in bans.values():
            covered.setdefault(ban.scope, {})[ban.span] = None
        for scope, spans in covered.items():
            self._cover(scope, list(spans), [])

    def _covers(self, span: Span, scope: Scope | None) -> bool:
        """Whether a ban of exactly these addresses has this scope; None: it is of all packets."""
        return any(self._bans[key].scope == scope for key in self._of_span.get(span, ()))

    def _take_out(self, ban: ManualBan) -> None:
        key, span = ban.key, ban.span
        del self._bans[key]
        if ban.scope is not None:
            del self._scoped[key]
            self._scopes[ban.scope] -= 1
            if not self._scopes[ban.scope]:
                del self._scopes[ban.scope]
        del self._of_origin[ban.origin][key]
        if not self._of_origin[ban.origin]:
            del self._of_origin[ban.origin]
        self._of_span[span] = tuple(other for other in self._of_span[span] if other != key)
        if not self._of_span[span]:
            del self._of_span[span]
        if ban.first != ban.last and span not in self._of_span:
            del self._wide[ban.family][span]

    def _take_in(self, ban: ManualBan) -> None:
        key, span = ban.key, ban.span
        self._bans[key] = ban
        if ban.scope is not None:
            self._scoped[key] = ban
            self._scopes[ban.scope] += 1
        self._of_origin.setdefault(ban.origin, {})[key] = None
        self._of_span[span] = (*self._of_span.get(span, ()), key)
        if ban.first != ban.last:
            self._wide[ban.family][span] = None

    def _rearrange(self, left: Sequence[ManualBan], come: Sequence[ManualBan]) -> None:
        """The lists by age and by end. The bans that leave are still known."""
        if len(left) + len(come) > _MANY:
            gone = {ban.key for ban in left}
            self._by_age = sorted([*(ban for ban in self._by_age if ban.key not in gone), *come], key=age_of)
            self._by_end = sorted((ban for ban in self._by_age if ban.ends_at is not None), key=_end_of)
            return
        for ban in left:
            del self._by_age[bisect_left(self._by_age, age_of(ban), key=age_of)]
            if ban.ends_at is not None:
                del self._by_end[bisect_left(self._by_end, _end_of(ban), key=_end_of)]
        for ban in come:
            insort(self._by_age, ban, key=age_of)
            if ban.ends_at is not None:
                insort(self._by_end, ban, key=_end_of)

    def _cover(self, scope: Scope | None, new: Sequence[Span], gone: Sequence[Span]) -> None:
        """The addresses of a scope once `new` is banned so and `gone` is not."""
        if scope is not None and scope not in self._scopes:
            self._covered.pop(scope, None)
            return
        covered = self._covered.setdefault(scope, _Covered())
        for family in FAMILIES:
            mine, others = ([span for span in spans if span[0] is family] for spans in (new, gone))
            come, go = (
                distinct(from_numbers(family, [first for _, first, last in spans if first == last])) for spans in (mine, others)
            )
            hosts = covered.hosts[family]
            if len(go):
                hosts = np.delete(hosts, hosts.searchsorted(go))
            if len(come):
                hosts = np.insert(hosts, hosts.searchsorted(come), come)
            covered.hosts[family] = hosts
            wide = covered.wide[family]
            for span in others:
                wide.pop(span, None)
            wide.update((span, None) for span in mine if span[1] != span[2])
            if any(first != last for _, first, last in (*mine, *others)):
                firsts = from_numbers(family, [first for _, first, _ in wide])
                lasts = from_numbers(family, [last for _, _, last in wide])
                covered.nets[family] = union_of(family, firsts, lasts)
