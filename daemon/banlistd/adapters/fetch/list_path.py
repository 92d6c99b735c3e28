"""Opens the file of a list so that only a list is read, even if others may write to its folder.

The daemon reads what other accounts cannot: credentials, its configuration, its database. An account that may replace a list
could put a symbolic link to such a file in its place, and a refused list would quote the first line. So a link is followed only
if root, the daemon's account or the owner of the file itself made it, as the kernel does in sticky folders
(fs.protected_symlinks), and no path may enter a folder of credentials.
"""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path, PurePath

from banlistd.core.download.same_publisher import publisher_of_file
from banlistd.core.printing import quoted
from banlistd.errors import FetchError

_READ_AT_ONCE = 1 << 17
"""Bytes: what stays in a core's own cache until it is hashed."""

_MAX_LINKS = 40  # as the kernel, path_resolution(7)
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def open_list(path: Path, closed: Iterable[Path], trusted: frozenset[int], *, pipe: bool = False) -> int:
    """A descriptor of the regular file that an absolute `path` leads to. Raises FetchError and OSError.

    `closed`: folders that no path may enter. `trusted`: the accounts whose links are followed to any file. `pipe`: a named pipe
    (FIFO) is expected in its place, and opened once another program writes to it.

    Each step is opened from the one before, so no account can change what was checked.
    """
    forbidden = {identity for folder in closed if (identity := _identity(folder)) is not None}
    steps = _steps(path)
    makers: set[int] = set()
    folder = os.open("/", _LOOK | os.O_DIRECTORY)
    try:
        links = 0
        while steps:
            step = steps.pop()
            if steps and (inner := _folder(step, folder)) is not None:
                os.close(folder)
                folder = inner
                _must_not_be(forbidden, path, folder)
                continue
            found = os.open(step, _LOOK, dir_fd=folder)
            try:
                status = os.fstat(found)
                target = os.readlink("", dir_fd=found) if stat.S_ISLNK(status.st_mode) else None
            finally:
                os.close(found)
            if target is not None:
                links += 1
                if links > _MAX_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                makers.add(status.st_uid)
                steps += _steps(PurePath(target))
                step = "/" if target.startswith("/") else "."
            elif not steps:
                # Before open: to open a device may set something off.
                if not (pipe and stat.S_ISFIFO(status.st_mode)):
                    must_be_regular(path, status)
                return _opened(path, folder, step, makers - trusted, wait=pipe)
            # O_DIRECTORY: it mounts what is mounted on demand, as O_PATH alone does not.
            inner = os.open(step, _LOOK | os.O_DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
            _must_not_be(forbidden, path, folder)
        raise _not_regular(path)
    finally:
        os.close(folder)


def _folder(name: str, folder: int) -> int | None:
    """A folder in a folder, opened; None for a link and for anything else."""
    try:
        return os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=folder)
    except NotADirectoryError:
        return None


def _must_not_be(forbidden: Collection[tuple[int, int]], path: Path, folder: int) -> None:
    if not forbidden:
        return
    status = os.fstat(folder)
    if (status.st_dev, status.st_ino) in forbidden:
        raise FetchError(f"{quoted(str(path))} leads into a folder of credentials", "a list is not secret: put it elsewhere")


def is_pipe(path: Path) -> bool:
    """Whether a path leads to a named pipe; not where it cannot be looked at."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except OSError:
        return False


def publisher_of(descriptor: int, status: os.stat_result) -> str:
    """The key of who writes an open file; empty where that is not known."""
    try:
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
    except OSError:
        return ""
    return publisher_of_file(str(place.parent), status.st_uid, status.st_mode)


def must_be_regular(path: Path, status: os.stat_result) -> None:
    """Raises FetchError for a folder, a device, a pipe or a socket."""
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(path)


def portion_of(descriptor: int, count: int, at: int) -> bytes:
    """So many bytes of a file from there on, fewer only at its end. Raises OSError.

    Where a part of the disk cannot be read, one call gives what is before it, and only the next one the error.
    """
    read = os.pread(descriptor, count, at)
    while len(read) < count and (more := os.pread(descriptor, count - len(read), at + len(read))):
        read += more
    return read


def hash_of_file(descriptor: int, size: int) -> str:
    """A key of the first `size` bytes of a file: the SHA-256 of those of its halves, which two cores make side by side.

    Raises OSError. No thread of a pool: the interpreter would wait for it at its end, however long the disk does not answer.
    """
    half, found = size // 2, list[bytes]()

    def look_at_first() -> None:
        with suppress(OSError):  # it is raised below
            found.append(_digest(descriptor, 0, half))

    other = threading.Thread(target=look_at_first, name="list file", daemon=True)
    with suppress(RuntimeError):  # the account or the unit allows no more threads now
        other.start()
    second = _digest(descriptor, half, size)
    if other.ident is not None:
        other.join()
    first = found[0] if found else _digest(descriptor, 0, half)
    return hashlib.sha256(first + second).hexdigest()


def _digest(descriptor: int, at: int, end: int) -> bytes:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_READ_AT_ONCE))
    while at < end and (count := os.preadv(descriptor, [buffer[: end - at]], at)):
        digest.update(buffer[:count])
        at += count
    return digest.digest()


def close_elsewhere(descriptor: int) -> None:
    """In a thread: to close a file of FUSE asks its server, which may never answer."""
    try:
        threading.Thread(target=_close_quietly, args=(descriptor,), name="list file", daemon=True).start()
    except RuntimeError:  # the account or the unit allows no more threads now
        _close_quietly(descriptor)


def _close_quietly(descriptor: int) -> None:
    with suppress(OSError):  # what was read is whole
        os.close(descriptor)


def _opened(path: Path, folder: int, name: str, makers: set[int], *, wait: bool) -> int:
    """`makers`: accounts that are not trusted, and made links on the way. `wait`: for who writes to a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | (0 if wait else os.O_NONBLOCK)
    descriptor = os.open(name, flags, dir_fd=folder)
    owner = os.fstat(descriptor).st_uid
    if makers <= {owner}:
        return descriptor
    os.close(descriptor)
    raise FetchError(
        f"{quoted(str(path))} goes through a symbolic link of another account than its file (uid {min(makers - {owner})})",
        "chown -h the link to root, or name the file itself as the source's path",
    )


def _steps(path: PurePath) -> list[str]:
    """The names on the way, the first one last."""
    return [part for part in reversed(path.parts) if part != path.root]


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _not_regular(path: Path) -> FetchError:
    return FetchError(f"{quoted(str(path))} is not a regular file")
