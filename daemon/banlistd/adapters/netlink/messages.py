"""Netlink messages as octets: constants, attributes, frames, and batches for nf_tables. Pure: nothing is sent here.

Names are those of the kernel's headers (linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h).
Integers in attributes are big-endian unless the docstring says otherwise; headers are in the machine's byte order.
"""

import struct
from collections.abc import Iterator, Mapping

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
NFT_MSG_GETFLOWTABLE = 23
NFT_MSG_DELFLOWTABLE = 24

NFTA_LIST_ELEM = 1
NFTA_GEN_ID = 1

HEADER = struct.Struct("=IHHII")
"""The header of a message: length, kind, flags, number, port."""

NFGENMSG = struct.Struct("!BBH")
"""The header of every netfilter message: family, version, resource."""

_ATTRIBUTE = struct.Struct("=HH")


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
    return framed(NFNL_SUBSYS_NFTABLES << 8 | kind, flags, sequence, NFGENMSG.pack(family, 0, 0) + body)


def framed(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    """One message of any part of the kernel; `kind` names the part as well, payload begins with the part's own header."""
    return HEADER.pack(HEADER.size + len(payload), kind, flags | NLM_F_REQUEST, sequence, 0) + payload


def attributes(data: bytes) -> Mapping[int, bytes]:
    """The attributes in `data`, by kind; of several of one kind the last."""
    # As each_attribute, written out: thousands of counters have twenty attributes each.
    found, offset, end, header = {}, 0, len(data), _ATTRIBUTE.size
    while offset + header <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < header or offset + length > end:
            break
        found[kind & NLA_TYPE_MASK] = data[offset + header : offset + length]
        offset += length + -length % 4
    return found


def each_attribute(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size or offset + length > len(data):
            return
        yield kind & NLA_TYPE_MASK, data[offset + _ATTRIBUTE.size : offset + length]
        offset += length + -length % 4


def decode_number(payload: bytes) -> int:
    return int.from_bytes(payload, "big")


def decode_text(payload: bytes) -> str:
    return payload.rstrip(b"\0").decode("utf-8", "replace")


def each_message(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Kind, flags, number and payload of each message of a datagram."""
    offset = 0
    while offset + HEADER.size <= len(data):
        length, kind, flags, sequence, _ = HEADER.unpack_from(data, offset)
        if length < HEADER.size or offset + length > len(data):
            return
        yield kind, flags, sequence, data[offset + HEADER.size : offset + length]
        offset += length + -length % 4


class Batch:
    """Messages that the kernel carries out together or not at all. Elements go in as ready blocks, without a copy.

    Other messages are joined: one call sends no more than 1,024 parts (IOV_MAX), and each source needs several messages.
    """

    def __init__(self, generation: int | None) -> None:
        """`generation`: that of the ruleset we looked at; the kernel refuses the batch with ERESTART at any other."""
        self._sequence = 0
        self.parts: list[bytearray | memoryview] = []
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
        self._append(message(kind, flags, sequence, body))
        return sequence

    def add_block(self, block: memoryview) -> None:
        """Whole messages, all of which bear the number `next_sequence`."""
        self.parts.append(block)
        self._sequence += 1

    def end(self) -> None:
        self._frame(NFNL_MSG_BATCH_END, b"")

    def _frame(self, kind: int, body: bytes) -> None:
        self._append(framed(kind, 0, self._sequence, NFGENMSG.pack(0, 0, NFNL_SUBSYS_NFTABLES) + body))

    def _append(self, one: bytes) -> None:
        if self.parts and isinstance(self.parts[-1], bytearray):
            self.parts[-1] += one
        else:
            self.parts.append(bytearray(one))
        self._sequence += 1
