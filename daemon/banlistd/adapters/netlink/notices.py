"""The kernel's notices of nf_tables changes, taken apart: what of one table was touched, and which commit did it. Pure.

A commit, by any process, sends a notice for each object that it touches and then NEWGEN: the new generation, and the process.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from banlistd.adapters.netlink.messages import (
    HEADER,
    NFGENMSG,
    NFNL_SUBSYS_NFTABLES,
    NFPROTO_INET,
    NFT_MSG_DELCHAIN,
    NFT_MSG_DELFLOWTABLE,
    NFT_MSG_DELOBJ,
    NFT_MSG_DELRULE,
    NFT_MSG_DELSET,
    NFT_MSG_DELSETELEM,
    NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWFLOWTABLE,
    NFT_MSG_NEWGEN,
    NFT_MSG_NEWOBJ,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWSET,
    NFT_MSG_NEWSETELEM,
    NFT_MSG_NEWTABLE,
    NFTA_GEN_ID,
    attributes,
    decode_number,
    decode_text,
    each_attribute,
    text_attribute,
)

NFTA_GEN_PROC_PID = 2
NFTA_GEN_PROC_NAME = 3

_FAMILY = bytes((NFPROTO_INET,))


class Thing(StrEnum):
    """What part of a table a notice is about."""

    TABLE = "table"
    CHAIN = "chain"
    RULE = "rule"
    SET = "set"
    ELEMENT = "element"
    OBJECT = "object"


# By kind of message (enum nf_tables_msg_types): the thing, and the attribute that names it; a rule is named by its chain.
_NOTICES: Mapping[int, tuple[Thing, int]] = {
    NFT_MSG_NEWTABLE: (Thing.TABLE, 1),
    NFT_MSG_DELTABLE: (Thing.TABLE, 1),
    NFT_MSG_NEWCHAIN: (Thing.CHAIN, 3),
    NFT_MSG_DELCHAIN: (Thing.CHAIN, 3),
    NFT_MSG_NEWRULE: (Thing.RULE, 2),
    NFT_MSG_DELRULE: (Thing.RULE, 2),
    NFT_MSG_NEWSET: (Thing.SET, 2),
    NFT_MSG_DELSET: (Thing.SET, 2),
    NFT_MSG_NEWSETELEM: (Thing.ELEMENT, 2),
    NFT_MSG_DELSETELEM: (Thing.ELEMENT, 2),
    NFT_MSG_NEWOBJ: (Thing.OBJECT, 2),
    NFT_MSG_DELOBJ: (Thing.OBJECT, 2),
    NFT_MSG_NEWFLOWTABLE: (Thing.OBJECT, 2),
    NFT_MSG_DELFLOWTABLE: (Thing.OBJECT, 2),
}


@dataclass(frozen=True, slots=True)
class Touched:
    """A thing of the table that another process has changed. An element has the name of its set, a rule that of its chain."""

    thing: Thing
    name: str


@dataclass(frozen=True, slots=True)
class CommitEnd:
    """The end of a commit: the new generation, and its author as `nft[4711]`."""

    generation: int
    author: str


def read_notices(data: bytes, table: str) -> Iterator[Touched | CommitEnd]:
    """The notices of one datagram that concern `table` of family inet, and the ends of commits of any table.

    NEWGEN comes in a datagram of its own, at the end. A datagram of other tables' notices only, as when a process loads a
    large set, is not taken apart.
    """
    # The table's name is the first attribute of every notice but NEWGEN.
    named = text_attribute(1, table)
    of_ours = named in data
    offset = 0
    while offset + HEADER.size + NFGENMSG.size <= len(data):
        length, kind = struct.unpack_from("=IH", data, offset)
        if length < HEADER.size + NFGENMSG.size or kind >> 8 != NFNL_SUBSYS_NFTABLES:
            return
        body = offset + HEADER.size
        if kind & 0xFF == NFT_MSG_NEWGEN:
            yield _commit_end(attributes(data[body + NFGENMSG.size : offset + length]))
        elif not of_ours:
            return
        elif data.startswith(_FAMILY, body) and data.startswith(named, body + NFGENMSG.size):
            yield _touched(kind & 0xFF, data[body + NFGENMSG.size : offset + length])
        offset += length + -length % 4


def _touched(kind: int, notice: bytes) -> Touched:
    thing, naming = _NOTICES.get(kind, (Thing.OBJECT, 1))
    name = next((value for which, value in each_attribute(notice) if which == naming), b"")
    return Touched(thing, decode_text(name))


def _commit_end(fields: Mapping[int, bytes]) -> CommitEnd:
    """A process gives itself any name of up to 15 octets, so what is not printable is replaced."""
    name = "".join(letter if letter.isprintable() else "?" for letter in decode_text(fields.get(NFTA_GEN_PROC_NAME, b"")))
    author = f"{name}[{decode_number(fields.get(NFTA_GEN_PROC_PID, b''))}]"
    return CommitEnd(decode_number(fields.get(NFTA_GEN_ID, b"")), author)
