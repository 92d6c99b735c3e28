"""The state of our table at one moment, as values; `inspection` reads it from the kernel, the rest decides by it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.set_chains import SET_CHAINS, wanted_chains
from banlistd.adapters.firewalls.nftables.sets import BASES, EVERY_MAP, SetState, bases_of
from banlistd.model import Mark, SourceSlot


@dataclass(frozen=True, slots=True)
class TableState:
    """The table's flags, and the port of the socket that owns it, 0 for none."""

    flags: int
    owner: int


@dataclass(frozen=True, slots=True)
class Look:
    """The state of our table at one generation: chains, sets by name, the marks that have a marker.

    `table`: None if the table is absent. `misplaced`: base chains of ours with another type, hook or priority than we give.
    `copies`: base chains with other names that do what one of ours does, which another program has renamed: packets pass both.
    `used`: the sets that packets are looked up in, those of the lookup chains first. `set_chains`: the chains of sets, without
    those that have other rules than we give them.
    """

    generation: int
    table: TableState | None
    chains: frozenset[str]
    misplaced: frozenset[str]
    sets: Mapping[str, SetState]
    used: Sequence[str]
    marks: frozenset[Mark]
    set_chains: frozenset[str]
    copies: frozenset[str] = frozenset()

    @property
    def names(self) -> Mapping[str, str]:
        return names_in_use(self.used, self.sets)

    @property
    def asked(self) -> AbstractSet[str]:
        """The first names of the maps that packets are looked up in."""
        return maps_asked(self.used)

    @property
    def unfinished(self) -> list[str]:
        """Sets of ours that are beside the one in use: the rest of a change that was not finished."""
        return sorted((self.sets.keys() & BASES.keys()) - {*self.names.values(), *self.used})

    def surplus(self, sources: Sequence[SourceSlot]) -> list[str]:
        """Sets of ours that no packet is looked up in, and none of these sources needs: to delete them costs no ban."""
        wanted = bases_of(sources)
        needed = {name for base, name in self.names.items() if base in wanted}
        return sorted((self.sets.keys() & BASES.keys()) - {*needed, *self.used})

    def surplus_chains(self, sources: Sequence[SourceSlot], *, translated: bool) -> list[str]:
        """Chains of sets that no rule for these sources jumps to, and copies. They cost no ban either."""
        wanted = {chain.name for chain in wanted_chains(sources, self.names, translated=translated)}
        return sorted((self.chains & SET_CHAINS.keys()) - wanted | self.copies)

    def chains_of(self, sets: Sequence[str]) -> list[str]:
        """Those chains that exist for these sets."""
        return sorted(name for name in self.chains & SET_CHAINS.keys() if SET_CHAINS[name].set_name in sets)


def maps_asked(used: Sequence[str]) -> AbstractSet[str]:
    """The first names of maps among names of sets."""
    return EVERY_MAP.intersection(BASES[name] for name in used if name in BASES)


def names_in_use(used: Sequence[str], present: Mapping[str, SetState]) -> Mapping[str, str]:
    """The name of each set that exists, by its first name: the one that rules use, or, where no rule does, the emptier one.

    No rule looks into an empty map. Where the rules are missing, what is in a set is compared before it is trusted.
    """
    names: dict[str, str] = {}
    for name in (*used, *sorted(present, key=lambda name: (present[name].count or 0, name))):
        if name in BASES and name in present:
            names.setdefault(BASES[name], name)
    return names
