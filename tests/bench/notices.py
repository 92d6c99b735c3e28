"""The kernel's own count of what was written: its notices of set elements, but for banlistd's markers.

Whoever listens slows the writer down, so what is counted is not timed.
"""

import socket
from contextlib import suppress
from types import TracebackType
from typing import Self

from banlistd.adapters.firewalls.nftables.sets import APPLIED
from banlistd.adapters.netlink.messages import (
    HEADER,
    NFT_MSG_DELSETELEM,
    NFT_MSG_NEWSETELEM,
    attributes,
    decode_text,
    each_attribute,
)
from banlistd.adapters.netlink.nft_monitor import NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES
from banlistd.adapters.netlink.wire import NETLINK_NETFILTER, SO_RCVBUFFORCE, SOL_NETLINK

_NFGENMSG = 4
_NAME, _ELEMENTS = 2, 3  # NFTA_SET_ELEM_LIST_SET and _ELEMENTS
_BUFFER = 64 << 20
_DATAGRAM = 1 << 16


class Notices:
    """Listens where it is made. Raises OSError where notices were lost."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, _BUFFER)
        self._socket.bind((0, 0))
        self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._socket.close()

    def elements(self) -> int:
        """How many elements were added or removed since the last call."""
        count = 0
        with suppress(BlockingIOError):
            while True:
                count += _elements_of(self._socket.recv(_DATAGRAM, socket.MSG_DONTWAIT))
        return count


def _elements_of(datagram: bytes) -> int:
    count = at = 0
    while at + HEADER.size <= len(datagram):
        length, kind, *_ = HEADER.unpack_from(datagram, at)
        if kind & 0xFF in (NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM):
            fields = attributes(datagram[at + HEADER.size + _NFGENMSG : at + length])
            if decode_text(fields[_NAME]) != APPLIED:
                count += sum(1 for _ in each_attribute(fields[_ELEMENTS]))
        at += length + -length % 4
    return count
