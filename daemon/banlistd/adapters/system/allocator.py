"""How glibc keeps memory for us: large blocks go back to the system at once, small ones are used again without a page fault.

glibc learns from what is freed: after a few blocks of megabytes it cuts such blocks from its heap, of which each thread has
one, gives the end of it back, and asks for it again a moment later. To parse a million lines took 34,000 page faults that way,
85 ms where 34 are enough, and twice the memory that was ever in use stayed ours (measured). Any setting ends the learning. On
another libc all of this is nothing.
"""

import ctypes
from functools import cache
from typing import Any

# <malloc.h>
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8

_LARGE = 1 << 20
"""Octets. The temporaries of a block of text (`core.feeds.parsers.text`) are at most 600 KB, columns of large lists more."""

_KEPT = 4 << 20
"""Octets of free heap at its end: more than those temporaries take up together (measured: with 2 MB the faults come back)."""


@cache
def _libc() -> Any:
    return ctypes.CDLL(None)


def tune_malloc() -> None:
    """Before the first thread is started."""
    if hasattr(_libc(), "mallopt"):
        for setting, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE), (_M_TRIM_THRESHOLD, _KEPT)):
            _libc().mallopt(setting, value)


def trim_memory() -> None:
    """Free pages go back to the system, also those between blocks in use: some milliseconds, in a worker thread."""
    if hasattr(_libc(), "malloc_trim"):
        _libc().malloc_trim(0)
