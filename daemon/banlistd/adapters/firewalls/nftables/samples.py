"""Compares sets with what they are expected to contain, by their numbers and by some elements of each."""

import errno
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from banlistd.adapters.firewalls.nftables.records import (
    NFTA_SET_ELEM_LIST_ELEMENTS,
    DumpedElement,
    Elements,
    answers,
    end_elements,
    questions,
)
from banlistd.adapters.firewalls.nftables.sets import SetState
from banlistd.adapters.firewalls.nftables.structure import TABLE
from banlistd.adapters.netlink.messages import NFT_MSG_GETSETELEM
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NetlinkError
from banlistd.core.addresses.neighbours import after
from banlistd.core.addresses.sets import WIDTHS, Addresses
from banlistd.core.addresses.sets import to_number as address_number
from banlistd.core.ruleset.state import Kind, MapEntries, MapId
from banlistd.model import Family


def elements_of(map_id: MapId, map_entries: MapEntries) -> Elements:
    return Elements(map_id.family, map_entries.first, map_entries.last if map_id.kind is Kind.NETS else None, map_entries.mark)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How maps are compared. `size`: elements of each map. `chance`: chooses them."""

    chance: Random
    size: int


def sample_fits(wire: NetlinkSocket, name: str, elements: Elements, sampling: Sampling) -> bool:
    """Whether some elements of the set or map `name` are as expected; `elements`: with marks, if it is a map."""
    count = len(elements.first)
    # Always the last one too: if it has no end element, half the number of elements is the same without it. And the first:
    # a set is filled from there, so a flush in between takes it.
    chosen = sorted({*sampling.chance.sample(range(count), min(sampling.size, count)), *range(count)[:1], *range(count)[-1:]})
    starts = _keys(elements.family, elements.first[chosen])
    found = [(answer.key, _mark_of(answer)) for answer in _ask(wire, name, starts, ends=False)]
    marks = [0] * len(starts) if elements.mark is None else elements.mark[chosen].tolist()
    if found != [*zip(starts, marks, strict=True)]:
        return False
    last = elements.last
    if last is None:
        return True
    # Asked for an end by the last address within, the kernel gives the one after; by the end itself it may give the end
    # of a neighbour that touches, and for a range of one address it gives the start (measured with 6.1). So a single address
    # cannot be asked about.
    ended = [index for index in chosen if index < end_elements(elements) and elements.first[index] != last[index]]
    asked, ends = _keys(elements.family, last[ended]), _keys(elements.family, after(last[ended]))
    return [answer.key for answer in _ask(wire, name, asked, ends=True)] == ends


def count_fits(state: SetState | None, elements: Elements) -> bool:
    """A kernel before 6.16 does not report the number. A newer one reports half the number of starts and ends for ranges
    (nf_tables_fill_set_info() in net/netfilter/nf_tables_api.c; measured with 6.18).

    After nft has loaded a saved ruleset, there is one more end, before the first range.
    """
    if state is None:
        return False
    every = len(elements.first) + end_elements(elements)
    fitting = {every} if elements.last is None else {every // 2, (every + 1) // 2}
    return state.count is None or state.count in fitting


def _keys(family: Family, addresses: Addresses) -> list[bytes]:
    width = WIDTHS[family] // 8
    return [address_number(address).to_bytes(width, "big") for address in addresses]


def _ask(wire: NetlinkSocket, name: str, keys: Sequence[bytes], *, ends: bool) -> list[DumpedElement]:
    """The elements with these keys; none at all where one of them is missing."""
    if not keys:
        return []
    try:
        replies = wire.get(NFT_MSG_GETSETELEM, questions(TABLE, name, keys, ends=ends))
    except NetlinkError as exc:
        if exc.errno != errno.ENOENT:
            raise
        return []
    return [*answers([reply.get(NFTA_SET_ELEM_LIST_ELEMENTS, b"") for reply in replies])]


def _mark_of(answer: DumpedElement) -> int:
    return int(struct.unpack("=I", answer.data)[0]) if len(answer.data) == struct.calcsize("=I") else 0
