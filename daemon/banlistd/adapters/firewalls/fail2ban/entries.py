"""The desired entries of a jail, as fail2ban writes them, and the order in which entries are lifted and banned. Pure.

A jail has no ranges and no marks, and its actions fail on entries that overlap (a set of intervals refuses them; hash:ip, which
expands a network, loses the address within when the network is removed). So the entries are disjoint: an address within a
banned network has no entry of its own.
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

# fail2ban accepts `0.0.0.0/0` but lists it as `0.0.0.0` (measured, 1.0.2); it lists the two halves correctly.
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
    """The addresses of an entry; None if it is no address: fail2ban accepts any text."""
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
    """The entries of `going` that overlap one of `coming`, and so must be lifted first."""
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
    index = bisect_left(ends, (version, first))
    return index < len(spans) and spans[index][0] == version and spans[index][1] <= last


def _networks(map_entries: MapEntries) -> Sequence[str]:
    networks = networks_of(map_entries.family, map_entries.first, map_entries.last, _SHORTEST)
    width = WIDTHS[map_entries.family]
    addresses = zip(_texts(map_entries.family, networks.first), networks.length.tolist(), strict=True)
    return [address if length == width else f"{address}/{length}" for address, length in addresses]


def _texts(family: Family, addresses: Addresses) -> Sequence[str]:
    kind, octets = _SOCKET_FAMILIES[family], WIDTHS[family] // 8
    packed = (addresses.astype(">u4") if family is Family.IPV4 else addresses).tobytes()
    return [socket.inet_ntop(kind, packed[start : start + octets]) for start in range(0, len(packed), octets)]
