"""The kernel's table of connections (nf_conntrack), over ctnetlink: found by address, and deleted.

Names are those of linux/netfilter/nfnetlink_conntrack.h.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from banlistd.adapters.netlink.messages import (
    NFGENMSG,
    NLA_F_NESTED,
    NLM_F_ACK,
    NLM_F_DUMP,
    attribute,
    attributes,
    decode_number,
    framed,
)
from banlistd.adapters.netlink.wire import NetfilterWire
from banlistd.core.addresses.sets import DTYPES, Addresses
from banlistd.model import Family

NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_GET = 1
IPCTNL_MSG_CT_DELETE = 2
IPCTNL_MSG_CT_GET_STATS = 5
CTA_TUPLE_ORIG = 1
CTA_STATUS = 3
CTA_ID = 12
CTA_ZONE = 18
CTA_STATS_GLOBAL_ENTRIES = 1

_AT_ONCE = 256
"""Entries that are looked up together, and deletions in one message."""

_ANSWERED = 0x2 | 0x4
"""IPS_SEEN_REPLY and IPS_ASSURED of nf_conntrack_common.h: more than one packet each way, or a handshake that was ended."""

_ANSWERS_FROM = 2
"""Which of the ends the answers come from."""

_ENDS = 4
"""Source and destination of each direction."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How the kernel writes a tuple of a family: attribute, CTA_TUPLE_IP, source, destination, always in this order."""

    family: Family
    tuple: struct.Struct
    dtype: str


_FORMS: Mapping[int, _Form] = {
    2: _Form(Family.IPV4, struct.Struct("=HH4xHH4sHH4s"), ">u4"),
    10: _Form(Family.IPV6, struct.Struct("=HH4xHH16sHH16s"), "S16"),
}
"""By AF_INET and AF_INET6."""

Choice = Callable[[Family, Addresses], NDArray[np.bool_]]
"""Says of addresses, in any order, which of them are meant."""


class ConnectionTable(NetfilterWire):
    """The connections of this network namespace. Raises OSError."""

    def entries(self) -> int:
        """How many connections there are."""
        self._sequence += 1
        kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS
        self._socket.send(framed(kind, NLM_F_ACK, self._sequence, NFGENMSG.pack(0, 0, 0)))
        found = [attributes(payload[NFGENMSG.size :]) for _, payload in self._replies()]
        return sum(decode_number(each.get(CTA_STATS_GLOBAL_ENTRIES, b"")) for each in found)

    def find(self, choice: Choice) -> list[bytes]:
        """What names each connection for `delete`, of those with a chosen end, before or after NAT."""
        found: list[bytes] = []
        self._sequence += 1
        kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET
        self._socket.send(framed(kind, NLM_F_DUMP, self._sequence, NFGENMSG.pack(0, 0, 0)))
        replies = (payload for _, payload in self._replies())
        while entries := list(islice(replies, _AT_ONCE)):
            for number, form in _FORMS.items():
                found += _chosen([entry for entry in entries if entry[0] == number], form, choice)
        return found

    def answering(self, most: int) -> Mapping[Family, Addresses]:
        """The addresses that were connected to, from here or behind, and that answer (after NAT), of so many connections."""
        found: dict[Family, list[bytes]] = {Family.IPV4: [], Family.IPV6: []}
        self._sequence += 1
        kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET
        self._socket.send(framed(kind, NLM_F_DUMP, self._sequence, NFGENMSG.pack(0, 0, 0)))
        for number, (_, entry) in enumerate(self._replies()):
            form = _FORMS.get(entry[0])
            if form is None or number >= most:  # the dump is read to its end all the same
                continue
            ends = list(_ends(entry, form))
            status = int.from_bytes(attributes(entry[NFGENMSG.size :]).get(CTA_STATUS, b""), "big")
            if len(ends) == _ENDS and status & _ANSWERED == _ANSWERED:
                found[form.family].append(ends[_ANSWERS_FROM])
        return {
            form.family: np.frombuffer(b"".join(found[form.family]), dtype=form.dtype).astype(DTYPES[form.family])
            for form in _FORMS.values()
        }

    def delete(self, names: Sequence[bytes]) -> None:
        """Delete connections that `find` has named. One that has ended since is no error."""
        kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE
        for at in range(0, len(names), _AT_ONCE):
            self._sequence += 1
            self._socket.send(b"".join(framed(kind, 0, self._sequence, name) for name in names[at : at + _AT_ONCE]))
            self._drain()  # the kernel answers only where it deleted nothing


def _chosen(entries: Sequence[bytes], form: _Form, choice: Choice) -> Iterator[bytes]:
    ends, of = [], []
    for entry in entries:
        four = list(_ends(entry, form))
        if len(four) == _ENDS:
            ends += four
            of.append(entry)
    if not of:
        return
    addresses = np.frombuffer(b"".join(ends), dtype=form.dtype)
    if form.family is Family.IPV4:
        addresses = addresses.astype(np.uint32)
    matches = choice(form.family, addresses).reshape(len(of), _ENDS).any(axis=1)
    for number in np.flatnonzero(matches):
        yield _name(of[number])


def _ends(entry: bytes, form: _Form) -> Iterator[bytes]:
    """Source and destination of the tuple of each direction: four addresses."""
    at = NFGENMSG.size
    for _ in range(2):
        if at + form.tuple.size > len(entry):
            return
        length, _, _, _, source, _, _, destination = form.tuple.unpack_from(entry, at)
        yield source
        yield destination
        at += length + -length % 4


def _name(entry: bytes) -> bytes:
    """Without the tuple, the kernel would delete every connection."""
    found = attributes(entry[NFGENMSG.size :])
    named = [attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, found[CTA_TUPLE_ORIG])]
    named += [attribute(kind, found[kind]) for kind in (CTA_ID, CTA_ZONE) if kind in found]
    return NFGENMSG.pack(entry[0], 0, 0) + b"".join(named)
