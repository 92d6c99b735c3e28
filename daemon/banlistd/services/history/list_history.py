"""The last contents of a list, put together from the newest one and what leads back from it.

Any of it may be missing: the database may be full, new, or damaged. Then the history is shorter, and nothing else follows.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.versions.deltas import VersionDelta
from banlistd.core.feeds.content import content_of
from banlistd.core.feeds.versions.version import Version
from banlistd.model import SourceId
from banlistd.ports import Ledger, Versions


class ListHistory:
    """Reads only. Raises LedgerError where the ledger cannot be used."""

    def __init__(self, versions: Versions, ledger: Ledger) -> None:
        self._versions = versions
        self._ledger = ledger

    async def versions(self, source_id: SourceId) -> Sequence[Version]:
        """Those that are known, newest first."""
        return await self._versions.of(source_id)

    async def contents(self, source_id: SourceId, since: float = 0.0) -> AsyncIterator[tuple[Version, AddressSet]]:
        """The versions that were in force at a moment (seconds since the epoch) or later, newest first, with their contents.

        It ends where the content of the next one cannot be put together.
        """
        steps = await self._versions.deltas(source_id)
        newest = steps[0][0] if steps else None
        snapshot = await self._ledger.snapshot(source_id, newest.content_hash) if newest else None
        content = await asyncio.to_thread(content_of, source_id, newest.content_hash, snapshot) if newest and snapshot else None
        if content is None:
            return
        addresses = content.addresses
        for version, delta in steps:
            if version.left_at is not None and version.left_at < since:
                return
            yield version, addresses
            if delta is None:
                return
            try:
                addresses = await asyncio.to_thread(_before, delta, addresses)
            except ValueError:
                return

    async def content(self, version: Version) -> AddressSet | None:
        """The content of one version; None where it cannot be put together, or is not what it was."""
        found: AddressSet | None = None
        async for one, addresses in self.contents(version.source_id, version.came_at):
            if one.id == version.id:
                found = addresses
                break
        if found is None or await asyncio.to_thread(found.content_hash) != version.content_hash:
            return None
        return found


def _before(delta: bytes, addresses: AddressSet) -> AddressSet:
    return VersionDelta.read(delta).other(addresses)
