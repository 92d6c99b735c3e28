"""What the timers of combinations know of their parts: whether one has changed, and whether one is polled at this moment."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from banlistd.core.config.model import Source
from banlistd.model import SourceId
from banlistd.ports import Ledger
from banlistd.services.imports.combinations import ContentOf, parts_stamp

_REST_WITHIN = 0.8
"""Seconds that a combination waits for parts that are polled at the same time, so that all of them cost one import."""


class PartsUnderWay:
    """`content_of`: what is in force of a source."""

    def __init__(self, content_of: ContentOf, ledger: Ledger, rest_within: float = _REST_WITHIN) -> None:
        self._content_of = content_of
        self._ledger = ledger
        self._rest_within = rest_within
        self._parts: dict[SourceId, frozenset[SourceId]] = {}
        self._expected: set[SourceId] = set()
        self._ended: set[SourceId] = set()
        self._left = asyncio.Event()

    def stamp(self, source: Source) -> str:
        """As the Fetcher of combinations has it for the etag."""
        return parts_stamp(source, self._content_of)

    def expect(self, source_ids: Iterable[SourceId]) -> None:
        """Sources are about to be polled, each until `leave`."""
        self._expected.update(source_ids)

    def leave(self, source_id: SourceId) -> Iterable[SourceId]:
        """The poll of a source is over; returns the combinations that it is a part of."""
        self._expected.discard(source_id)
        self._ended.add(source_id)
        self._left.set()
        return [combined for combined, parts in self._parts.items() if source_id in parts]

    async def are_first_polled(self, source: Source) -> bool:
        """Whether a part has no content yet because its very first poll has not ended. Raises LedgerError."""
        for part in self._parts_of(source):
            if self._content_of(part) is None and part not in self._ended:
                poll = await self._ledger.poll(part)
                if poll.polled_at is None:
                    return True
        return False

    async def until_at_rest(self, source: Source) -> None:
        """Wait until no part is polled; not for long: a slow server must not keep the others from being combined."""
        parts = self._parts_of(source)
        with suppress(TimeoutError):
            async with asyncio.timeout(self._rest_within):
                while self._expected & parts:
                    self._left.clear()
                    await self._left.wait()

    async def until_read_once(self, source_ids: Iterable[SourceId], within: float) -> None:
        """Wait until each source has content, or a poll of it has ended in any way; at most so many seconds."""
        missing = list(source_ids)
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while any(self._content_of(one) is None and one not in self._ended for one in missing):
                    self._left.clear()
                    await self._left.wait()

    def _parts_of(self, source: Source) -> frozenset[SourceId]:
        parts = frozenset(source.combination.sources if source.combination else ())
        self._parts[source.id] = parts
        return parts
