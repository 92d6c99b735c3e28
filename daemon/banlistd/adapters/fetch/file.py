"""Lists on this machine's disk: regular files only, read in a worker thread, not at all while the inode is unchanged."""

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from banlistd.core.config.model import Source
from banlistd.core.download.decompression import unpack
from banlistd.core.printing import quoted
from banlistd.errors import FetchError
from banlistd.model import Download, NotModified, Validators

# The kernel stamps files with a clock that ticks every 1 to 10 ms: a second write within a tick may leave no trace.
_TICK = 0.02

_READ_AT_ONCE = 1 << 17
"""Bytes: what stays in a core's own cache until it is hashed."""

_HINTS: dict[type[OSError], str] = {
    FileNotFoundError: "create the file, or correct the source's path",
    PermissionError: "the account of the service must be able to read the file and to enter its folders",
}


class LocalFiles:
    """A Fetcher for sources with a `path`. `now`: seconds since the epoch."""

    def __init__(self, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.time) -> None:
        self._sleep = sleep
        self._now = now

    async def fetch(self, source: Source, validators: Validators) -> Download | NotModified:
        if source.path is None:
            raise FetchError("the source has no path")
        try:
            # A file on a dead network disk blocks its thread; the daemon waits for it no longer than the deadline.
            async with asyncio.timeout(source.timeout):
                return await asyncio.to_thread(self._read, source.path, source.max_bytes, validators)
        except TimeoutError as exc:
            raise FetchError(f"{quoted(str(source.path))} was not read within {source.timeout:g} s") from exc
        except OSError as exc:
            hint = _HINTS.get(type(exc), "")
            raise FetchError(f"cannot read {quoted(str(source.path))}: {exc.strerror}", hint) from exc

    def _read(self, path: Path, max_bytes: int, validators: Validators) -> Download | NotModified:
        _must_be_regular(path, path.stat())  # before open: to open a device may set something off
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - the descriptor, so that what we looked at is what we read
            before = os.fstat(descriptor)
            _must_be_regular(path, before)
            if 0 <= self._now() - before.st_ctime < _TICK:
                self._sleep(_TICK)
                before = os.fstat(descriptor)
            if validators.etag == _etag(before):
                return NotModified()
            if before.st_size > max_bytes:
                hint = "raise max_bytes of the source, if that is right"
                raise FetchError(f"{quoted(str(path))} is larger than {max_bytes} bytes", hint)
            # The same bytes once more are never all in memory: that costs as much as to hash them (measured: 5 ms for 14 MB).
            body_hash = _hash_of(descriptor, before.st_size)
            same = body_hash == validators.body_hash
            body = b"" if same else file.read(before.st_size + 1)
            if (not same and len(body) != before.st_size) or _etag(os.fstat(descriptor)) != _etag(before):
                hint = "write a new file beside it and rename it over the old"
                raise FetchError(f"{quoted(str(path))} changed while it was read", hint)
        found = Validators(_etag(before), "", body_hash)
        return NotModified(found) if same else Download(unpack(body, max_bytes), found)


def _hash_of(descriptor: int, size: int) -> str:
    """A key of the first `size` bytes of a file: the SHA-256 of those of its halves, which two cores make side by side."""
    half = size // 2
    with ThreadPoolExecutor(1) as other:
        first = other.submit(_digest, descriptor, 0, half)
        second = _digest(descriptor, half, size)
        return hashlib.sha256(first.result() + second).hexdigest()


def _digest(descriptor: int, at: int, end: int) -> bytes:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_READ_AT_ONCE))
    while at < end and (count := os.preadv(descriptor, [buffer[: end - at]], at)):
        digest.update(buffer[:count])
        at += count
    return digest.digest()


def _must_be_regular(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise FetchError(f"{quoted(str(path))} is not a regular file")


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}-{status.st_ino}"


def stamp_of(path: Path) -> str:
    """Changes when the file does; empty while it cannot be looked at."""
    try:
        return _etag(path.stat())
    except OSError:
        return ""
