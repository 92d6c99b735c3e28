"""Whole countries and networks as a list: their ranges in local databases, merged into the fewest possible."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, no_addresses
from banlistd.core.config.model import Source
from banlistd.core.config.sections.block import Block
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.core.geo.tables import GeoTable, number_of, stacked
from banlistd.core.geo.types import By
from banlistd.errors import FetchError, GeoError
from banlistd.model import Family, NotModified, Validators
from banlistd.ports import Fetcher, OnBody
from banlistd.ports.geo import GeoDatabase

_HINT = "apt-get install tor-geoipdb (countries only), or name .mmdb files under geo: databases:"


class GeoBlocks:
    """A Fetcher for sources with a `block`; the others through `local`.

    `databases`: those of the configuration in force. `stamp`: changes when a file does, and is empty for one that is not there.
    """

    def __init__(self, databases: Callable[[], Sequence[GeoDatabase]], stamp: Callable[[Path], str], local: Fetcher) -> None:
        self._databases = databases
        self._stamp = stamp
        self._local = local

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.block is None:
            return await self._local.fetch(source, validators, on_body)
        databases = self._databases()
        before = await asyncio.to_thread(self._stamps, databases)
        if not "".join(before):
            raise FetchError("there is no database of countries or network operators on this machine", _HINT)
        etag = "\n".join(before)
        if validators.etag == etag:
            return NotModified()
        addresses = await self._list(source.block, [one for one, stamp in zip(databases, before, strict=True) if stamp])
        if before != await asyncio.to_thread(self._stamps, databases):
            raise FetchError("a database changed while it was read", "it is read again at once")
        return Download(ParsedList(addresses, len(addresses)), Validators(etag, "", addresses.content_hash()))

    def _stamps(self, databases: Sequence[GeoDatabase]) -> list[str]:
        return [self._stamp(database.path) for database in databases]

    async def _list(self, block: Block, databases: Sequence[GeoDatabase]) -> AddressSet:
        wanted = {By.COUNTRY: [number_of(country) for country in block.countries], By.ASN: list(block.asns)}
        ranges: dict[Family, list[Ranges]] = {family: [] for family in FAMILIES}
        for by, codes in wanted.items():
            if codes:
                table = await self._table(by, databases)
                selected = await asyncio.to_thread(table.select, codes)
                for family in FAMILIES:
                    ranges[family].append(selected.ranges(family))
        return await asyncio.to_thread(_joined, ranges)

    async def _table(self, by: By, databases: Sequence[GeoDatabase]) -> GeoTable:
        """Raises FetchError: a country of which a part is missing would be a list that has shrunk."""
        try:
            tables = [await database.table(by) for database in databases]
        except GeoError as error:
            raise FetchError(error.message, error.hint) from error
        table = await asyncio.to_thread(stacked, tables)
        if table.is_empty:
            what = "countries" if by is By.COUNTRY else "network operators (ASN)"
            raise FetchError(f"no database on this machine knows {what}", _HINT)
        return table


def _joined(ranges: Mapping[Family, Sequence[Ranges]]) -> AddressSet:
    columns = [
        np.concatenate([no_addresses(family), *(getattr(part, end) for part in ranges[family])])
        for family in FAMILIES
        for end in ("first", "last")
    ]
    return AddressSet.of(*columns)
