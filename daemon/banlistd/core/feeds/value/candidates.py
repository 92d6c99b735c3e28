"""Entries of a list that may be false positives: they met an address that is known to be wanted. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np

from banlistd.core.addresses.arrays import are_in
from banlistd.core.addresses.comparison import overlapping
from banlistd.core.addresses.sets import FAMILIES, Addresses, AddressSet, Ranges, from_numbers, union_of
from banlistd.core.addresses.text import range_text, span_text
from banlistd.model import Family, Span

NAMED = 10
"""Candidates of a list that are named: enough to see what they are; all are counted."""


class Met(StrEnum):
    """What an entry met."""

    ALLOWED = "allowed"
    PROTECTED = "protected"
    CONNECTED = "connected"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Addresses that are known to be wanted, and why, for a person."""

    span: Span
    met: Met
    reason: str


@dataclass(frozen=True, slots=True)
class Suspect:
    """The first entry of a list that contains something of `address`, as text."""

    entry: str
    met: Met
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Candidates:
    """`entries`: how many entries of the list met something. `shown`: what the first of them met."""

    entries: int = 0
    shown: tuple[Suspect, ...] = ()


class WantedAddresses:
    """All that is wanted, prepared once for many lists."""

    def __init__(self, wanted: Sequence[Wanted]) -> None:
        self._of: dict[Family, tuple[Sequence[Wanted], Addresses, Addresses, Ranges]] = {}
        for family in FAMILIES:
            mine = [one for one in wanted if one.span[0] is family]
            first = from_numbers(family, [one.span[1] for one in mine])
            last = from_numbers(family, [one.span[2] for one in mine])
            self._of[family] = mine, first, last, union_of(family, first, last)

    def on(self, content: AddressSet) -> Candidates:
        """The entries of a list that met something."""
        entries = 0
        shown: list[Suspect] = []
        for family, (wanted, first, last, merged) in self._of.items():
            if not wanted:
                continue
            nets = content.nets(family)
            wide = merged.first.searchsorted(nets.last, side="right") > merged.last.searchsorted(nets.first, side="left")
            entries += int(np.count_nonzero(are_in(content.hosts(family), merged.first, merged.last)))
            entries += int(np.count_nonzero(wide))
            for place in islice(np.flatnonzero(overlapping(content, family, first, last)).tolist(), NAMED - len(shown)):
                one = wanted[place]
                entry = _entry_within(content, family, first[place : place + 1], last[place : place + 1])
                shown.append(Suspect(entry, one.met, span_text(one.span), one.reason))
        return Candidates(entries, tuple(shown))


def _entry_within(content: AddressSet, family: Family, first: Addresses, last: Addresses) -> str:
    """The first entry of a content that has something of a range (arrays of one), of which it has something; networks first."""
    nets, hosts = content.nets(family), content.hosts(family)
    at = int(nets.last.searchsorted(first, side="left")[0])
    if at < len(nets) and nets.first[at] <= last[0]:
        return range_text(family, nets.first[at], nets.last[at])
    host = hosts[int(hosts.searchsorted(first, side="left")[0])]
    return range_text(family, host, host)
