"""A netlink socket of netfilter: how it is opened, how its answers are read, how its errors are named.

Names are those of the kernel's headers (linux/netlink.h, asm-generic/socket.h).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import ClassVar, Self

from banlistd.adapters.netlink.messages import (
    HEADER,
    NLM_F_ACK_TLVS,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
    attributes,
    decode_text,
    each_message,
)

SOL_NETLINK = 270
NETLINK_NETFILTER = 12
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

_ERRNO = struct.Struct("=i")
# A dump fills as much as the reader offers, up to 32 KiB; a refused message of ipset's elements comes back whole, 64 KiB.
_RECEIVE = 1 << 17
# Of 1,000 element messages each may be answered by an error of some 100 octets, which the kernel counts as 768.
_REPLIES = 1 << 20
# The kernel keeps this much of a send buffer for itself (netlink_sendmsg refuses len > sk_sndbuf - 32).
_SEND_SLACK = 4096
# Octets: more than any commit of 10,000 elements with its rules and a thousand markers.
_LARGE = 1 << 20


class NetlinkError(OSError):
    """The kernel refused a message: errno, the kernel's own message if it sent one, and the sequence number."""

    def __init__(self, code: int, reason: str, sequence: int) -> None:
        super().__init__(code, reason or os.strerror(code))
        self.sequence = sequence


class NetfilterWire:
    """One socket, for one thread at a time. Every call blocks; errors are OSError, those of the kernel NetlinkError.

    `reasons`: what error codes mean that are not of errno.
    """

    reasons: ClassVar[Mapping[int, str]] = {}

    def __init__(self) -> None:
        self._sequence = 0
        self._open()

    def _open(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
        self._send_buffer = 0
        try:
            self._socket.bind((0, 0))
            self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            # Without it an error brings the whole refused message back, 64 KiB of elements.
            self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
            widen(self._socket, SO_RCVBUFFORCE, socket.SO_RCVBUF, _REPLIES)
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def _make_room(self, octets: int) -> None:
        """Let a message of this size fit into the send buffer."""
        if octets + _SEND_SLACK > self._send_buffer:
            widen(self._socket, SO_SNDBUFFORCE, socket.SO_SNDBUF, octets + _SEND_SLACK)
            self._send_buffer = octets + _SEND_SLACK

    def room(self) -> int:
        """The octets that one call can send: of a buffer that was asked for, the kernel grants what its limits allow."""
        self._make_room(_LARGE)
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - _SEND_SLACK

    def _replies(self) -> Iterator[tuple[int, bytes]]:
        """Flags and payload of each answer to our last question, up to its end. Raises NetlinkError."""
        while True:
            for kind, flags, sequence, payload in each_message(self._socket.recv(_RECEIVE)):
                if sequence != self._sequence:
                    continue
                if kind == NLMSG_ERROR and error_code(payload):
                    raise self._refusal(flags, sequence, payload)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    return
                yield flags, payload

    def _arrived(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, number and payload of each answer that is there; does not wait for more."""
        while True:
            try:
                data = self._socket.recv(_RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            yield from each_message(data)

    def _drain(self) -> None:
        """Forget what is left of an answer that was not read to its end."""
        while True:
            try:
                self._socket.recv(_RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise

    def _refusal(self, flags: int, sequence: int, payload: bytes) -> NetlinkError:
        code, reason = error_code(payload), ""
        if flags & NLM_F_ACK_TLVS:
            reason = decode_text(attributes(payload[_ERRNO.size + HEADER.size :]).get(NLMSGERR_ATTR_MSG, b""))
        return NetlinkError(code, reason or self.reasons.get(code, ""), sequence)


def error_code(payload: bytes) -> int:
    """The error code in the payload of an error, 0 for an acknowledgement."""
    return -int(_ERRNO.unpack_from(payload)[0])


def widen(wire: socket.socket, forced: int, plain: int, octets: int) -> None:
    """Set a buffer size. `forced` may exceed net.core.[rw]mem_max, but needs CAP_NET_ADMIN in the first user namespace."""
    try:
        wire.setsockopt(socket.SOL_SOCKET, forced, octets)
    except PermissionError:
        wire.setsockopt(socket.SOL_SOCKET, plain, octets)
