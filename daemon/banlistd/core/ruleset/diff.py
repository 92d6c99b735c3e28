"""From what stands to what shall stand: a Change, which a person can read and a backend can carry out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, Ranges, to_text
from banlistd.core.ruleset.state import SOUND, Holding, MapId, Owned, Verdict
from banlistd.model import Family, Mark, Marker, Owner, SourceId


@dataclass(frozen=True, slots=True, eq=False)
class MapChange:
    """One map: `remove` goes, `add` comes, and then it holds `whole`.

    `replace`: what it held is not known, so empty it first; then `add` is `whole`.
    """

    map: MapId
    whole: Owned
    add: Owned
    remove: Owned
    replace: bool


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One transaction, as a value. `reshape`: tables, chains and rules are to be written for `roster`.

    `allowed`: the networks that pass before any ban, or None where they stay as they are. `markers` are written,
    markers of the marks in `retired` are removed. `replace`: nothing is known of what stands; start from nothing.
    """

    roster: tuple[Owner, ...]
    reshape: bool
    replace: bool
    maps: tuple[MapChange, ...]
    allowed: Mapping[Family, Ranges] | None
    markers: tuple[Marker, ...]
    retired: tuple[Mark, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.reshape or self.maps or self.allowed is not None or self.markers or self.retired)

    @property
    def added(self) -> int:
        return sum(len(change.add) for change in self.maps)

    @property
    def removed(self) -> int:
        return sum(len(change.remove) for change in self.maps)

    def counts(self) -> Mapping[SourceId, tuple[int, int]]:
        """Elements added and removed, by source."""
        size = 1 + max((int(owner.mark) for owner in self.roster), default=0)
        added, removed = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        for change in self.maps:
            added += np.bincount(change.add.mark, minlength=size)[:size]
            removed += np.bincount(change.remove.mark[change.remove.mark < size], minlength=size)[:size]
        return {owner.source_id: (int(added[owner.mark]), int(removed[owner.mark])) for owner in self.roster}

    def describe(self, most: int = 10) -> list[str]:
        """The change for a person: a line for each kind of thing that would happen."""
        lines = ["write tables, chains and rules"] if self.reshape else []
        lines += [f"forget the source with mark {mark}" for mark in self.retired]
        for change in self.maps:
            verb = "replace all of" if change.replace else "change"
            lines.append(f"{verb} {change.map.name}: +{len(change.add)} -{len(change.remove)}, then {len(change.whole)}")
            lines += _sample("+", change.add, most) + _sample("-", change.remove, most)
        if self.allowed is not None:
            lines.append(f"let pass {sum(len(ranges) for ranges in self.allowed.values())} allowed ranges")
        lines += [f"mark {marker.source_id} as {marker.content_hash[:12]}" for marker in self.markers]
        return lines


def _sample(sign: str, owned: Owned, most: int) -> list[str]:
    lines = []
    for first, last in zip(owned.first[:most], owned.last[:most], strict=True):
        text = to_text(owned.family, first)
        lines.append(f"  {sign} {text}" if first == last else f"  {sign} {text} - {to_text(owned.family, last)}")
    return lines if len(owned) <= most else [*lines, f"  {sign} ... and {len(owned) - most} more"]


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """From one state of a map to another: `remove` goes, `add` comes."""

    add: Owned
    remove: Owned

    @classmethod
    def none(cls, family: Family) -> Self:
        return cls(Owned.none(family), Owned.none(family))

    def __len__(self) -> int:
        return len(self.add) + len(self.remove)


def difference(
    present: Holding | None, desired: Holding, verdict: Verdict = SOUND, moves: Mapping[MapId, Move] | None = None
) -> Change:
    """The Change from what stands to what shall stand. `present` None: unknown, so all is written anew.

    `moves`: those from `present` to `desired` where they are known already (`revision`); maps that it does not name are alike.
    """
    if present is None:
        return Change(
            desired.roster,
            reshape=True,
            replace=True,
            maps=_all_anew(desired),
            allowed=desired.allowed,
            markers=desired.markers,
            retired=(),
        )
    maps = []
    for map_id, wanted in desired.owned.items():
        held = present.owned.get(map_id)
        if held is None or map_id in verdict.maps:
            maps.append(MapChange(map_id, wanted, wanted, Owned.none(map_id.family), replace=True))
            continue
        move = move_between(held, wanted) if moves is None else moves.get(map_id, Move.none(map_id.family))
        if len(move):
            maps.append(MapChange(map_id, wanted, move.add, move.remove, replace=False))
    same_allowed = all(present.allowed[family] == desired.allowed[family] for family in FAMILIES)
    known = set(present.markers)
    kept_marks = {marker.mark for marker in desired.markers}
    return Change(
        desired.roster,
        reshape=verdict.structure or present.roster != desired.roster,
        replace=False,
        maps=tuple(maps),
        allowed=None if same_allowed and not verdict.structure else desired.allowed,
        markers=tuple(marker for marker in desired.markers if marker not in known),
        retired=tuple(marker.mark for marker in present.markers if marker.mark not in kept_marks),
    )


def _all_anew(desired: Holding) -> tuple[MapChange, ...]:
    return tuple(
        MapChange(map_id, wanted, wanted, Owned.none(map_id.family), replace=True) for map_id, wanted in desired.owned.items()
    )


def move_between(held: Owned, wanted: Owned) -> Move:
    """What `wanted` has more is added, what `held` has more is removed."""
    if held is wanted:
        return Move.none(held.family)
    if np.array_equal(held.first, wanted.first) and np.array_equal(held.last, wanted.last):
        other = held.mark != wanted.mark
        return Move(wanted.where(other), held.where(other))
    if not len(wanted) or not len(held):
        return Move(wanted, held)
    at = np.minimum(np.searchsorted(wanted.first, held.first), len(wanted) - 1)
    stays = (wanted.first[at] == held.first) & (wanted.last[at] == held.last) & (wanted.mark[at] == held.mark)
    is_new = np.ones(len(wanted), dtype=np.bool_)
    is_new[at[stays]] = False
    return Move(wanted.where(is_new), held.where(~stays))
