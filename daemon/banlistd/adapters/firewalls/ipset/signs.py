"""Signs that another program has removed rules or elements. Nothing notifies us, and iptables takes tens of milliseconds to
list its rules; these signs cost less than a millisecond (two with 5,000 sources), so they are looked at each second.

The kernel counts the rules that refer to a set, whichever iptables wrote them. Sets with few elements tell of all rules: for a
large one it would count the elements too.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from random import Random

import numpy as np

from banlistd.adapters.firewalls.ipset.entries import entries_of, questions
from banlistd.adapters.firewalls.ipset.iptables import Iptables
from banlistd.adapters.firewalls.ipset.rules import chains_of
from banlistd.adapters.firewalls.ipset.sets import ALLOWED, SERVICES, set_of
from banlistd.adapters.firewalls.ipset.wire import IpsetSocket
from banlistd.core.ruleset.kernel_parts import KernelPart, possible_slots
from banlistd.core.ruleset.state import MapEntries, MapId
from banlistd.model import Remark, SourceSlot

SIGNS_EVERY = 1.0
"""Seconds between two looks at the signs of a change by another program."""

RULES_MISSING = Remark(
    "rules of iptables that look into the sets of banlistd are missing: another program has removed them",
    "banlistd writes them again within seconds; journalctl -u banlistd says why it fails",
)


def rules_are_gone(wire: IpsetSocket, sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart]) -> bool:
    """Whether fewer rules refer to our sets than these sources need. A rule that only jumps to our chains refers to none."""
    headers = ((wire.header(name), number) for name, number in _references(sources, lacking).items())
    return any(header is None or header.references < number for header, number in headers)


def elements_are_gone(wire: IpsetSocket, maps: Mapping[MapId, MapEntries], chance: Random) -> bool:
    """Whether a set lacks an element, of which one is chosen in each."""
    for map_id, entries in maps.items():
        if len(entries):
            one = entries_of(map_id, entries.where(np.array([chance.randrange(len(entries))])))
            if not all(wire.test(set_of(map_id), [*questions(one)][:1])):
                return True
    return False


def _references(sources: Sequence[SourceSlot], lacking: AbstractSet[KernelPart]) -> Mapping[str, int]:
    """How many rules refer to each of the small sets; none where there is no source. Of thousands one of each kind tells."""
    kinds = possible_slots([*{(owner.action, owner.direction): owner for owner in sources}.values()], lacking)
    tables = [table for family in Iptables.families() if kinds for table in chains_of(kinds, family).values()]
    rules = [rule for chains in tables for each in chains.values() for rule in each]
    return {name: sum(f"--match-set {name} " in rule for rule in rules) for name in (*ALLOWED.values(), *SERVICES.values())}
