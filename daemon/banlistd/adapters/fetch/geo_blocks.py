"""Whole countries and networks as a list: their ranges in local databases, merged into the fewest possible."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

import numpy as np

from banlistd.core.addresses.everything_else import everything_else
from banlistd.core.addresses.sets import FAMILIES, AddressSet, Ranges, no_addresses
from banlistd.core.config.model import Source
from banlistd.core.config.sections.block import Block, Only
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.core.geo.tables import GeoTable, number_of, stacked
from banlistd.core.geo.types import By
from banlistd.errors import FetchError, GeoError
from banlistd.model import Family, NotModified, Validators
from banlistd.ports import Fetcher, OnBody
from banlistd.ports.geo import GeoDatabase

_NAMES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
_HINT = "apt-get install tor-geoipdb (countries only), or name .mmdb files under geo: databases:"


class GeoBlocks:
    """A Fetcher for sources with a `block` or an `only`; the others through `local`.

    `databases`: those of the configuration in force. `stamp`: changes when a file does, and is empty for one that is not there.
    """

    def __init__(self, databases: Callable[[], Sequence[GeoDatabase]], stamp: Callable[[Path], str], local: Fetcher) -> None:
        self._databases = databases
        self._stamp = stamp
        self._local = local

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.geography is None:
            return await self._local.fetch(source, validators, on_body)
        databases = self._databases()
        before = await asyncio.to_thread(self._stamps, databases)
        if not "".join(before):
            raise FetchError("there is no database of countries or network operators on this machine", _HINT)
        etag = "\n".join(before)
        if validators.etag == etag:
            return NotModified()
        there = [one for one, stamp in zip(databases, before, strict=True) if stamp]
        addresses = await self._list(source.geography, there)
        if before != await asyncio.to_thread(self._stamps, databases):
            raise FetchError("a database changed while it was read", "it is read again at once")
        return Download(ParsedList(addresses, len(addresses)), Validators(etag, "", addresses.content_hash()))

    def _stamps(self, databases: Sequence[GeoDatabase]) -> list[str]:
        return [self._stamp(database.path) for database in databases]

    async def _list(self, block: Block, databases: Sequence[GeoDatabase]) -> AddressSet:
        wanted = {By.COUNTRY: [number_of(country) for country in block.countries], By.ASN: list(block.asns)}
        ranges: dict[Family, list[Ranges]] = {family: [] for family in FAMILIES}
        known: set[Family] = set()
        for by, codes in wanted.items():
            if codes:
                table = await self._table(by, databases)
                selected = await asyncio.to_thread(table.select, codes)
                for family in FAMILIES:
                    ranges[family].append(selected.ranges(family))
                    known |= {family} if len(table.layers[family]) else set()
        found = await asyncio.to_thread(_joined, ranges)
        return await asyncio.to_thread(_all_but, found, known) if isinstance(block, Only) else found

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


def _all_but(found: AddressSet, known: AbstractSet[Family]) -> AddressSet:
    """What is to be banned so that only these addresses are left. Raises FetchError where that would be all of a family because
    no database knows it, or all there is.
    """
    lacking = [_NAMES[family] for family in FAMILIES if family not in known]
    if lacking:
        raise FetchError(f"no database on this machine knows {lacking[0]}, all of which would be banned", _HINT)
    if not found:
        raise FetchError("no database on this machine gives any address to these countries and networks", _HINT)
    return everything_else(found)


def _joined(ranges: Mapping[Family, Sequence[Ranges]]) -> AddressSet:
    columns = [
        np.concatenate([no_addresses(family), *(getattr(part, end) for part in ranges[family])])
        for family in FAMILIES
        for end in ("first", "last")
    ]
    return AddressSet.of(*columns)
