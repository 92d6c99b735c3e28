"""The kernel's table of connections (nf_conntrack), over ctnetlink: found by address, and deleted.

Names are those of linux/netfilter/nfnetlink_conntrack.h.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from banlistd.adapters.netlink.conntrack_entries import ConnectionEntries, has_ipv4_within
from banlistd.adapters.netlink.messages import (
    HEADER,
    NFGENMSG,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLMSG_DONE,
    NLMSG_ERROR,
    attributes,
    decode_number,
    framed,
)
from banlistd.adapters.netlink.wire import NetfilterWire, error_code
from banlistd.core.addresses.sets import FAMILIES, Addresses, no_addresses
from banlistd.core.ruleset.newly_banned import TrackedConnections
from banlistd.model import Family

NFNL_SUBSYS_CTNETLINK = 1
IPCTNL_MSG_CT_GET = 1
IPCTNL_MSG_CT_DELETE = 2
IPCTNL_MSG_CT_GET_STATS = 5
CTA_STATS_GLOBAL_ENTRIES = 1

_AT_ONCE = 256
"""Deletions in one message."""

_BLOCK = 1 << 18
"""Octets that are taken apart together: a thousand entries."""

_RECEIVE = 1 << 17

Choice = Callable[[TrackedConnections], NDArray[np.bool_]]
"""Says of connections which of them are meant."""


class ConnectionTable(NetfilterWire):
    """The connections of this network namespace. Raises OSError."""

    def entries(self) -> int:
        """How many connections there are."""
        self._sequence += 1
        kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS
        self._socket.send(framed(kind, NLM_F_ACK, self._sequence, NFGENMSG.pack(0, 0, 0)))
        found = [attributes(payload[NFGENMSG.size :]) for _, payload in self._replies()]
        return sum(decode_number(each.get(CTA_STATS_GLOBAL_ENTRIES, b"")) for each in found)

    def find(self, choice: Choice, families: Sequence[Family] = FAMILIES, *, within: bool = False) -> list[bytes]:
        """What names each chosen connection of these families for `delete`. `within`: also of those of IPv6 that have a source
        with an IPv4 address within, NAT64 or 6to4: few hosts have any.
        """
        more = [Family.IPV6] if within and Family.IPV6 not in families else []
        parts = (
            ConnectionEntries(family, *block)
            for block in self._dump()
            for family in (*families, *(more if more and has_ipv4_within(block[0]) else ()))
        )
        return [name for entries in parts for name in entries.names(choice(entries.connections))]

    def answering(self, most: int) -> Mapping[Family, Addresses]:
        """The addresses that were connected to, from here or behind, and that answer (after NAT), of so many connections."""
        found = {family: [no_addresses(family)] for family in FAMILIES}
        for block in self._dump():
            for family in FAMILIES if most > 0 else ():  # the dump is read to its end all the same
                entries = ConnectionEntries(family, *block)
                found[family].append(entries.connections.back.source[entries.answered()])
                most -= len(entries)
        return {family: np.concatenate(addresses) for family, addresses in found.items()}

    def delete(self, names: Sequence[bytes]) -> None:
        """Delete connections that `find` has named. One that has ended since is no error.

        Raises NetlinkError when the others are deleted: some kernels before 6.4 refuse those in a flowtable (EBUSY).
        """
        kind, refusal = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, None
        for at in range(0, len(names), _AT_ONCE):
            self._sequence += 1
            self._socket.send(b"".join(framed(kind, 0, self._sequence, name) for name in names[at : at + _AT_ONCE]))
            for answer, flags, sequence, payload in self._arrived():  # the kernel answers only where it deleted nothing
                if answer == NLMSG_ERROR and error_code(payload) not in (0, errno.ENOENT):
                    refusal = self._refusal(flags, sequence, payload)
        if refusal is not None:
            raise refusal

    def _dump(self) -> Iterator[tuple[bytes, NDArray[np.int64]]]:
        """Blocks of messages with an entry each, and where their headers are; to be read to the end.

        All entries, always: where a filter (CTA_FILTER, or a family) leaves entries out, the kernel goes through the whole
        table before it returns, and its processor takes no packet meanwhile (*measured*: 120 ms, not 5, of 500,000 entries).
        """
        self._sequence += 1
        kind = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET
        self._socket.send(framed(kind, NLM_F_DUMP, self._sequence, NFGENMSG.pack(0, 0, 0)))
        parts, size, headers = list[bytes](), 0, list[int]()
        while True:
            data = self._socket.recv(_RECEIVE)
            found = _headers(data)
            _, last, flags, sequence, _ = HEADER.unpack_from(data, found[-1])
            if sequence != self._sequence:  # left of an answer that was not read to its end
                continue
            over = last in (NLMSG_ERROR, NLMSG_DONE)
            if over and error_code(payload := data[found.pop() + HEADER.size :]):
                raise self._refusal(flags, sequence, payload)
            headers += [size + at for at in found]
            parts.append(data)
            size += len(data)
            if over or size >= _BLOCK:
                yield b"".join(parts), np.array(headers, dtype=np.int64)
                parts, size, headers = [], 0, []
            if over:
                return


def _headers(data: bytes) -> list[int]:
    """Where the messages of a datagram begin. The kernel pads each of them. Raises OSError."""
    at, found = 0, list[int]()
    words = memoryview(data[: len(data) & ~3]).cast("I")
    while at < len(data):
        length = words[at // 4] if at + HEADER.size <= len(data) else 0
        if length < HEADER.size:
            raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
        found.append(at)
        at += length + -length % 4
    return found
