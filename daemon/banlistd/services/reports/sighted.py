"""The list that a hub makes of what nodes report: addresses on which enough sites agree."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING

from banlistd.core.config.model import Source
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.errors import FetchError, LedgerError
from banlistd.model import NotModified, Validators
from banlistd.ports import Clock, Fetcher, OnBody
from banlistd.ports.reports import ReportStores
from banlistd.services.reports.clock_witness import ClockWitness

if TYPE_CHECKING:
    # A host without such a source imports none of it.
    from banlistd.core.addresses.sets import AddressSet
    from banlistd.core.fleet.reports.addresses import Exempt, ReportedAddress


class Sighted:
    """A Fetcher for sources with `reports`; the others through `others`. `exempt`: what is never listed here at this moment.

    While the clock is in doubt, the list stays as it is.
    """

    def __init__(
        self,
        stores: ReportStores,
        exempt: "Callable[[], Awaitable[Exempt]]",
        clock: Clock,
        others: Fetcher,
        witness: ClockWitness,
    ) -> None:
        self._stores = stores
        self._exempt = exempt
        self._clock = clock
        self._others = others
        self._witness = witness

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.reports is None:
            return await self._others.fetch(source, validators, on_body)
        from banlistd.core.fleet.reports.quorum import quorum_rule  # noqa: PLC0415 - as above

        if await self._witness.doubt(self._stores) and validators.etag:
            return NotModified()
        exempt = await self._exempt()
        try:
            own = await self._stores.nodes().own_addresses()
            found = await self._stores.sightings().agreed(quorum_rule(source.reports), self._clock.now())
        except LedgerError as error:
            raise FetchError(f"what nodes have reported cannot be read: {error.message}", error.hint) from error
        addresses = await asyncio.to_thread(_listed, found, exempt, own)
        content_hash = addresses.content_hash()
        if validators.etag == content_hash:
            return NotModified()
        return Download(ParsedList(addresses, len(addresses)), Validators(content_hash, body_hash=content_hash))


def _listed(found: "Sequence[ReportedAddress]", exempt: "Exempt", own: "Collection[ReportedAddress]") -> "AddressSet":
    """What has become exempt since it was reported, or was found to be a node's own, is left out, too."""
    from banlistd.core.fleet.reports.addresses import as_set  # noqa: PLC0415 - see above

    return as_set(one for one in found if one not in own and not exempt.has(one))
