"""A netlink socket for nf_tables: questions, dumps and commits. No policy: the caller decides what is sent.

Names are those of the kernel's headers (linux/netlink.h, asm-generic/socket.h).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Self

from banlistd.adapters.netlink.messages import (
    HEADER,
    NFGENMSG,
    NFPROTO_INET,
    NFT_MSG_GETGEN,
    NFTA_GEN_ID,
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
    Batch,
    attributes,
    decode_number,
    decode_text,
    each_message,
    message,
)

SOL_NETLINK = 270
NETLINK_NETFILTER = 12
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

_ERRNO = struct.Struct("=i")
# A dump fills as much as the reader offers, up to 32 KiB; errors with their messages are far smaller.
_RECEIVE = 1 << 16
# Of 1,000 element messages each may be answered by an error of some 100 octets, which the kernel counts as 768.
_REPLIES = 1 << 20
# The kernel keeps this much of a send buffer for itself (netlink_sendmsg refuses len > sk_sndbuf - 32).
_SEND_SLACK = 4096
_TRIES_OF_A_DUMP = 10


class NetlinkError(OSError):
    """The kernel refused a message: errno, the kernel's own message if it sent one, and the sequence number."""

    def __init__(self, code: int, reason: str, sequence: int) -> None:
        super().__init__(code, reason or os.strerror(code))
        self.sequence = sequence


class NetlinkSocket:
    """One socket, for one thread at a time. Every call blocks; errors are OSError, those of the kernel NetlinkError."""

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

    def reopen(self) -> None:
        """Replace the socket by a new one: a table that the old one owns has no owner any more."""
        self._socket.close()
        self._open()

    @property
    def port(self) -> int:
        """The kernel's number of this socket; it names the owner of a table."""
        return int(self._socket.getsockname()[0])

    def generation(self) -> int:
        """The number of the ruleset's present state; every commit, by any process, makes another."""
        (reply,) = self.get(NFT_MSG_GETGEN, b"", family=0)
        return decode_number(reply[NFTA_GEN_ID])

    def get(self, kind: int, body: bytes, family: int = NFPROTO_INET) -> list[Mapping[int, bytes]]:
        """Ask for one thing, or for several elements of a set: the attributes of each answer."""
        self._sequence += 1
        # An acknowledgement marks the end: an answer about several elements has no other.
        self._socket.send(message(kind, NLM_F_ACK, self._sequence, body, family))
        return [attributes(payload[NFGENMSG.size :]) for _, payload in self._replies()]

    def dump(self, kind: int, body: bytes) -> list[Mapping[int, bytes]]:
        """Ask for all things of a kind. Begins anew where the ruleset changed meanwhile."""
        for _ in range(_TRIES_OF_A_DUMP):
            self._sequence += 1
            self._socket.send(message(kind, NLM_F_DUMP, self._sequence, body))
            found, interrupted = [], False
            for flags, payload in self._replies():
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                found.append(attributes(payload[NFGENMSG.size :]))
            if not interrupted:
                return found
        raise NetlinkError(errno.EINTR, "the ruleset changes faster than it can be read", self._sequence)

    def _replies(self) -> Iterator[tuple[int, bytes]]:
        """Flags and payload of each answer to our last question, up to its end."""
        while True:
            for kind, flags, sequence, payload in each_message(self._socket.recv(_RECEIVE)):
                if sequence != self._sequence:
                    continue
                if kind == NLMSG_ERROR:
                    _raise_if_refused(flags, sequence, payload)
                    return
                if kind == NLMSG_DONE:
                    return
                yield flags, payload

    def commit(self, batch: Batch) -> None:
        """Send a batch, ended and with at least one acknowledged message; returns when the kernel has carried it out.

        Raises NetlinkError with the number of the first refused message; then nothing of the batch has happened.
        """
        wanted = batch.octets + _SEND_SLACK
        if wanted > self._send_buffer:
            widen(self._socket, SO_SNDBUFFORCE, socket.SO_SNDBUF, wanted)
            self._send_buffer = wanted
        drain(self._socket)  # what is left of an answer that was not read to its end
        self._socket.sendmsg(batch.parts)
        # The kernel works while we are in sendmsg: all of its answers are there.
        acknowledged = False
        while True:
            try:
                data = self._socket.recv(_RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            for kind, flags, sequence, payload in each_message(data):
                if kind == NLMSG_ERROR:
                    self._refuse_and_drain(flags, sequence, payload)
                    acknowledged = True
        if not acknowledged:
            raise NetlinkError(errno.EPROTO, "the kernel did not answer a batch", 0)

    def _refuse_and_drain(self, flags: int, sequence: int, payload: bytes) -> None:
        try:
            _raise_if_refused(flags, sequence, payload)
        except NetlinkError:
            drain(self._socket)
            raise


def drain(wire: socket.socket) -> None:
    """Forget what is left of an answer that was not read to its end."""
    while True:
        try:
            wire.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as exc:
            if exc.errno != errno.ENOBUFS:
                raise


def widen(wire: socket.socket, forced: int, plain: int, octets: int) -> None:
    """Set a buffer size. `forced` may exceed net.core.[rw]mem_max, but needs CAP_NET_ADMIN in the first user namespace."""
    try:
        wire.setsockopt(socket.SOL_SOCKET, forced, octets)
    except PermissionError:
        wire.setsockopt(socket.SOL_SOCKET, plain, octets)


def _raise_if_refused(flags: int, sequence: int, payload: bytes) -> None:
    (code,) = _ERRNO.unpack_from(payload)
    if not code:
        return
    reason = ""
    if flags & NLM_F_ACK_TLVS:
        reason = decode_text(attributes(payload[_ERRNO.size + HEADER.size :]).get(NLMSGERR_ATTR_MSG, b""))
    raise NetlinkError(-code, reason, sequence)
