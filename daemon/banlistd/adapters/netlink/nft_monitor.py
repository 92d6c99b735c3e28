"""Who else writes to nf_tables: a socket in the kernel's group of notices, for what concerns one table.

A commit, by whomever, sends a notice for each thing that it touches and then NEWGEN: the new generation, and the process. Our
own commits are made out of the group, because notices double their time (measured: 100,000 elements in 0.65 s instead of
0.34 s); the generation tells whether somebody else wrote meanwhile.
"""

import asyncio
import errno
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum

from banlistd.adapters.netlink.socket import (
    HEADER,
    NETLINK_NETFILTER,
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
    SO_RCVBUFFORCE,
    SOL_NETLINK,
    NetlinkSocket,
    attributes,
    decode_number,
    decode_text,
    each_attribute,
    text_attribute,
    widen,
)

NETLINK_ADD_MEMBERSHIP = 1
NETLINK_DROP_MEMBERSHIP = 2
NFNLGRP_NFTABLES = 7
NFTA_GEN_PROC_PID = 2
NFTA_GEN_PROC_NAME = 3

RECEIVE_BUFFER = 4 << 20
"""Octets; some 20,000 elements that somebody else loads while nobody reads. The kernel takes the memory only when needed."""

# A datagram of notices is one page or two (NLMSG_GOODSIZE); what is larger is a single notice, at most 64 KiB.
_DATAGRAM = 1 << 16
# So many datagrams in one go, a millisecond or two, before the event loop gets its turn.
_MOST_AT_ONCE = 256
# What others do to tables of theirs is looked at in lumps: a storm of commits costs a look every so often (seconds).
_LUMP = 0.02
_MOST_CULPRITS = 3
_NFGENMSG = 4


class Thing(StrEnum):
    """What of a table a notice is about."""

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
    """A thing of our table that somebody else has changed. An element goes by the name of its set, a rule by its chain's."""

    thing: Thing
    name: str


@dataclass(slots=True)
class Certainty:
    """A look at the table. `close`: it is not known what to look for. `sound`: nothing was found to be wrong."""

    close: bool = False
    sound: bool = False


@dataclass(slots=True)
class Absence:
    """While we are out of the group: how many commits were our own."""

    commits: int = 0


class Monitor:
    """What others did to one table of family inet. `wait` belongs to the event loop, all else to any thread.

    `touched` grows until `forget` takes from it. `uncertain`: somebody wrote, and it is not known what (notices were lost, or
    it was while we were out of the group). Opening raises OSError.
    """

    def __init__(self, table: str, wire: NetlinkSocket, receive_buffer: int = RECEIVE_BUFFER) -> None:
        self.touched: frozenset[Touched] = frozenset()
        self.uncertain = False
        self._culprits: dict[str, None] = {}
        self._unreported = False
        self._of_this_commit: set[Touched] = set()
        self._lock = threading.Lock()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        # The table's name is the first attribute of every notice but NEWGEN.
        self._named = text_attribute(1, table)
        self._family = bytes((NFPROTO_INET,))
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        try:
            self._socket.bind((0, 0))
            widen(self._socket, SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_buffer)
            self._join(NETLINK_ADD_MEMBERSHIP)
            self._seen = wire.generation()
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        self._socket.close()

    async def wait(self) -> str:
        """Wait until somebody else has touched our table, since the last call; the culprits, or "" where they are not known."""
        loop = asyncio.get_running_loop()
        while (culprits := self._take_report()) is None:
            news = asyncio.Event()
            with self._lock:
                if self._unreported:
                    continue
                self._waiting = loop, news
            loop.add_reader(self._socket, news.set)
            try:
                await news.wait()
            finally:
                loop.remove_reader(self._socket)
                with self._lock:
                    self._waiting = None
            if self.read(_MOST_AT_ONCE) and self._is_quiet():
                await asyncio.sleep(_LUMP)
        return culprits

    def read(self, most: int | None = None) -> bool:
        """Take in the notices that are there, at most so many datagrams; whether there are no more."""
        with self._lock:
            return self._read(most)

    def forget(self, touched: AbstractSet[Touched]) -> None:
        """These have been written anew. Where nothing is left, there is nothing to report either."""
        with self._lock:
            self.touched = self.touched - touched
            if not self.touched and not self.uncertain:
                self._unreported = False
                self._culprits.clear()

    @contextmanager
    def certainty(self) -> Iterator[Certainty]:
        """A look at what stands, after all that is known; what is uncertain stays so unless it is found sound."""
        with self._lock:
            self._read(None)
            certainty, self.uncertain = Certainty(close=self.uncertain), False
        try:
            yield certainty
        finally:
            if certainty.close and not certainty.sound:
                self.uncertain = True

    @contextmanager
    def away(self, wire: NetlinkSocket) -> Iterator[Absence]:
        """Out of the group, for commits of our own, which are to be counted."""
        with self._lock:
            self._join(NETLINK_DROP_MEMBERSHIP)
            self._read(None)
        absence = Absence()
        try:
            yield absence
        finally:
            with self._lock:
                self._join(NETLINK_ADD_MEMBERSHIP)
                self._account(wire, absence.commits)

    def _account(self, wire: NetlinkSocket, commits: int) -> None:
        """A notice that follows, of a generation up to the present one, is of a commit that counts as seen here."""
        try:
            generation = wire.generation()
        except OSError:
            self._doubt()
            return
        if generation - self._seen != commits:
            self._doubt()
        self._seen = generation

    def _join(self, how: int) -> None:
        self._socket.setsockopt(SOL_NETLINK, how, NFNLGRP_NFTABLES)

    def _is_quiet(self) -> bool:
        return not (self._unreported or self._of_this_commit)

    def _take_report(self) -> str | None:
        with self._lock:
            if not self._unreported:
                return None
            self._unreported = False
            culprits = ", ".join(self._culprits)
            self._culprits.clear()
            return culprits

    def _read(self, most: int | None) -> bool:
        left = most
        while left is None or left > 0:
            try:
                data = self._socket.recv(_DATAGRAM)
            except BlockingIOError:
                return True
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise
                self._doubt()
                continue
            self._take_in(data)
            left = None if left is None else left - 1
        return False

    def _take_in(self, data: bytes) -> None:
        """A datagram of nothing but other tables' notices, as when somebody loads a large set, is not even taken apart.

        NEWGEN comes in a datagram of its own, at the end.
        """
        of_ours = self._named in data
        at = 0
        while at + HEADER.size + _NFGENMSG <= len(data):
            length, kind = struct.unpack_from("=IH", data, at)
            if length < HEADER.size + _NFGENMSG or kind >> 8 != NFNL_SUBSYS_NFTABLES:
                return
            body = at + HEADER.size
            if kind & 0xFF == NFT_MSG_NEWGEN:
                self._end_commit(attributes(data[body + _NFGENMSG : at + length]))
            elif not of_ours:
                return
            elif data.startswith(self._family, body) and data.startswith(self._named, body + _NFGENMSG):
                self._note(kind & 0xFF, data[body + _NFGENMSG : at + length])
            at += length + -length % 4

    def _note(self, kind: int, notice: bytes) -> None:
        thing, naming = _NOTICES.get(kind, (Thing.OBJECT, 1))
        name = next((value for which, value in each_attribute(notice) if which == naming), b"")
        self._of_this_commit.add(Touched(thing, decode_text(name)))

    def _end_commit(self, fields: Mapping[int, bytes]) -> None:
        touched, self._of_this_commit = self._of_this_commit, set()
        generation = decode_number(fields.get(NFTA_GEN_ID, b""))
        if generation <= self._seen:
            return
        self._seen = generation
        if touched:
            self.touched = self.touched | touched
            if len(self._culprits) < _MOST_CULPRITS:
                self._culprits[_culprit(fields)] = None
            self._report()

    def _doubt(self) -> None:
        self.uncertain = True
        self._report()

    def _report(self) -> None:
        self._unreported = True
        if self._waiting is not None:
            loop, news = self._waiting
            with suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                loop.call_soon_threadsafe(news.set)


def _culprit(fields: Mapping[int, bytes]) -> str:
    """`nft[4711]`. A process gives itself any name of up to 15 octets."""
    name = "".join(letter if letter.isprintable() else "?" for letter in decode_text(fields.get(NFTA_GEN_PROC_NAME, b"")))
    return f"{name}[{decode_number(fields.get(NFTA_GEN_PROC_PID, b''))}]"
