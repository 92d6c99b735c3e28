"""In which order sources can be made of each other."""

from collections.abc import Collection, Mapping
from typing import TypeVar

Id = TypeVar("Id", bound=str)


def in_waves(made_of: Mapping[Id, Collection[Id]]) -> list[list[Id]]:
    """Each comes in a later wave than all that it is made of, and within a wave in the order of the mapping.

    What is not in the mapping is there already. What is made of itself, through others or not, is left out.
    """
    waves: list[list[Id]] = []
    left = dict(made_of)
    while wave := [one for one, parts in left.items() if not any(part in left for part in parts)]:
        waves.append(wave)
        for one in wave:
            del left[one]
    return waves


def circle_in(made_of: Mapping[Id, Collection[Id]]) -> list[Id]:
    """Sources of which each is made of the next one, and the last of the first; empty: there are none."""
    done = {one for wave in in_waves(made_of) for one in wave}
    left = [one for one in made_of if one not in done]
    way: list[Id] = []
    while left and (not way or way[-1] not in way[:-1]):
        way.append(next(part for part in made_of[way[-1]] if part in left) if way else left[0])
    return way[way.index(way[-1]) : -1] if way else []
