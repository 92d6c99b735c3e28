"""What this process uses of the machine."""

import os
import resource
from pathlib import Path

_STATM = Path("/proc/self/statm")


def resident_octets() -> int:
    """The resident memory (proc_pid_statm(5)); 0 where it cannot be read."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def processor_seconds() -> float:
    """Of this process alone, user and system together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
