"""The last contents of a list, put together from the newest one and what leads back from it.

Any of it may be missing: the database may be full, new, or damaged. Then the history is shorter, and nothing else follows.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.addresses.versions.deltas import VersionDelta
from banlistd.core.feeds.content import content_of
from banlistd.core.feeds.versions.timeline import Period, periods_of
from banlistd.core.feeds.versions.version import Version, version_at
from banlistd.model import Family, SourceId
from banlistd.ports import Ledger, Versions


class ListHistory:
    """Reads only. Raises LedgerError where the ledger cannot be used."""

    def __init__(self, versions: Versions, ledger: Ledger) -> None:
        self._versions = versions
        self._ledger = ledger

    async def versions(self, source_id: SourceId) -> Sequence[Version]:
        """Those that are known, newest first."""
        return await self._versions.of(source_id)

    async def sources(self) -> Sequence[SourceId]:
        """All of which versions are known, also those that are no longer configured."""
        return await self._versions.sources()

    async def periods(self, source_id: SourceId, family: Family, number: int) -> Sequence[Period]:
        """When the list had an address, as far as it is known, the latest first."""
        steps, newest = await self._newest(source_id)
        return await asyncio.to_thread(periods_of, family, number, newest, steps) if newest is not None else []

    async def at(self, source_id: SourceId, moment: float) -> tuple[Version, AddressSet] | None:
        """The version that was in force at a moment (seconds since the epoch), and its content; None: it is not known."""
        version = version_at(await self.versions(source_id), moment)
        content = await self.content(version) if version else None
        return (version, content) if version and content is not None else None

    async def contents(self, source_id: SourceId, since: float = 0.0) -> AsyncIterator[tuple[Version, AddressSet]]:
        """The versions that were in force at a moment (seconds since the epoch) or later, newest first, with their contents.

        It ends where the content of the next one cannot be put together.
        """
        steps, addresses = await self._newest(source_id)
        if addresses is None:
            return
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

    async def _newest(self, source_id: SourceId) -> tuple[Sequence[tuple[Version, bytes | None]], AddressSet | None]:
        """The versions with what leads back from each, and the content of the first one."""
        steps = await self._versions.deltas(source_id)
        newest = steps[0][0] if steps else None
        snapshot = await self._ledger.snapshot(source_id, newest.content_hash) if newest else None
        content = await asyncio.to_thread(content_of, source_id, newest.content_hash, snapshot) if newest and snapshot else None
        return steps, content.addresses if content else None


def _before(delta: bytes, addresses: AddressSet) -> AddressSet:
    return VersionDelta.read(delta).other(addresses)
