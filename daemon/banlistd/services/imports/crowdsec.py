"""Decisions of a local CrowdSec, as its firewall bouncer gets them: all at first, then what changed.

The local API remembers for each key when it last answered, so what changed is asked for only where the answer before is in
force, and everything once an hour: another program with the same key would take changes away. An answer without changes has
27 octets; 20,000 decisions have 2.7 MB (measured, CrowdSec 1.4.6), and differ each time in how long they last.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from banlistd.core.config.model import Source
from banlistd.core.download.paging import with_parameter
from banlistd.core.feeds.evaluate import fetch_key_of
from banlistd.core.feeds.joined import joined_lists
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.errors import ParseError
from banlistd.formats import FormatType
from banlistd.model import NotModified, SourceId, Validators
from banlistd.ports import Fetcher, OnBody
from banlistd.services.imports.attempts import already_counted

DECISIONS_EVERY = 3600.0
"""Seconds after which everything is asked for again, whatever the changes say."""

_STREAM = "/stream"


@dataclass(frozen=True, slots=True, eq=False)
class _Answered:
    """The decisions in force when the local API last answered. `until`: when everything is asked for again (monotonic)."""

    fetch_key: str
    parsed: ParsedList = field(repr=False)
    body_hash: str
    until: float


class CrowdsecStreams:
    """A Fetcher for sources with the format `crowdsec`, by way of another one, which gets all the others.

    `monotonic`: seconds since some moment.
    """

    def __init__(self, fetcher: Fetcher, monotonic: Callable[[], float]) -> None:
        self._fetcher = fetcher
        self._monotonic = monotonic
        self._answered: dict[SourceId, _Answered] = {}

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        if not _is_stream(source):
            return await self._fetcher.fetch(source, validators, on_body)
        # A fault leaves nothing behind: the changes of an answer that was lost are not told again.
        before = self._answered.pop(source.id, None)
        if before is not None and self._is_in_force(before, source, validators):
            try:
                changes = await self._ask(source, on_body, changes=True)
            except ParseError:
                # Decisions have ended. That body was this poll's attempt.
                on_body = already_counted
            else:
                return await self._extended(source, before, changes)
        whole = await self._ask(source, on_body, changes=False)
        body_hash = await asyncio.to_thread(whole.parsed.addresses.content_hash)
        until = self._monotonic() + DECISIONS_EVERY
        self._answered[source.id] = _Answered(fetch_key_of(source), whole.parsed, body_hash, until)
        return Download(whole.parsed, Validators(body_hash=body_hash))

    def _is_in_force(self, before: _Answered, source: Source, validators: Validators) -> bool:
        same = before.body_hash == validators.body_hash and before.fetch_key == fetch_key_of(source)
        return same and self._monotonic() < before.until

    async def _ask(self, source: Source, on_body: OnBody, *, changes: bool) -> Download:
        asked = with_parameter(str(source.url), "startup", "false" if changes else "true")
        wanted = replace(source, url=asked, format=replace(source.format, changes=changes))
        answer = await self._fetcher.fetch(wanted, Validators(), on_body)
        if isinstance(answer, NotModified):
            raise ParseError("the local API of CrowdSec answers that nothing changed, without having been asked that")
        return answer

    async def _extended(self, source: Source, before: _Answered, changes: Download) -> Download | NotModified:
        if not changes.parsed.entries and not changes.parsed.rejected:
            self._answered[source.id] = before
            return NotModified()
        parsed = await asyncio.to_thread(joined_lists, [before.parsed, changes.parsed])
        # Most decisions of a change are new for addresses that had none.
        parsed = replace(parsed, entries=len(parsed.addresses))
        body_hash = await asyncio.to_thread(parsed.addresses.content_hash)
        self._answered[source.id] = replace(before, parsed=parsed, body_hash=body_hash)
        return Download(parsed, Validators(body_hash=body_hash))


def _is_stream(source: Source) -> bool:
    if source.format.type is not FormatType.CROWDSEC or not isinstance(source.url, str):
        return False
    return source.url.partition("?")[0].endswith(_STREAM)
