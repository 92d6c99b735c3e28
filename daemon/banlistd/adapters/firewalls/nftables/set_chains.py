"""A chain of one rule for each map that bans and each place that looks into it: names, and which there are. Pure.

The kernel walks a whole map when a rule that looks into it is added (`nf_tables_bind_set`; measured: 120 to 190 ms for
1,000,000 elements). So the rule is added while the map is empty, in a chain of its own; what changes later are jumps.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from banlistd.adapters.firewalls.nftables.lookups.scopes import SCOPED, WITHIN, WITHIN_6TO4, WITHIN_NAT64
from banlistd.adapters.firewalls.nftables.sets import BASES, bases_of
from banlistd.adapters.firewalls.nftables.structure import LOOKUP_IN, LOOKUP_OUT
from banlistd.core.addresses.sets import FAMILIES
from banlistd.core.ruleset.state import Hook, Kind, MapId
from banlistd.model import Family, SourceSlot

_PLACES: Mapping[tuple[Hook, Family], Sequence[str]] = {
    (Hook.IN, Family.IPV4): (LOOKUP_IN, WITHIN_NAT64, WITHIN_6TO4),
    (Hook.IN, Family.IPV6): (LOOKUP_IN,),
    (Hook.OUT, Family.IPV4): (LOOKUP_OUT,),
    (Hook.OUT, Family.IPV6): (LOOKUP_OUT,),
    **{(hook, Family.IPV6): (chain,) for chain, hook in SCOPED.items()},
    **{
        (hook, Family.IPV4): (chain, *(name for name, within in WITHIN.items() if within.hook is hook))
        for chain, hook in SCOPED.items()
    },
}


@dataclass(frozen=True, slots=True)
class SetChain:
    """`place`: the chain that jumps here. `set_name`: of the two names of the map."""

    place: str
    map: MapId
    set_name: str

    @property
    def name(self) -> str:
        return self.set_name if self.place not in WITHIN else f"{self.place}-{self.set_name}"

    @property
    def first_name(self) -> str:
        """What it is called where the map has its first name."""
        return SetChain(self.place, self.map, self.map.name).name


def _every_chain() -> Iterable[SetChain]:
    maps = {MapId(hook, kind, family).name: MapId(hook, kind, family) for hook in Hook for kind in Kind for family in FAMILIES}
    for name, base in BASES.items():
        if base in maps:
            map_id = maps[base]
            yield from (SetChain(place, map_id, name) for place in _PLACES.get((map_id.hook, map_id.family), ()))


SET_CHAINS: Mapping[str, SetChain] = {chain.name: chain for chain in _every_chain()}
"""All that there can be, by name."""


def chains_of_sets(set_names: Iterable[str], *, translated: bool = True) -> list[SetChain]:
    """The chains of these sets. `translated`: with those for addresses of IPv4 within IPv6."""
    chosen = frozenset(set_names)
    return [chain for chain in SET_CHAINS.values() if chain.set_name in chosen and (translated or chain.place not in WITHIN)]


def wanted_chains(sources: Sequence[SourceSlot], names: Mapping[str, str], *, translated: bool) -> list[SetChain]:
    """Those of the sets in use. `names`: of these, by their first names."""
    wanted: AbstractSet[str] = bases_of(sources)
    return chains_of_sets((name for base, name in names.items() if base in wanted), translated=translated)
