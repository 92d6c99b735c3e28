"""The body of an answer: hashed as it arrives, and parsed unless it is the body that the source had last."""

import asyncio
import hashlib
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack

from banlistd.adapters.system.waiting import paused
from banlistd.core.config.model import Source
from banlistd.core.download.archives.members import too_large
from banlistd.core.feeds.parsed_list import Download
from banlistd.model import NotModified, Validators
from banlistd.ports import ListParser, OnBody, ParserSession

SPOOL = 16 * 2**20
"""Bytes, for all bodies together: 1,000,000 addresses as text have 14 MB."""


_BEGINNING = 1 << 16
"""Bytes of a list that was never read for which no parser starts before the body is whole: a server that stops after them would
keep one of two parsers until the `timeout` of its source.
"""


class Spool:
    """Memory for bodies that may prove to be the same as last time, at most `room` bytes for all of them together."""

    def __init__(self, room: int = SPOOL) -> None:
        self.room = room


class Receiver:
    """Receives one body, at most once. `before`: bytes of other bodies of the same list.

    `last_hash`: the hash of the body that the source had last, or empty. Where there is one, the bytes stay in the spool until
    the hash decides, so that the same bytes start no parser; else the first of them do. Where the spool is full, the parser
    starts.
    """

    def __init__(
        self, source: Source, encoding: str, last_hash: str, on_body: OnBody, parser: ListParser, spool: Spool, before: int = 0
    ) -> None:
        self._source = source
        self._encoding = encoding
        self._last_hash = last_hash
        self._on_body = on_body
        self._parser = parser
        self._spool = spool
        self.arrived = self._before = before
        self._waiting: list[bytes] = []

    async def receive(
        self, body: AsyncIterable[bytes], etag: str, last_modified: str, deadline: asyncio.Timeout
    ) -> Download | NotModified:
        """Raises as the parser does, and FetchError for a body beyond the source's `max_bytes`."""
        digest = hashlib.sha256()
        async with AsyncExitStack() as stack:
            stack.callback(self._discard)
            session = None
            async for chunk in body:
                self.arrived += len(chunk)
                if self.arrived > self._source.max_bytes:
                    raise too_large(self._source.max_bytes)
                digest.update(chunk)
                if session is None and self._may_wait() and self._keeps(chunk):
                    continue
                if session is None:
                    session = await self._begin_late(stack, deadline)
                await session.feed(chunk)
            validators = Validators(etag, last_modified, digest.hexdigest())
            if validators.body_hash == self._last_hash:
                return NotModified(validators)
            if session is None:
                session = await self._begin_late(stack, deadline)
            async with paused(deadline):
                await session.ready()
            return Download(await session.finish(), validators, self.arrived - self._before)

    async def _begin(self, stack: AsyncExitStack, deadline: asyncio.Timeout) -> ParserSession:
        source, path = self._source, self._source.pages.path if self._source.pages else ""
        async with paused(deadline):
            await self._on_body()
            session = self._parser.session(source.format, source.max_bytes, source.timeout, self._encoding, path)
            return await stack.enter_async_context(session)

    async def _begin_late(self, stack: AsyncExitStack, deadline: asyncio.Timeout) -> ParserSession:
        """Each chunk of the spool is freed as soon as the parser has it."""
        session = await self._begin(stack, deadline)
        if self._last_hash:  # else the parser starts while the rest arrives
            async with paused(deadline):
                await session.ready()
        for number, chunk in enumerate(self._waiting):
            self._waiting[number] = b""
            self._spool.room += len(chunk)
            await session.feed(chunk)
        self._waiting.clear()
        return session

    def _may_wait(self) -> bool:
        return bool(self._last_hash) or self.arrived - self._before <= _BEGINNING

    def _keeps(self, chunk: bytes) -> bool:
        if len(chunk) > self._spool.room:
            return False
        self._spool.room -= len(chunk)
        self._waiting.append(chunk)
        return True

    def _discard(self) -> None:
        self._spool.room += sum(map(len, self._waiting))
        self._waiting.clear()
