"""Collections of a TAXII 2.1 server (OASIS TAXII 2.1, sections 3 and 5.4): all objects, page by page, if something was added.

A list is made of all objects: a later version of one, or one that is revoked, takes back what an earlier one says. So a poll
asks whether anything was added since all were asked for, and if so for all again. It does so once an hour anyway: some
indicators are valid for a time only.
"""

import asyncio
import time
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

from banlistd.core.config.model import Source
from banlistd.core.config.sections.pages import Pages
from banlistd.core.download.paging import with_parameter
from banlistd.core.feeds.evaluate import fetch_key_of
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import ParseError
from banlistd.formats import FormatType
from banlistd.model import NotModified, SourceId, Validators
from banlistd.ports import Clock, Fetcher, OnBody
from banlistd.services.imports.attempts import already_counted

OBJECTS_EVERY = 3600.0
"""Seconds after which everything is asked for again."""

MARGIN = 600.0
"""Seconds by which the clock of a server may be behind ours without an addition being missed until the hour is over."""

_PAGES = Pages(next="next", parameter="next")

_LIMIT = "1000"
"""Objects in a page; a server may give fewer. medallion 3.0 has a second page only for requests with a limit (tried)."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """When all objects were asked for: seconds since the epoch, and on the clock that never goes back."""

    fetch_key: str
    body_hash: str
    asked_at: float
    monotonic: float


class TaxiiCollections:
    """A Fetcher for sources with the format `taxii`, by way of another one, which gets all the others."""

    def __init__(self, fetcher: Fetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._wholes: dict[SourceId, _Whole] = {}

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if source.format.type is not FormatType.TAXII or not isinstance(source.url, str):
            return await self._fetcher.fetch(source, validators, on_body)
        wanted = replace(source, url=_with_limit(source.url), pages=source.pages or _PAGES)
        before = self._wholes.get(source.id)
        if before is not None and self._is_in_force(before, source, validators):
            if not await self._has_additions(wanted, before, on_body):
                return NotModified()
            # The additions were the body of this poll.
            on_body = already_counted
        began = self._clock.now(), self._clock.monotonic()
        whole = await self._fetcher.fetch(wanted, Validators(), on_body)
        if isinstance(whole, NotModified):
            return whole
        body_hash = await asyncio.to_thread(whole.parsed.addresses.content_hash)
        self._wholes[source.id] = _Whole(fetch_key_of(source), body_hash, *began)
        return Download(whole.parsed, Validators(body_hash=body_hash))

    def _is_in_force(self, before: _Whole, source: Source, validators: Validators) -> bool:
        same = before.body_hash == validators.body_hash and before.fetch_key == fetch_key_of(source)
        return same and self._clock.monotonic() < before.monotonic + OBJECTS_EVERY

    async def _has_additions(self, wanted: Source, before: _Whole, on_body: OnBody) -> bool:
        """Only a first page is asked for, which is empty where nothing was added."""
        url = with_parameter(str(wanted.url), "added_after", _timestamp(before.asked_at - MARGIN))
        asked = replace(wanted, url=url, pages=None, format=replace(wanted.format, changes=True))
        try:
            await self._fetcher.fetch(asked, Validators(), on_body)
        except ParseError:
            return True
        return False


def _with_limit(url: str) -> str:
    asked = parse_qs(urlsplit(url).query, keep_blank_values=True)
    return url if "limit" in asked else with_parameter(url, "limit", _LIMIT)


def _timestamp(moment: float) -> str:
    """Seconds since the epoch, as RFC 3339 writes them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
