"""The state of our table at one moment, as values; `inspection` reads it from the kernel, the rest decides by it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.sets import BASES, SetState
from banlistd.model import Mark


@dataclass(frozen=True, slots=True)
class TableState:
    """The table's flags, and the port of the socket that owns it, 0 for none."""

    flags: int
    owner: int


@dataclass(frozen=True, slots=True)
class Look:
    """The state of our table at one generation: chains, sets by name, the marks that have a marker.

    `table`: None if the table is absent. `misplaced`: base chains of ours with another type, hook or priority than we give.
    `used`: the sets that rules of ours look into, those of the lookup chains first.
    """

    generation: int
    table: TableState | None
    chains: frozenset[str]
    misplaced: frozenset[str]
    sets: Mapping[str, SetState]
    used: Sequence[str]
    marks: frozenset[Mark]

    @property
    def names(self) -> Mapping[str, str]:
        return names_in_use(self.used, self.sets.keys())

    @property
    def unused(self) -> list[str]:
        """Sets of ours that no rule looks into: to delete them costs no ban."""
        return sorted((self.sets.keys() & BASES.keys()) - {*self.used})

    @property
    def unfinished(self) -> list[str]:
        """Those of them that are beside another one: the rest of a change that was not finished."""
        return [name for name in self.unused if name not in self.names.values()]


def names_in_use(used: Sequence[str], present: AbstractSet[str]) -> Mapping[str, str]:
    """The name of each set that exists, by its first name: the one that rules use, or, where no rule does, the one there is.

    Without the rules, what is in a set is compared before it is trusted, whichever it is.
    """
    names: dict[str, str] = {}
    for name in (*used, *sorted(present)):
        if name in BASES and name in present:
            names.setdefault(BASES[name], name)
    return names
