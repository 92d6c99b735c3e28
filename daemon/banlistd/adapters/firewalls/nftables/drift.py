"""What other processes touched in our table, as parts of a Verification; and what of it a Change has rewritten. Pure."""

from collections.abc import Set as AbstractSet

from banlistd.adapters.firewalls.nftables.set_chains import SET_CHAINS
from banlistd.adapters.firewalls.nftables.sets import ALLOWED, APPLIED, BASES, EVERY_MAP, EVERY_SET, SERVICES
from banlistd.adapters.firewalls.nftables.structure import WATCHING, is_ours
from banlistd.adapters.netlink.notices import Thing, Touched
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.state import FirewallState, Verification, maps_of


def with_suspicions(verdict: Verification, touched: AbstractSet[Touched], state: FirewallState) -> Verification:
    """What another process has touched counts as wrong: an exchange of one element or rule for another keeps the numbers."""
    names = {_base(item) for item in touched if item.thing in (Thing.SET, Thing.ELEMENT)}
    everything = any(item.thing is Thing.TABLE for item in touched)
    structure = everything or any(_is_structure(item) for item in touched)
    maps = {map_id for map_id in state.map_entries if everything or map_id.name in names}
    return Verification(verdict.structure or structure, verdict.maps | maps)


def irrelevant(touched: AbstractSet[Touched]) -> AbstractSet[Touched]:
    """Chains and sets in our table that are not ours; markers and services, which every inspection reads anyway."""
    return {item for item in touched if not _concerns_us(item)}


def rewritten(change: Change, touched: AbstractSet[Touched]) -> AbstractSet[Touched]:
    """The part of `touched` that is correct again once `change` is carried out."""
    structure = change.reshape and change.allowed is not None
    anew = {item.map.name for item in change.maps if item.replace}
    # A set that is wanted no longer goes with a change of structure.
    anew |= (EVERY_MAP - {map_id.name for map_id in maps_of(change.sources)}) if change.reshape else set()
    whole = structure and anew >= EVERY_MAP
    return {
        item
        for item in touched
        if (structure or not _is_structure(item))
        and (_base(item) in anew or item.thing not in (Thing.SET, Thing.ELEMENT) or _base(item) not in EVERY_MAP)
        and (whole or item.thing is not Thing.TABLE)
    }


def _is_structure(item: Touched) -> bool:
    """Whether its repair writes rules; the allowed networks, and the chains of marks, are written with them."""
    return item.thing is not Thing.ELEMENT or _base(item) in (WATCHING, *ALLOWED.values())


def _concerns_us(item: Touched) -> bool:
    match item.thing:
        case Thing.CHAIN | Thing.RULE | Thing.OBJECT:
            return is_ours(item.name) or item.name in SET_CHAINS
        case Thing.SET:
            return item.name in EVERY_SET
        case Thing.ELEMENT:
            return item.name in EVERY_SET and _base(item) not in (APPLIED, *SERVICES.values())
        case Thing.TABLE:
            return True


def _base(item: Touched) -> str:
    return BASES.get(item.name, item.name)
