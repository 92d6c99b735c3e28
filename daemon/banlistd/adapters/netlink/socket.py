"""The wire to nf_tables: messages, attributes, batches, one socket. No policy: what is sent is decided above.

Names are those of the kernel's headers (linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h).
Integers in attributes are big-endian unless said otherwise; headers are in the machine's order.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Mapping
from typing import Self

SOL_NETLINK = 270
NETLINK_NETFILTER = 12
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_ACK_TLVS = 0x200
NLM_F_DUMP = 0x300
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800
NLMSG_ERROR = 2
NLMSG_DONE = 3
NLMSGERR_ATTR_MSG = 1
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

NFNL_SUBSYS_NFTABLES = 10
NFNL_MSG_BATCH_BEGIN = 0x10
NFNL_MSG_BATCH_END = 0x11
NFNL_BATCH_GENID = 1
NFPROTO_INET = 1

NFT_MSG_NEWTABLE = 0
NFT_MSG_GETTABLE = 1
NFT_MSG_DELTABLE = 2
NFT_MSG_NEWCHAIN = 3
NFT_MSG_GETCHAIN = 4
NFT_MSG_DELCHAIN = 5
NFT_MSG_NEWRULE = 6
NFT_MSG_GETRULE = 7
NFT_MSG_DELRULE = 8
NFT_MSG_NEWSET = 9
NFT_MSG_GETSET = 10
NFT_MSG_DELSET = 11
NFT_MSG_NEWSETELEM = 12
NFT_MSG_GETSETELEM = 13
NFT_MSG_DELSETELEM = 14
NFT_MSG_NEWGEN = 15
NFT_MSG_GETGEN = 16
NFT_MSG_NEWOBJ = 18
NFT_MSG_GETOBJ = 19
NFT_MSG_DELOBJ = 20
NFT_MSG_NEWFLOWTABLE = 22
NFT_MSG_DELFLOWTABLE = 24

NFTA_LIST_ELEM = 1
NFTA_GEN_ID = 1

HEADER = struct.Struct("=IHHII")
_NFGENMSG = struct.Struct("!BBH")
_ATTRIBUTE = struct.Struct("=HH")
_ERRNO = struct.Struct("=i")
# A dump fills as much as the reader offers, up to 32 KiB; errors with their messages are far smaller.
_RECEIVE = 1 << 16
# Of 1,000 element messages each may be answered by an error of some 100 octets, which the kernel counts as 768.
_REPLIES = 1 << 20
# The kernel keeps this much of a send buffer for itself (netlink_sendmsg refuses len > sk_sndbuf - 32).
_SEND_SLACK = 4096
_TRIES_OF_A_DUMP = 10


class NetlinkError(OSError):
    """The kernel refused a message: errno, the kernel's own words if it has any, and the message's number."""

    def __init__(self, code: int, words: str, sequence: int) -> None:
        super().__init__(code, words or os.strerror(code))
        self.sequence = sequence


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded to four octets."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def number_attribute(kind: int, value: int) -> bytes:
    """A 32-bit attribute in network order, as nf_tables wants nearly all of its numbers."""
    return attribute(kind, struct.pack("!I", value & 0xFFFFFFFF))


def text_attribute(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode("ascii") + b"\0")


def message(kind: int, flags: int, sequence: int, body: bytes, family: int = NFPROTO_INET) -> bytes:
    """One nf_tables message."""
    return framed(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, sequence, _NFGENMSG.pack(family, 0, 0) + body)


def framed(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    """One message of any part of the kernel; `kind` names the part as well, payload begins with the part's own header."""
    return HEADER.pack(HEADER.size + len(payload), kind, flags | NLM_F_REQUEST, sequence, 0) + payload


def attributes(data: bytes) -> Mapping[int, bytes]:
    """The attributes in `data`, by kind; of several of one kind the last."""
    return dict(each_attribute(data))


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            return
        yield kind & NLA_TYPE_MASK, data[at + _ATTRIBUTE.size : at + length]
        at += length + -length % 4


def decode_number(payload: bytes) -> int:
    return int.from_bytes(payload, "big")


def decode_text(payload: bytes) -> str:
    return payload.rstrip(b"\0").decode("utf-8", "replace")


class Batch:
    """Messages that the kernel carries out together or not at all. Elements go in as ready blocks, without a copy."""

    def __init__(self, generation: int | None) -> None:
        """`generation`: that of the ruleset we looked at; the kernel refuses the batch with ERESTART at any other."""
        self._sequence = 0
        self.parts: list[bytes | memoryview] = []
        self._frame(NFNL_MSG_BATCH_BEGIN, b"" if generation is None else number_attribute(NFNL_BATCH_GENID, generation))

    @property
    def next_sequence(self) -> int:
        """The number that the next message or block bears; the kernel names it in an error."""
        return self._sequence

    @property
    def octets(self) -> int:
        return sum(memoryview(part).nbytes for part in self.parts)

    def add(self, kind: int, flags: int, body: bytes) -> int:
        sequence = self._sequence
        self.parts.append(message(kind, flags, sequence, body))
        self._sequence += 1
        return sequence

    def add_block(self, block: memoryview) -> None:
        """Whole messages, all of which bear the number `next_sequence`."""
        self.parts.append(block)
        self._sequence += 1

    def end(self) -> None:
        self._frame(NFNL_MSG_BATCH_END, b"")

    def _frame(self, kind: int, body: bytes) -> None:
        self.parts.append(framed(kind, 0, self._sequence, _NFGENMSG.pack(0, 0, NFNL_SUBSYS_NFTABLES) + body))
        self._sequence += 1


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
        """Become another socket: a table that belongs to this one has no owner any more."""
        self._socket.close()
        self._open()

    @property
    def port(self) -> int:
        """The kernel's number of this socket; it names the owner of a table."""
        return int(self._socket.getsockname()[0])

    def generation(self) -> int:
        """The number of the ruleset's present state; every commit, by whomever, makes another."""
        (reply,) = self.get(NFT_MSG_GETGEN, b"", family=0)
        return decode_number(reply[NFTA_GEN_ID])

    def get(self, kind: int, body: bytes, family: int = NFPROTO_INET) -> list[Mapping[int, bytes]]:
        """Ask for one thing, or for several elements of a set: the attributes of each answer."""
        self._sequence += 1
        # An acknowledgement marks the end: an answer about several elements has no other.
        self._socket.send(message(kind, NLM_F_ACK, self._sequence, body, family))
        return [attributes(payload[_NFGENMSG.size :]) for _, payload in self._replies()]

    def dump(self, kind: int, body: bytes) -> list[Mapping[int, bytes]]:
        """Ask for all things of a kind. Begins anew where the ruleset changed meanwhile."""
        for _ in range(_TRIES_OF_A_DUMP):
            self._sequence += 1
            self._socket.send(message(kind, NLM_F_DUMP, self._sequence, body))
            found, interrupted = [], False
            for flags, payload in self._replies():
                interrupted |= bool(flags & NLM_F_DUMP_INTR)
                found.append(attributes(payload[_NFGENMSG.size :]))
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
    """Forced goes beyond net.core.[rw]mem_max, but only with CAP_NET_ADMIN in the first user namespace."""
    try:
        wire.setsockopt(socket.SOL_SOCKET, forced, octets)
    except PermissionError:
        wire.setsockopt(socket.SOL_SOCKET, plain, octets)


def each_message(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, number and payload of each message of a datagram."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            return
        yield kind, flags, sequence, data[at + HEADER.size : at + length]
        at += length + -length % 4


def _raise_if_refused(flags: int, sequence: int, payload: bytes) -> None:
    (code,) = _ERRNO.unpack_from(payload)
    if not code:
        return
    words = ""
    if flags & NLM_F_ACK_TLVS:
        words = decode_text(attributes(payload[_ERRNO.size + HEADER.size :]).get(NLMSGERR_ATTR_MSG, b""))
    raise NetlinkError(-code, words, sequence)
