"""A netlink socket for ip_set: commands and answers. No policy: the caller decides what is sent.

The kernel carries out everything that one call of `carry_out` sends before our process can be killed, because a signal
ends a process only on its way out of the kernel (measured: 1,000 kills, none in between). Names are those of the kernel's
header linux/netfilter/ipset/ip_set.h. Integers in attributes are big-endian and have a flag that says so.
"""

import errno
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from banlistd.adapters.netlink.messages import (
    NFGENMSG,
    NLM_F_ACK,
    NLM_F_DUMP,
    NLMSG_ERROR,
    attribute,
    attributes,
    decode_number,
    decode_text,
    framed,
    nested,
    text_attribute,
)
from banlistd.adapters.netlink.wire import NetfilterWire, NetlinkError, error_code

NFNL_SUBSYS_IPSET = 6
# Version 7 renamed nothing that is used here; every kernel since 2.6.39 knows 6.
IPSET_PROTOCOL = 6
IPSET_CMD_PROTOCOL = 1
IPSET_CMD_CREATE = 2
IPSET_CMD_DESTROY = 3
IPSET_CMD_FLUSH = 4
IPSET_CMD_SWAP = 6
IPSET_CMD_LIST = 7
IPSET_CMD_ADD = 9
IPSET_CMD_DEL = 10
IPSET_CMD_TEST = 11

IPSET_ATTR_PROTOCOL = 1
IPSET_ATTR_SETNAME = 2
IPSET_ATTR_TYPENAME = 3
IPSET_ATTR_SETNAME2 = 3
IPSET_ATTR_REVISION = 4
IPSET_ATTR_FAMILY = 5
IPSET_ATTR_FLAGS = 6
IPSET_ATTR_DATA = 7
IPSET_ATTR_ADT = 8
IPSET_ATTR_LINENO = 9
IPSET_ATTR_CADT_FLAGS = 8
IPSET_ATTR_HASHSIZE = 18
IPSET_ATTR_MAXELEM = 19
IPSET_ATTR_ELEMENTS = 24
IPSET_ATTR_REFERENCES = 25
IPSET_FLAG_LIST_SETNAME = 1 << 1
IPSET_FLAG_LIST_HEADER = 1 << 2
NLA_F_NET_BYTEORDER = 0x4000
# In a message of ipset: an object to create or add must be new, one to delete must exist.
NLM_F_EXCL = 0x200

IPSET_ERR_BUSY = 4100
IPSET_ERR_EXIST = 4103
IPSET_ERR_REFERENCED = 4108
IPSET_ERR_HASH_FULL = 4352

MESSAGES: Mapping[int, str] = {
    4097: "another version of the protocol",
    4098: "the kernel has no such type of set",
    4099: "there are too many sets",
    IPSET_ERR_BUSY: "the set is in use",
    4101: "one of the sets does not exist",
    4102: "sets of different types",
    IPSET_ERR_EXIST: "an element that exists already, or does not exist",
    IPSET_ERR_REFERENCED: "the set is in use",
    IPSET_ERR_HASH_FULL: "the set is full",
}


@dataclass(frozen=True, slots=True)
class Header:
    """A set as the kernel reports it. `family`: the kernel's number. `size`: the largest number of elements."""

    type_name: str
    family: int
    flags: int
    size: int
    elements: int
    references: int


def command(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    payload = NFGENMSG.pack(socket.AF_INET, 0, 0) + attribute(IPSET_ATTR_PROTOCOL, bytes((IPSET_PROTOCOL,))) + body
    return framed(NFNL_SUBSYS_IPSET << 8 | kind, flags, sequence, payload)


def net_order_number(kind: int, value: int) -> bytes:
    return attribute(kind | NLA_F_NET_BYTEORDER, struct.pack("!I", value))


def setname(name: str) -> bytes:
    return text_attribute(IPSET_ATTR_SETNAME, name)


class Commands:
    """Commands in order, each with a number. After a refused command the kernel still carries out the following ones."""

    def __init__(self) -> None:
        self._sequence = 0
        self.parts: list[bytes] = []

    @property
    def next_sequence(self) -> int:
        return self._sequence + 1

    def add(self, kind: int, body: bytes, *, strict: bool = True) -> None:
        """Add one command. `strict`: the kernel refuses it if it would change nothing."""
        self._sequence += 1
        self.parts.append(command(kind, NLM_F_EXCL if strict else 0, self._sequence, body))

    def add_block(self, messages: Sequence[bytes]) -> None:
        """Add encoded messages, all of which have the number `next_sequence`."""
        self._sequence += 1
        self.parts += messages

    def swap(self, one: str, other: str) -> None:
        self.add(IPSET_CMD_SWAP, setname(one) + text_attribute(IPSET_ATTR_SETNAME2, other))

    def destroy(self, name: str) -> None:
        self.add(IPSET_CMD_DESTROY, setname(name))

    def flush(self, name: str) -> None:
        self.add(IPSET_CMD_FLUSH, setname(name))


class IpsetSocket(NetfilterWire):
    """The wire of ip_set."""

    reasons = MESSAGES

    def names(self) -> frozenset[str]:
        """The names of all sets of this network namespace, also of other programs."""
        answers = self._dump(net_order_number(IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_SETNAME))
        return frozenset(decode_text(attributes(answer).get(IPSET_ATTR_SETNAME, b"")) for answer in answers)

    def header(self, name: str) -> Header | None:
        """None if the set does not exist. The kernel counts the elements for it: 16 ms for a million (measured)."""
        try:
            answers = self._dump(setname(name) + net_order_number(IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_HEADER))
        except NetlinkError as exc:
            if exc.errno != errno.ENOENT:
                raise
            return None
        about = attributes(answers[0])
        fields = attributes(about.get(IPSET_ATTR_DATA, b""))
        flags, size, elements, references = (
            decode_number(fields.get(kind, b""))
            for kind in (IPSET_ATTR_CADT_FLAGS, IPSET_ATTR_MAXELEM, IPSET_ATTR_ELEMENTS, IPSET_ATTR_REFERENCES)
        )
        family = decode_number(about.get(IPSET_ATTR_FAMILY, b""))
        return Header(decode_text(about.get(IPSET_ATTR_TYPENAME, b"")), family, flags, size, elements, references)

    def dump(self, name: str) -> bytes:
        """All elements of a set, as attributes one after the other; none if the set does not exist."""
        try:
            answers = self._dump(setname(name))
        except NetlinkError as exc:
            if exc.errno != errno.ENOENT:
                raise
            return b""
        return b"".join(attributes(answer).get(IPSET_ATTR_ADT, b"") for answer in answers)

    def test(self, name: str, elements: Sequence[bytes]) -> list[bool]:
        """For each element, given by its attributes, whether the set contains it. All False if the set does not exist."""
        first = self._sequence + 1
        self._sequence += len(elements)
        body = setname(name)
        messages = [
            command(IPSET_CMD_TEST, NLM_F_ACK, first + index, body + nested(IPSET_ATTR_DATA, element))
            for index, element in enumerate(elements)
        ]
        if not messages:
            return []
        self._drain()
        self._send(messages)
        codes = {sequence: code for sequence, code in self._codes() if sequence >= first}
        unexpected = set(codes.values()) - {0, IPSET_ERR_EXIST, errno.ENOENT}
        if unexpected:
            raise _refusal(unexpected.pop(), first)
        return [codes.get(first + index) == 0 for index in range(len(elements))]

    def carry_out(self, commands: Commands) -> None:
        """Send all commands at once; returns when the kernel has carried them out.

        Raises NetlinkError with the number of the first refused command; all others were carried out. Raises OSError with
        EMSGSIZE if they do not fit into a send buffer; then none was carried out.
        """
        self._drain()
        end = commands.next_sequence
        self._send([*commands.parts, command(IPSET_CMD_PROTOCOL, NLM_F_ACK, end, b"")])
        # The kernel works while we are in send: all of its answers have arrived.
        codes = list(self._codes())
        for sequence, code in codes:
            if code:
                raise _refusal(code, sequence)
        if not codes:
            raise NetlinkError(errno.EPROTO, "the kernel did not answer", end)

    def _send(self, messages: Sequence[bytes]) -> None:
        whole = b"".join(messages)
        self._make_room(len(whole))
        try:
            self._socket.send(whole)
        except OSError as exc:
            if exc.errno != errno.ENOBUFS:
                raise
            raise OSError(errno.EMSGSIZE, "the kernel has no memory for a message of this size") from exc

    def _codes(self) -> Iterator[tuple[int, int]]:
        """Numbers and error codes, 0 for none, of the answers that have arrived."""
        while True:
            try:
                for kind, _, sequence, payload in self._arrived():
                    if kind == NLMSG_ERROR:
                        yield sequence, error_code(payload)
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise
                # Refused messages come back whole: there is no room for many of them.
                yield self._sequence, IPSET_ERR_EXIST
            else:
                return

    def _dump(self, body: bytes) -> list[bytes]:
        """The attributes of each answer."""
        self._drain()
        self._sequence += 1
        self._socket.send(command(IPSET_CMD_LIST, NLM_F_DUMP, self._sequence, body))
        return [payload[NFGENMSG.size :] for _, payload in self._replies()]


def _refusal(code: int, sequence: int) -> NetlinkError:
    return NetlinkError(code, MESSAGES.get(code, ""), sequence)
