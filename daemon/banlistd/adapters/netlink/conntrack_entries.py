"""Entries of nf_conntrack as the kernel writes them: many at once become arrays. Pure.

Names are those of linux/netfilter/nfnetlink_conntrack.h. One by one, half a million entries took Python a second (measured).
"""

import struct
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from banlistd.adapters.netlink.messages import (
    HEADER,
    NFGENMSG,
    NLA_F_NESTED,
    NLA_TYPE_MASK,
    attribute,
    attributes,
)
from banlistd.core.addresses.sets import DTYPES, Addresses
from banlistd.core.ruleset.newly_banned import PacketEnds, TrackedConnections
from banlistd.model import Family

CTA_TUPLE_ORIG = 1
CTA_TUPLE_REPLY = 2
CTA_STATUS = 3
CTA_ID = 12
CTA_ZONE = 18

_EXPECTED = 0x1
_ANSWERED = 0x2 | 0x4
"""IPS_EXPECTED, and IPS_SEEN_REPLY with IPS_ASSURED, of nf_conntrack_common.h: announced by another connection (RELATED); more
than one packet each way, or a handshake that was ended."""

_WITH_PORTS = (6, 17, 132)
"""TCP, UDP and SCTP: their tuples have a source port and a destination port."""

_ATTRIBUTE = 4
"""Octets of the header of an attribute."""


@dataclass(frozen=True, slots=True)
class _Form:
    """How the kernel writes a tuple of a family, always in this order: attribute, CTA_TUPLE_IP, source, destination,
    CTA_TUPLE_PROTO, protocol, source port, destination port. `octets`: of an address.
    """

    number: int
    octets: int

    @property
    def source_at(self) -> int:
        return 3 * _ATTRIBUTE

    @property
    def target_at(self) -> int:
        return self.source_at + self.octets + _ATTRIBUTE

    @property
    def protocol_at(self) -> int:
        return self.target_at + self.octets + 2 * _ATTRIBUTE

    @property
    def source_port_at(self) -> int:
        return self.protocol_at + 4 + _ATTRIBUTE

    @property
    def target_port_at(self) -> int:
        return self.source_port_at + 4 + _ATTRIBUTE


_FORMS: Mapping[Family, _Form] = {Family.IPV4: _Form(2, 4), Family.IPV6: _Form(10, 16)}
"""With AF_INET and AF_INET6."""


_CTA_IP_V6_SRC = 3
_SOURCE, _NAT64, _SIX_TO_FOUR = (
    int.from_bytes(octets, sys.byteorder)
    for octets in (struct.pack("=HH", _ATTRIBUTE + 16, _CTA_IP_V6_SRC), b"\0\x64\xff\x9b", b"\x20\x02")
)
"""Words of a message: the header of a source of IPv6; how one in 64:ff9b::/32 begins, and the first half of one in 6to4."""


def has_ipv4_within(data: bytes) -> bool:
    """Whether messages may have a source of NAT64 or 6to4. Takes microseconds for a thousand."""
    words = np.frombuffer(data, dtype="=u4", count=len(data) // 4)
    behind = words[np.flatnonzero(words[:-1] == _SOURCE) + 1]
    halves = behind.view("=u2")[::2] if sys.byteorder == "little" else behind >> 16
    return bool(((behind == _NAT64) | (halves == _SIX_TO_FOUR)).any())


class ConnectionEntries:
    """Those of one family in a block of messages, if they have a tuple for each direction. `connections`: in the same order."""

    def __init__(self, family: Family, data: bytes, headers: NDArray[np.int64]) -> None:
        """`headers`: where the messages begin in `data`; all multiples of 4."""
        self._data, form = data, _FORMS[family]
        headers = headers[self._numbers("=u1", headers + HEADER.size) == form.number]
        there = headers + (HEADER.size + NFGENMSG.size)
        back = there + self._length(there)
        whole = (self._kind(there) == CTA_TUPLE_ORIG) & (self._kind(back) == CTA_TUPLE_REPLY)
        whole &= back + self._length(back) <= headers + self._numbers("=u4", headers)
        self._headers, there, back = headers[whole], there[whole], back[whole]
        protocol = self._numbers("=u1", there + form.protocol_at)
        has_ports = np.isin(protocol, _WITH_PORTS)
        behind = back + self._length(back)
        behind += np.where(self._kind(behind) == CTA_ZONE, 8, 0)
        self._status = np.where(self._kind(behind) == CTA_STATUS, self._numbers(">u4", behind + _ATTRIBUTE), 0)
        ends, ends_back = (self._ends(family, tuples, has_ports) for tuples in (there, back))
        related: NDArray[np.bool_] = (self._status & _EXPECTED) != 0
        self.connections = TrackedConnections(family, protocol, ends, ends_back, related)

    def __len__(self) -> int:
        return len(self._headers)

    def answered(self) -> NDArray[np.bool_]:
        """Which of the connections the other end has answered."""
        answered: NDArray[np.bool_] = (self._status & _ANSWERED) == _ANSWERED
        return answered

    def names(self, chosen: NDArray[np.bool_]) -> list[bytes]:
        """What the kernel deletes each of these connections by."""
        names = []
        for header in self._headers[chosen].tolist():
            length, *_ = HEADER.unpack_from(self._data, header)
            entry = self._data[header + HEADER.size : header + length]
            found = attributes(entry[NFGENMSG.size :])
            # Without the tuple, the kernel would delete every connection.
            named = [attribute(CTA_TUPLE_ORIG | NLA_F_NESTED, found[CTA_TUPLE_ORIG])]
            named += [attribute(kind, found[kind]) for kind in (CTA_ID, CTA_ZONE) if kind in found]
            names.append(NFGENMSG.pack(entry[0], 0, 0) + b"".join(named))
        return names

    def _numbers(self, dtype: str, at: NDArray[np.int64]) -> NDArray[Any]:
        """Numbers in the data. What would be outside of it belongs to an entry that is left out."""
        column = np.frombuffer(self._data, dtype=dtype)
        return column.take(at // column.itemsize, mode="clip").astype(column.dtype.newbyteorder("="))

    def _length(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of an attribute, with what pads it."""
        return self._numbers("=u2", at).astype(np.int64) + 3 & ~3

    def _kind(self, at: NDArray[np.int64]) -> NDArray[Any]:
        return self._numbers("=u2", at + 2) & NLA_TYPE_MASK

    def _ends(self, family: Family, at: NDArray[np.int64], has_ports: NDArray[np.bool_]) -> PacketEnds:
        form = _FORMS[family]
        source, target = (self._addresses(family, at + offset) for offset in (form.source_at, form.target_at))
        ports = (self._numbers(">u2", at + offset) for offset in (form.source_port_at, form.target_port_at))
        return PacketEnds(source, target, *(np.where(has_ports, port, 0).astype(np.uint16) for port in ports))

    def _addresses(self, family: Family, at: NDArray[np.int64]) -> Addresses:
        if family is Family.IPV4:
            return self._numbers(">u4", at)
        words = np.frombuffer(self._data, dtype="=u4").take(at[:, None] // 4 + np.arange(4), mode="clip")
        return np.ascontiguousarray(words).view(DTYPES[family]).reshape(len(at))
