"""Where contents come from that are no longer in memory: registered by another service, or stored in the ledger."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content, Pending, content_of
from banlistd.model import ContentHash, ImportRun, Mark, Marker, PolicyHash, SourceId
from banlistd.ports import Ledger


class ContentStore:
    """Reads contents by source and hash, and writes them back. Raises LedgerError where the ledger cannot be used."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._external: dict[SourceId, Sequence[Content]] = {}

    def register(self, source_id: SourceId, contents: Sequence[AddressSet]) -> Content:
        """Contents of a source that the ledger does not store, at least one; returns the last of them."""
        known = [Content(source_id, hash_of(content.encode()), content) for content in contents]
        self._external[source_id] = known
        return known[-1]

    @property
    def external(self) -> frozenset[SourceId]:
        """Sources whose contents the ledger does not store."""
        return frozenset(self._external)

    async def accepted_of(self, source_ids: Iterable[SourceId]) -> Sequence[tuple[ImportRun, Content]]:
        """The newest accepted run of each source, and its content; without those whose content is not stored or is damaged."""
        runs, found = await self._ledger.accepted_runs(), []
        for run in [runs[source_id] for source_id in source_ids if source_id in runs]:
            content = await self.stored(run.source_id, run.content_hash) if run.content_hash else None
            found += [(run, content)] if content else []
        return found

    async def accepted(self, source_id: SourceId) -> tuple[ImportRun | None, Content | None]:
        """The newest accepted run of a source, and its content; None where it is not stored or is damaged."""
        run = await self._ledger.accepted(source_id)
        return run, await self.stored(source_id, run.content_hash) if run and run.content_hash else None

    async def stored(self, source_id: SourceId, content_hash: ContentHash) -> Content | None:
        for content in self._external.get(source_id, ()):
            if content.content_hash == content_hash:
                return content
        encoded = await self._ledger.snapshot(source_id, content_hash)
        if encoded is None:
            return None
        return await asyncio.to_thread(content_of, source_id, content_hash, encoded)

    async def resync(self, content: Content, policy_hash: PolicyHash, now: float) -> bool:
        """Write applied content to the ledger, as a completed run; False if it was there."""
        known = await self._ledger.accepted(content.source_id)
        if known is not None and known.content_hash == content.content_hash:
            return False
        encoded = await asyncio.to_thread(content.addresses.encode)
        entries = len(content.addresses)
        pending = Pending(content.source_id, content.content_hash, policy_hash, entries, rejected=0, snapshot=encoded)
        run = await self._ledger.upsert_pending(pending, now)
        await self._ledger.mark_completed(run, added=0, removed=0, policy_hash=policy_hash, now=now, validators=None)
        return True


def adopted_contents(lost: Sequence[Marker], found: Mapping[Mark, AddressSet]) -> Mapping[SourceId, Content]:
    """The contents of sources whose snapshots are lost, from what was read in the firewall."""
    return {
        marker.source_id: Content(
            marker.source_id, marker.content_hash, found.get(marker.mark, AddressSet.none()), adopted=True
        )
        for marker in lost
    }
