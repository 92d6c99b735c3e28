"""Free memory that is really there. A virtual machine gives what is free back to its host within seconds, and gets it again
page by page: 1 GB that nobody has used for a while takes 3.0 s to be touched, and 0.4 s right after that (measured). Whoever is
measured next would pay for it.

What follows at once runs slower all the same, while the host takes that memory back: an update of 7,387 entries took 188 to 230
ms so, and 49 to 90 ms otherwise (measured). So this is only for samples that take much memory.
"""

import mmap
import os
from contextlib import suppress

_MOST = 3 << 30
"""Octets: more than any sample takes, the kernel's part included."""


def fetch() -> None:
    """Touch as much as a sample may need, a half of what is free at most, and let go of it at once."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    with suppress(OSError), mmap.mmap(-1, max(mmap.PAGESIZE, min(_MOST, free // 2)), flags=flags):
        pass
