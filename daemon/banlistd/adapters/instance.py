"""One daemon for one state directory: a lock that the kernel takes back when its holder dies, however it dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from banlistd.errors import AlreadyRunningError, LedgerError


@contextmanager
def only_instance(state: Path) -> Iterator[None]:
    """Hold the lock. Raises AlreadyRunningError where another process does.

    The directory itself is locked: that needs no file to be made, on a disk that may be full or read-only.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise LedgerError(f"the state directory {state} cannot be used: {error.strerror}", "see --state DIR") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunningError(
                f"another banlistd works on {state}", "use banlistctl refresh, or stop it first"
            ) from error
        yield
    finally:
        os.close(descriptor)
