"""Which other processes write to one nf_tables table: a socket in the kernel's multicast group of nf_tables notices.

We leave the group for our own commits, because notices double their time (measured: 100,000 elements in 0.65 s instead of
0.34 s). The generation then shows whether another process wrote in the meantime.
"""

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from banlistd.adapters.netlink.notices import CommitEnd, Touched, read_notices
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.adapters.netlink.wire import NETLINK_NETFILTER, SO_RCVBUFFORCE, SOL_NETLINK, widen

NETLINK_ADD_MEMBERSHIP = 1
NETLINK_DROP_MEMBERSHIP = 2
NFNLGRP_NFTABLES = 7

RECEIVE_BUFFER = 4 << 20
"""Octets; room for the notices of some 20,000 elements that another process loads before we read. The kernel takes the memory
only when it is needed."""

# A datagram of notices is one page or two (NLMSG_GOODSIZE); a larger one is a single notice, at most 64 KiB.
_DATAGRAM = 1 << 16
# So many datagrams in one go, a millisecond or two, before the event loop gets its turn.
_MAX_AT_ONCE = 256
# Changes of other tables are read in lumps, at most once in this time (seconds): a storm of commits then costs little.
_LUMP = 0.02
_MAX_CULPRITS = 3


@dataclass(slots=True)
class Certainty:
    """One inspection of the table. `close`: it is not known what to look for. `sound`: the inspection found no fault."""

    close: bool = False
    sound: bool = False


@dataclass(slots=True)
class Absence:
    """The time while we are out of the group: how many commits were our own."""

    commits: int = 0


class Monitor:
    """What other processes did to one table of family inet. The event loop calls `wait`; any thread may call the rest.

    `touched` grows until `forget` takes from it. `uncertain`: another process wrote, and it is not known what (notices were
    lost, or it wrote while we were out of the group). Opening raises OSError.
    """

    def __init__(self, table: str, wire: NetlinkSocket, receive_buffer: int = RECEIVE_BUFFER) -> None:
        self.touched: frozenset[Touched] = frozenset()
        self.uncertain = False
        self._culprits: dict[str, None] = {}
        self._unreported = False
        # Whether a report stays although what it was about has been written anew.
        self._settled = False
        # Whether a report was taken, and no inspection or change of ours has followed yet.
        self._taken = False
        self._of_this_commit: set[Touched] = set()
        self._lock = threading.Lock()
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._table = table
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
        """Wait until another process touches our table, since the last call; the culprits, "" where they are not known."""
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
            if self.read(_MAX_AT_ONCE) and self._is_quiet():
                await asyncio.sleep(_LUMP)
        return culprits

    def read(self, limit: int | None = None) -> bool:
        """Take in the notices that have arrived, at most `limit` datagrams. True: no more are there."""
        with self._lock:
            return self._read(limit)

    def forget(self, touched: AbstractSet[Touched]) -> None:
        """`touched` does not concern us. Where nothing is left, there is nothing to report either."""
        with self._lock:
            self.touched = self.touched - touched
            self._drop_report()

    def settle(self, touched: AbstractSet[Touched]) -> None:
        """`touched` has been written anew. What another process did stays to be reported, unless a report was taken already:
        that one led to the change, or will find it.
        """
        with self._lock:
            self.touched = self.touched - touched
            if self._taken:
                self._drop_report()
            self._taken, self._settled = False, self._unreported

    @contextmanager
    def certainty(self) -> Iterator[Certainty]:
        """An inspection of the table, after all notices are read; what is uncertain stays so unless it is found sound."""
        with self._lock:
            self._read(None)
            certainty, self.uncertain = Certainty(close=self.uncertain), False
        try:
            yield certainty
        finally:
            if certainty.close and not certainty.sound:
                self.uncertain = True
            if certainty.sound:
                self._taken = False

    @contextmanager
    def away(self, wire: NetlinkSocket) -> Iterator[Absence]:
        """Leave the group for commits of our own; the caller counts them in the Absence."""
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
        """Count every commit up to the present generation as seen: a notice of one that arrives later reports nothing new."""
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

    def _drop_report(self) -> None:
        if not (self.touched or self.uncertain or self._settled):
            self._unreported = False
            self._culprits.clear()

    def _is_quiet(self) -> bool:
        return not (self._unreported or self._of_this_commit)

    def _take_report(self) -> str | None:
        with self._lock:
            if not self._unreported:
                return None
            self._unreported, self._taken, self._settled = False, True, False
            culprits = ", ".join(self._culprits)
            self._culprits.clear()
            return culprits

    def _read(self, limit: int | None) -> bool:
        remaining = limit
        while remaining is None or remaining > 0:
            try:
                data = self._socket.recv(_DATAGRAM)
            except BlockingIOError:
                return True
            except OSError as exc:
                if exc.errno != errno.ENOBUFS:
                    raise
                self._doubt()
                continue
            for notice in read_notices(data, self._table):
                if isinstance(notice, Touched):
                    self._of_this_commit.add(notice)
                else:
                    self._end_commit(notice)
            remaining = None if remaining is None else remaining - 1
        return False

    def _end_commit(self, end: CommitEnd) -> None:
        touched, self._of_this_commit = self._of_this_commit, set()
        if end.generation <= self._seen:
            return
        self._seen = end.generation
        if touched:
            self.touched = self.touched | touched
            if len(self._culprits) < _MAX_CULPRITS:
                self._culprits[end.author] = None
            self._report()

    def _doubt(self) -> None:
        self.uncertain = True
        self._report()

    def _report(self) -> None:
        self._unreported = True
        if self._waiting is not None:
            loop, news = self._waiting
            with suppress(RuntimeError):  # the loop has ended, and with it the task that waited
                loop.call_soon_threadsafe(news.set)
