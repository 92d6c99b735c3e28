"""The difference between present and desired state: a Change that a person can read and a backend can carry out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, Ranges
from banlistd.core.addresses.text import range_text
from banlistd.core.printing import counted
from banlistd.core.ruleset.state import SOUND, FirewallState, MapEntries, MapId, Verification, scopes_of_hooks
from banlistd.model import Family, Mark, Marker, ServiceEndpoint, SourceId, SourceSlot


@dataclass(frozen=True, slots=True, eq=False)
class MapChange:
    """One map: `remove` goes, `add` comes; the result is `whole`.

    `replace`: its content is not known, so empty it first; then `add` is `whole`.
    """

    map: MapId
    whole: MapEntries
    add: MapEntries
    remove: MapEntries
    replace: bool


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One transaction, as a value. `reshape`: tables, chains and rules are to be written for `sources`.

    `allowed`: the networks that pass before any ban, or None where they stay as they are; `answers`: what passes from banned
    addresses, likewise. `markers` are written, markers of the marks in `retired` are removed. `replace`: the present state is
    unknown; start from nothing.
    """

    sources: tuple[SourceSlot, ...]
    reshape: bool
    replace: bool
    maps: tuple[MapChange, ...]
    allowed: Mapping[Family, Ranges] | None
    markers: tuple[Marker, ...]
    retired: tuple[Mark, ...]
    answers: tuple[ServiceEndpoint, ...] | None = None

    @classmethod
    def nothing(cls) -> Self:
        return cls((), reshape=False, replace=False, maps=(), allowed=None, markers=(), retired=())

    @property
    def is_empty(self) -> bool:
        passes = self.allowed is not None or self.answers is not None
        return not (self.reshape or self.maps or passes or self.markers or self.retired)

    @property
    def added(self) -> int:
        return sum(len(change.add) for change in self.maps)

    @property
    def removed(self) -> int:
        return sum(len(change.remove) for change in self.maps)

    def without_wholes(self) -> "Change":
        """What came and went, without what is there then: of 3.3M entries that is 20 MB."""
        return replace(self, maps=tuple(replace(item, whole=MapEntries.none(item.map.family)) for item in self.maps))

    def counts(self) -> Mapping[SourceId, tuple[int, int]]:
        """Elements added and removed, by source."""
        size = 1 + max((int(owner.mark) for owner in self.sources), default=0)
        added, removed = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        for change in self.maps:
            added += np.bincount(change.add.mark, minlength=size)[:size]
            removed += np.bincount(change.remove.mark[change.remove.mark < size], minlength=size)[:size]
        come, go = added.tolist(), removed.tolist()  # an element of an array takes ten times as long as one of a list
        return {owner.source_id: (come[owner.mark], go[owner.mark]) for owner in self.sources}

    def describe(self, limit: int = 10) -> list[str]:
        """The change for a person: what would be banned and let pass from now on, up to `limit` elements of each map."""
        lines = ["write tables, chains and rules"] if self.reshape else []
        for change in self.maps:
            if change.add or change.remove:
                total = counted(len(change.whole), "element", "elements")
                lines.append(f"{change.map.name}: {len(change.add):,} added, {len(change.remove):,} removed, {total} then")
                lines += _sample("+", change.add, limit) + _sample("-", change.remove, limit)
        allowed = sum(len(ranges) for ranges in (self.allowed or {}).values())
        if allowed:
            lines.append(f"let pass {counted(allowed, 'allowed range', 'allowed ranges')}")
        if self.answers:
            lines.append(f"let pass the answers of {counted(len(self.answers), 'service', 'services')} at banned addresses")
        return lines


def _sample(sign: str, map_entries: MapEntries, limit: int) -> list[str]:
    lines = []
    for first, last in zip(map_entries.first[:limit], map_entries.last[:limit], strict=True):
        lines.append(f"  {sign} {range_text(map_entries.family, first, last)}")
    return lines if len(map_entries) <= limit else [*lines, f"  {sign} ... and {len(map_entries) - limit} more"]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """From one state of a map to another: `remove` goes, `add` comes."""

    add: MapEntries
    remove: MapEntries

    @classmethod
    def none(cls, family: Family) -> Self:
        return cls(MapEntries.none(family), MapEntries.none(family))

    def __len__(self) -> int:
        return len(self.add) + len(self.remove)


def difference(
    present: FirewallState | None,
    desired: FirewallState,
    verdict: Verification = SOUND,
    moves: Mapping[MapId, Move] | None = None,
) -> Change:
    """The Change from the present to the desired state. `present` None: unknown, so all is written anew.

    `moves`: those from `present` to `desired` where they are known already (`revision`); maps that it does not name are alike.
    """
    if present is None:
        return Change(
            desired.sources,
            reshape=True,
            replace=True,
            maps=_all_anew(desired),
            allowed=desired.allowed,
            markers=desired.markers,
            retired=(),
            answers=desired.answers,
        )
    maps = []
    # Maps that are for other packets now are written whole: no transaction leaves elements of one scope in another one.
    after = scopes_of_hooks(desired.sources)
    other = {hook for hook, scope in scopes_of_hooks(present.sources).items() if after.get(hook, scope) != scope}
    for map_id, wanted in desired.map_entries.items():
        current = present.map_entries.get(map_id)
        if current is None or map_id in verdict.maps or map_id.hook in other:
            maps.append(MapChange(map_id, wanted, wanted, MapEntries.none(map_id.family), replace=True))
            continue
        move = move_between(current, wanted) if moves is None else moves.get(map_id, Move.none(map_id.family))
        if len(move):
            maps.append(MapChange(map_id, wanted, move.add, move.remove, replace=False))
    same_allowed = all(present.allowed[family] == desired.allowed[family] for family in FAMILIES)
    there = {marker.mark: marker for marker in present.markers}
    kept_marks = {marker.mark for marker in desired.markers}
    return Change(
        desired.sources,
        reshape=verdict.structure or present.sources != desired.sources,
        replace=False,
        maps=tuple(maps),
        allowed=None if same_allowed and not verdict.structure else desired.allowed,
        markers=tuple(marker for marker in desired.markers if not _is_there(marker, there)),
        retired=tuple(marker.mark for marker in present.markers if marker.mark not in kept_marks),
        answers=None if present.answers == desired.answers and not verdict.structure else desired.answers,
    )


def _is_there(marker: Marker, there: Mapping[Mark, Marker]) -> bool:
    """The very same object in most cases: then nothing is compared."""
    present = there.get(marker.mark)
    return present is marker or present == marker


def _all_anew(desired: FirewallState) -> tuple[MapChange, ...]:
    return tuple(
        MapChange(map_id, wanted, wanted, MapEntries.none(map_id.family), replace=True)
        for map_id, wanted in desired.map_entries.items()
    )


def move_between(current: MapEntries, wanted: MapEntries) -> Move:
    """Elements of `wanted` alone are added, elements of `current` alone are removed."""
    if current is wanted:
        return Move.none(current.family)
    if np.array_equal(current.first, wanted.first) and np.array_equal(current.last, wanted.last):
        other = current.mark != wanted.mark
        return Move(wanted.where(other), current.where(other))
    if not len(wanted) or not len(current):
        return Move(wanted, current)
    at = np.minimum(np.searchsorted(wanted.first, current.first), len(wanted) - 1)
    stays = (wanted.first[at] == current.first) & (wanted.last[at] == current.last) & (wanted.mark[at] == current.mark)
    is_new = np.ones(len(wanted), dtype=np.bool_)
    is_new[at[stays]] = False
    return Move(wanted.where(is_new), current.where(~stays))
