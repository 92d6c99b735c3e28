"""Lists on this machine's disk: regular files only, read in threads of their own, not at all while the inode is unchanged.

Others write them meanwhile: a file that changes while it is read is read again, and one that was just emptied is waited for.
"""

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from banlistd.adapters.fetch.list_path import (
    close_elsewhere,
    hash_of_file,
    is_pipe,
    must_be_regular,
    open_list,
    portion_of,
    publisher_of,
)
from banlistd.adapters.system.own_threads import OwnThreads
from banlistd.adapters.system.waiting import paused
from banlistd.core.config.model import STDIN, Source
from banlistd.core.download.archives.members import too_large
from banlistd.core.download.same_publisher import SHORT, may_share
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.printing import quoted
from banlistd.errors import FetchError
from banlistd.model import NotModified, SourceId, Validators
from banlistd.ports import ListParser, OnBody

# The kernel stamps files with a clock that ticks every 1 to 10 ms: a second write within a tick may leave no trace.
_TICK = 0.02

_SETTLE = 1.0
"""Seconds: a file that has just become shorter may be one that a program has emptied and is writing anew."""

_LOOKS = 5

_TRIES = 3
"""How often a file is read that changes meanwhile."""

_AT_ONCE = 16
"""Threads; a file that does not answer keeps one of them."""

_SHORT = SHORT
"""Bytes: so short a file is read by the thread that opens it, because to start another takes longer than to read it."""

_PORTION = 1 << 20
"""Bytes that are read in one turn of a worker thread."""

_HINTS: dict[type[OSError], str] = {
    FileNotFoundError: "create the file, or correct the source's path",
    PermissionError: "the account of the service must be able to read the file and to enter its folders",
}


class _ChangedError(FetchError):
    """The file is not the one that was opened."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A regular file that is about to be read. `size` in bytes. `body`: all of it, where that is at most `_SHORT`; the
    descriptor is closed then. `publisher`: as `same_publisher` knows it.
    """

    descriptor: int
    size: int
    etag: str
    body: bytes | None = None
    publisher: str = ""


def _unnoted(_source_id: SourceId, _path: Path) -> None:
    """Where nothing watches files."""


class LocalFiles:
    """A Fetcher for sources with a `path`, whose bytes go to `parser`. `now`: seconds since the epoch.

    `closed`: folders with credentials, which no path may enter. `trusted`: the accounts whose symbolic links are followed to
    any file; a link of another account is followed only to a file of that account. `stdin`: what a path `-` means, a descriptor
    that is read once, to its end, as are named pipes then; None: nothing, and no pipe is read. `note`: called with a source and
    its file, in the thread that is about to open it.
    """

    def __init__(
        self,
        parser: ListParser,
        closed: Sequence[Path] = (),
        *,
        trusted: frozenset[int] | None = None,
        stdin: int | None = None,
        note: Callable[[SourceId, Path], None] = _unnoted,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._parser = parser
        self._threads = OwnThreads("list file", _AT_ONCE)
        self._closed = closed
        self._trusted = frozenset({0, os.geteuid()}) if trusted is None else trusted
        self._stdin = stdin
        self._note = note
        self._sleep = sleep
        self._now = now

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.path is None:
            raise FetchError("the source has no path")
        path = source.path
        try:
            # A file on a dead network disk blocks its thread; the daemon waits for it no longer than the deadline.
            async with asyncio.timeout(source.timeout) as deadline:
                if path == STDIN:
                    return await self._read_stdin(source, deadline, on_body)
                if self._stdin is not None and await self._threads.run((source.id, path), partial(is_pipe, path)):
                    return await self._read_named_pipe(source, path, deadline, on_body)
                for left in reversed(range(_TRIES)):
                    try:
                        return await self._read(source, path, validators, deadline, on_body)
                    except _ChangedError:
                        if not left:
                            raise
                    await self._threads.run((source.id, path), partial(self._sleep, _SETTLE))
                raise AssertionError  # the last try returns or raises
        except TimeoutError as exc:
            raise FetchError(f"{quoted(str(path))} was not read within {source.timeout:g} s") from exc
        except OSError as exc:
            hint = _HINTS.get(type(exc), "")
            raise FetchError(f"cannot read {quoted(str(path))}: {exc.strerror}", hint) from exc

    async def _read(
        self, source: Source, path: Path, validators: Validators, deadline: asyncio.Timeout, on_body: OnBody
    ) -> Download | NotModified:
        opened = await self._threads.run((source.id, path), partial(self._open, path, source, validators), _close)
        if opened is None:
            return NotModified()
        try:
            body_hash = await self._hash(source, opened) if _may_be_known(opened, validators) else ""
            if body_hash and body_hash == validators.body_hash:
                if opened.body is None:
                    await self._threads.run((source.id, path), partial(_must_be_unchanged, path, opened))
                return NotModified(Validators(opened.etag, "", body_hash))
            return await self._parsed(source, path, opened, body_hash, deadline, on_body)
        finally:
            _close(opened)

    async def _read_stdin(self, source: Source, deadline: asyncio.Timeout, on_body: OnBody) -> Download:
        if self._stdin is None:
            raise FetchError(
                "standard input is read by banlistd --once and --dry-run alone", "name a file as the source's path"
            )
        return await self._read_pipe(source, STDIN, self._stdin, deadline, on_body)

    async def _read_named_pipe(self, source: Source, path: Path, deadline: asyncio.Timeout, on_body: OnBody) -> Download:
        opening = partial(open_list, path, self._closed, self._trusted, pipe=True)
        descriptor = await self._threads.run((source.id, path), opening, os.close)
        try:
            return await self._read_pipe(source, path, descriptor, deadline, on_body)
        finally:
            os.close(descriptor)

    async def _read_pipe(
        self, source: Source, path: Path, descriptor: int, deadline: asyncio.Timeout, on_body: OnBody
    ) -> Download:
        """A list that another program writes into a pipe. It is parsed as it arrives."""
        digest, arrived = hashlib.sha256(), 0
        async with AsyncExitStack() as stack:
            async with paused(deadline):
                session = self._parser.session(source.format, source.max_bytes, source.timeout)
                parser = await stack.enter_async_context(session)
                await on_body()
                await parser.ready()
            while piece := await self._threads.run((source.id, path), partial(os.read, descriptor, _PORTION)):
                arrived += len(piece)
                if arrived > source.max_bytes:
                    raise too_large(source.max_bytes)
                digest.update(piece)
                await parser.feed(piece)
            return Download(await parser.finish(), Validators("", "", digest.hexdigest()), arrived)

    async def _parsed(
        self, source: Source, path: Path, opened: _Opened, body_hash: str, deadline: asyncio.Timeout, on_body: OnBody
    ) -> Download:
        """Read a file that has changed. An empty `body_hash` is computed while the parser starts."""
        async with AsyncExitStack() as stack:
            async with paused(deadline):
                # While the list waits for a parser: a flush of the disk would keep that idle, and many lists share one.
                attempt = await stack.enter_async_context(_begun(on_body))
                session = self._parser.session(source.format, source.max_bytes, source.timeout, publisher=opened.publisher)
                parser = await stack.enter_async_context(session)
                await attempt
            body_hash = body_hash or await self._hash(source, opened)
            async with paused(deadline):
                await parser.ready()
            if opened.body is not None:
                await parser.feed(opened.body)
                return Download(await parser.finish(), Validators(opened.etag, "", body_hash), opened.size)
            for at in range(0, opened.size, _PORTION):
                count = min(_PORTION, opened.size - at)
                await parser.feed(await self._threads.run((source.id, path), partial(portion_of, opened.descriptor, count, at)))
            await self._threads.run((source.id, path), partial(_must_be_unchanged, path, opened))
            return Download(await parser.finish(), Validators(opened.etag, "", body_hash), opened.size)

    async def _hash(self, source: Source, opened: _Opened) -> str:
        if opened.body is not None:
            return _hash_of_body(opened.body)
        return await self._threads.run((source.id, source.path), partial(hash_of_file, opened.descriptor, opened.size))

    def _settled(self, descriptor: int, found: os.stat_result, last: Validators) -> os.stat_result:
        """Look again at a file that has just become shorter, until it stays as it is or a few looks have passed."""
        for _ in range(_LOOKS):
            is_shorter = found.st_size < int(_size_of(last) or 1)
            age = self._now() - max(found.st_mtime, found.st_ctime)
            if not is_shorter or not 0 <= age < _SETTLE:
                break
            self._sleep(_SETTLE - age)
            found = os.fstat(descriptor)
        return found

    def _open(self, path: Path, source: Source, validators: Validators) -> _Opened | None:
        """None: the inode says that nothing changed. The caller closes the descriptor."""
        self._note(source.id, path)
        descriptor = open_list(path, self._closed, self._trusted)
        opened = None
        try:
            before = os.fstat(descriptor)
            must_be_regular(path, before)
            if 0 <= self._now() - before.st_ctime < _TICK:
                self._sleep(_TICK)
                before = os.fstat(descriptor)
            if validators.etag == _etag(before):
                return None
            before = self._settled(descriptor, before, validators)
            if before.st_size > source.max_bytes:
                hint = "raise max_bytes of the source, if that is right"
                raise FetchError(f"{quoted(str(path))} is larger than {source.max_bytes} bytes", hint)
            found = _Opened(descriptor, before.st_size, _etag(before))
            if before.st_size <= _SHORT:
                body = portion_of(descriptor, before.st_size, 0)
                publisher = publisher_of(descriptor, before) if may_share(source.format, body) else ""
                found = replace(found, body=body, publisher=publisher)
                _must_be_unchanged(path, found)
            opened = found
            return opened
        finally:
            if opened is None or opened.body is not None:
                os.close(descriptor)


@asynccontextmanager
async def _begun(on_body: OnBody) -> AsyncIterator[asyncio.Future[None]]:
    """It runs beside the block, and ends with it."""
    running = asyncio.ensure_future(on_body())
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])


def _size_of(last: Validators) -> str:
    """The size of the file that a source had last, in digits; empty where it is not known."""
    return next(iter(last.etag.split("-")[2:3]), "")


def _close(opened: _Opened | None) -> None:
    if opened is not None and opened.body is None:
        close_elsewhere(opened.descriptor)


def _may_be_known(opened: _Opened, last: Validators) -> bool:
    """Whether a file may hold the same bytes as `last`: never where nothing is known, or where it had another size."""
    return bool(last.body_hash) and _size_of(last) in ("", str(opened.size))


def _must_be_unchanged(path: Path, opened: _Opened) -> None:
    if _etag(os.fstat(opened.descriptor)) != opened.etag:
        raise _ChangedError(
            f"{quoted(str(path))} changed while it was read", "write a new file beside it and rename it over the old"
        )


def _hash_of_body(body: bytes) -> str:
    """The same key of a file that is in memory."""
    half = len(body) // 2
    return hashlib.sha256(hashlib.sha256(body[:half]).digest() + hashlib.sha256(body[half:]).digest()).hexdigest()


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_size}-{status.st_ino}"


def stamp_of(path: Path) -> str:
    """Changes when the file does; empty while it cannot be looked at."""
    try:
        return _etag(path.stat())
    except OSError:
        return ""
