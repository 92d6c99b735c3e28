"""What a jail shall list, as fail2ban writes it, and in which order entries may go and come. Pure.

A jail knows no ranges and no owners, and its actions trip over entries that overlap (a set of intervals refuses them; hash:ip,
which unfolds a network, loses the address within when the network goes). So the entries are disjoint: a single address within
a network is left to the network.
"""

import socket
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from banlistd.core.addresses.prefixes import networks_of
from banlistd.core.addresses.sets import WIDTHS, Addresses, Ranges
from banlistd.core.ruleset.state import Kind, MapEntries, MapId
from banlistd.model import Family

EntrySpan = tuple[int, int, int]
"""IP version, first and last address as integers."""

_SOCKET_FAMILIES = {Family.IPV4: socket.AF_INET, Family.IPV6: socket.AF_INET6}

# fail2ban takes `0.0.0.0/0` and lists it as `0.0.0.0` (measured, 1.0.2): the halves it takes for what they are.
_SHORTEST = 1


def entries_of(maps: Mapping[MapId, MapEntries]) -> Mapping[MapId, Sequence[str]]:
    """The entries of each map, as `get JAIL banip` lists them: `192.0.2.7`, `192.0.2.0/24`."""
    entries = {}
    for map_id, map_entries in maps.items():
        if map_id.kind is Kind.NETS:
            entries[map_id] = _networks(map_entries)
        else:
            nets = maps.get(MapId(map_id.hook, Kind.NETS, map_id.family), MapEntries.none(map_id.family))
            covered = Ranges(map_id.family, nets.first, nets.last).contains(map_entries.first)
            entries[map_id] = _texts(map_id.family, map_entries.first[np.logical_not(covered)])
    return entries


def entry_span(entry: str) -> EntrySpan | None:
    """What an entry covers; None for one that is no address: fail2ban takes any word."""
    text, _, length = entry.partition("/")
    for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
        try:
            packed = socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        width = len(packed) * 8
        if length and not (length.isascii() and length.isdecimal() and int(length[:4]) <= width):
            return None
        first = int.from_bytes(packed, "big")
        return version, first, first | (1 << (width - int(length))) - 1 if length else first
    return None


def in_the_way(going: Collection[str], coming: Collection[str]) -> frozenset[str]:
    """Those of the going entries that overlap a coming one, and therefore have to go first."""
    if not going or not coming:
        return frozenset()
    spans = sorted(span for span in map(entry_span, coming) if span)
    ends = [(version, last) for version, _, last in spans]
    return frozenset(entry for entry in going if _overlaps(entry_span(entry), spans, ends))


def _overlaps(span: EntrySpan | None, spans: Sequence[EntrySpan], ends: Sequence[tuple[int, int]]) -> bool:
    """`spans` are sorted and disjoint."""
    if span is None:
        return False
    version, first, last = span
    at = bisect_left(ends, (version, first))
    return at < len(spans) and spans[at][0] == version and spans[at][1] <= last


def _networks(map_entries: MapEntries) -> Sequence[str]:
    networks = networks_of(map_entries.family, map_entries.first, map_entries.last, _SHORTEST)
    width = WIDTHS[map_entries.family]
    addresses = zip(_texts(map_entries.family, networks.first), networks.length.tolist(), strict=True)
    return [address if length == width else f"{address}/{length}" for address, length in addresses]


def _texts(family: Family, addresses: Addresses) -> Sequence[str]:
    kind, octets = _SOCKET_FAMILIES[family], WIDTHS[family] // 8
    packed = (addresses.astype(">u4") if family is Family.IPV4 else addresses).tobytes()
    return [socket.inet_ntop(kind, packed[at : at + octets]) for at in range(0, len(packed), octets)]
