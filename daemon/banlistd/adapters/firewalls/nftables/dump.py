"""Reads all elements of the maps back: seconds for a million, and only needed when the ledger was lost."""

import struct
from collections.abc import Iterable, Mapping

import numpy as np

from banlistd.adapters.firewalls.nftables.records import (
    NFTA_SET_ELEM_LIST_ELEMENTS,
    NFTA_SET_ELEM_LIST_SET,
    NFTA_SET_ELEM_LIST_TABLE,
    DumpedElement,
    answers,
)
from banlistd.adapters.firewalls.nftables.structure import TABLE
from banlistd.adapters.netlink.messages import NFT_MSG_GETSETELEM, text_attribute
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.addresses.sets import FAMILIES, WIDTHS, from_numbers
from banlistd.core.ruleset.state import MARK_DTYPE, Hook, Kind, MapEntries, MapId
from banlistd.model import Family


def dump_maps(wire: NetlinkSocket, names: Mapping[str, str]) -> Mapping[MapId, MapEntries]:
    """The entries of those of our maps that exist. `names`: of the sets that exist, by their first name."""
    every = (MapId(hook, kind, family) for hook in Hook for kind in Kind for family in FAMILIES)
    return {map_id: _read(wire, map_id, names[map_id.name]) for map_id in every if map_id.name in names}


def _read(wire: NetlinkSocket, map_id: MapId, name: str) -> MapEntries:
    question = text_attribute(NFTA_SET_ELEM_LIST_TABLE, TABLE) + text_attribute(NFTA_SET_ELEM_LIST_SET, name)
    replies = wire.dump(NFT_MSG_GETSETELEM, question)
    return map_entries_of(
        map_id.family, answers([reply.get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for reply in replies]), map_id.kind
    )


def map_entries_of(family: Family, elements: Iterable[DumpedElement], kind: Kind) -> MapEntries:
    """`elements`: in any order. A range starts at an element with a mark and ends before the next element, or at the top."""
    # At one address the end of a range comes before the start of its neighbour.
    ordered = sorted((int.from_bytes(one.key, "big"), not one.is_end, _mark_of(one)) for one in elements)
    first, last, marks = [], [], []
    for index, (address, begins, mark) in enumerate(ordered):
        if begins:
            top = ordered[index + 1][0] - 1 if index + 1 < len(ordered) else 2 ** WIDTHS[family] - 1
            first.append(address)
            last.append(address if kind is Kind.HOSTS else top)
            marks.append(mark)
    starts = from_numbers(family, first)
    ends = starts if kind is Kind.HOSTS else from_numbers(family, last)
    return MapEntries(family, starts, ends, np.array(marks, dtype=MARK_DTYPE))


def _mark_of(element: DumpedElement) -> int:
    return int(struct.unpack("=I", element.data)[0]) if len(element.data) == struct.calcsize("=I") else 0
