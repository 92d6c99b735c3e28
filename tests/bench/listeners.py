"""Who else on the machine listens to nf_tables. One listener in any namespace, and the kernel makes a notice of 8 KiB for each
element of every commit in all namespaces, and keeps them until the commit is over (measured, Linux 6.18: 299,000 elements take
0.56 s and 2.4 GB of slab instead of 0.30 s).
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from banlistd.adapters.netlink.nft_monitor import NFNLGRP_NFTABLES
from banlistd.adapters.netlink.wire import NETLINK_NETFILTER
from bench.measuring import processes

NOTICE = 8192
"""Octets of kernel memory for an element, while somebody listens."""

_GROUP = 1 << NFNLGRP_NFTABLES - 1
_PAUSE = 0.2


def listeners() -> int:
    """How many sockets listen that are neither this process's nor of one that it has started."""
    found = {inode for table in _tables() for inode in listening(table)}
    return len(found - _inodes_of_ours()) if found else 0


def await_silence(patience: float) -> bool:
    """Wait, for so many seconds, until nobody else listens; whether that is so."""
    end = time.monotonic() + patience
    while listeners():
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True


def listening(table: str) -> Iterator[int]:
    """The inodes of the sockets in the group of nf_tables, of a /proc/net/netlink."""
    for line in table.splitlines()[1:]:
        _, protocol, _, groups, *_, inode = line.split()
        if int(protocol) == NETLINK_NETFILTER and int(groups, 16) & _GROUP:
            yield int(inode)


def room() -> int:
    """So many elements may be loaded on a machine where somebody listens now and then: their notices fill a quarter of it.

    More, and the kernel ends processes that are not ours (measured: 3,200,000 elements, 26 GB).
    """
    (line,) = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal:"))
    return int(line.split()[1]) * 1024 // 4 // NOTICE


def _tables() -> Iterator[str]:
    """/proc/net/netlink of each network namespace in which a thread lives. Processes come and go meanwhile."""
    seen = set()
    for process in processes():
        with suppress(OSError):
            for task in (process / "task").iterdir():
                namespace = (task / "ns" / "net").readlink()
                if namespace not in seen:
                    seen.add(namespace)
                    yield (task / "net" / "netlink").read_text()


def _inodes_of_ours() -> set[int]:
    """Of all sockets of this process and its descendants. (A socket's port names its process only sometimes.)"""
    found = set()
    for process in processes():
        with suppress(OSError):
            if _is_ours(int(process.name)):
                links = (str(descriptor.readlink()) for descriptor in (process / "fd").iterdir())
                found |= {int(link[8:-1]) for link in links if link.startswith("socket:[")}
    return found


def _is_ours(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
