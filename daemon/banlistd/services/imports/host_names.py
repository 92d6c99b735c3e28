"""Host names as a list: the addresses that the name service gives for them."""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.config.model import Source
from banlistd.core.config.reading.names import NAMES_EVERY
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.errors import FetchError, UsageError
from banlistd.model import Family, NotModified, Validators
from banlistd.ports import Fetcher, OnBody, TimedAddresses

MOST_ADDRESSES = 64
"""Of one name. An answer over TCP may have 4,000 addresses; the largest services give a dozen."""

NameLookup = Callable[[str, float], Awaitable[TimedAddresses]]
"""The addresses of a name within so many seconds. Raises UsageError if there are none."""


class HostNames:
    """A Fetcher for sources with `names`; the others through `others`. A name without an answer is a failed poll: the last
    good list stays, whole.
    """

    def __init__(self, lookup: NameLookup, others: Fetcher) -> None:
        self._lookup = lookup
        self._others = others

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if not source.names:
            return await self._others.fetch(source, validators, on_body)
        found = await asyncio.gather(*(self._addresses(name, source.timeout) for name in source.names))
        addresses = _set_of(address for answer in found for address in answer.addresses)
        content_hash = addresses.content_hash()
        ttl = min((answer.ttl for answer in found if answer.ttl is not None), default=None)
        if ttl is not None and any(answer.ttl is None for answer in found):
            ttl = min(ttl, NAMES_EVERY)
        return Download(ParsedList(addresses, len(addresses)), Validators(body_hash=content_hash), ttl=ttl)

    async def _addresses(self, name: str, patience: float) -> TimedAddresses:
        try:
            found = await self._lookup(name, patience)
        except UsageError as error:
            raise FetchError(error.message, "what it was last known as stays") from error
        if len(found.addresses) > MOST_ADDRESSES:
            words = f"the name service gives more than {MOST_ADDRESSES} addresses for {name}"
            raise FetchError(words, f"a name may have {MOST_ADDRESSES} at most: write its networks")
        return found


def _set_of(addresses: Iterable[str]) -> AddressSet:
    known = [ipaddress.ip_address(address) for address in addresses]
    four, six = ([int(address) for address in known if address.version == version] for version in (4, 6))
    return AddressSet.of(first4=from_numbers(Family.IPV4, four), first6=from_numbers(Family.IPV6, six))
