"""Lists that are made of the lists of other sources: what is in force of those, before anything is carved out."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from banlistd.core.addresses.combining import all_but, in_at_least
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.combining.combination import Combination
from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.parsed_list import Download, ParsedList
from banlistd.errors import FetchError
from banlistd.model import ContentHash, NotModified, SourceId, Validators
from banlistd.ports import Clock, Departures, Fetcher, OnBody

ContentOf = Callable[[SourceId], Content | None]
"""The content of a source that is in force, which is the last good one."""

_Departed = Sequence[tuple[float, bytes]]
"""Of one part, as `Departures.between` has it."""


def parts_stamp(source: Source, content_of: ContentOf) -> str:
    """Changes when a part of a combination does; empty for another source. A part without a usable content is a hyphen."""
    combination = source.combination
    if combination is None:
        return ""
    return "\n".join(f"{part} {_stamp_of(content_of(part))}" for part in combination.sources)


def _stamp_of(content: Content | None) -> str:
    return "-" if content is None or content.adopted else content.content_hash


class Combinations:
    """A Fetcher for combinations; the others through `others`. `departures`: what left the lists of parts with a window."""

    def __init__(self, content_of: ContentOf, departures: Departures, clock: Clock, others: Fetcher) -> None:
        self._content_of = content_of
        self._departures = departures
        self._clock = clock
        self._others = others

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        combination = source.combination
        if combination is None:
            return await self._others.fetch(source, validators, on_body)
        # Nothing is awaited between these: all parts are of one moment.
        etag = parts_stamp(source, self._content_of)
        parts, excluded = ([self._content(part).addresses for part in ids] for ids in (combination.parts, combination.exclude))
        # After the parts: what leaves one of them in between is in both.
        departed = await self._departed(combination)
        window = _digest(departed) if combination.window else ""
        if (validators.etag, validators.last_modified) == (etag, window):
            return NotModified()
        try:
            addresses, content_hash = await asyncio.to_thread(_combined, combination, parts, excluded, departed)
        except ValueError as error:
            hint = "stop banlistd, and delete the rows of the table departures"
            raise FetchError(f"what has left its parts cannot be read: {error}", hint) from error
        return Download(ParsedList(addresses, len(addresses)), Validators(etag, window, content_hash))

    def _content(self, part: SourceId) -> Content:
        """Raises FetchError: without a part the result would be narrower, or wider."""
        content = self._content_of(part)
        if content is None:
            raise FetchError(f"{part}, a part of it, has no good list yet", f"banlistctl sources {part}")
        if content.adopted:
            hint = f"its bans stay until it is fetched again: banlistctl refresh {part}"
            raise FetchError(f"{part}, a part of it, has lost its stored list", hint)
        return content

    async def _departed(self, combination: Combination) -> Sequence[_Departed]:
        """What has left each part within the window. Raises LedgerError.

        After the clock was set back some of it left in the future, but not longer ahead than the window.
        """
        if not combination.window:
            return [()] * len(combination.parts)
        now, window = self._clock.now(), combination.window
        return [await self._departures.between(part, now - window, now + window) for part in combination.parts]


def _digest(departed: Sequence[_Departed]) -> str:
    """Changes when something leaves, and when the window has passed for something."""
    moments = [[left_at for left_at, _ in of_part] for of_part in departed]
    return hashlib.sha256(repr(moments).encode()).hexdigest()[:32]


def _combined(
    combination: Combination,
    parts: Sequence[AddressSet],
    excluded: Sequence[AddressSet],
    departed: Sequence[_Departed],
) -> tuple[AddressSet, ContentHash]:
    """The result and its hash. Raises ValueError for departures that are damaged."""
    widened = [
        in_at_least(1, [part, *(AddressSet.decode(body) for _, body in gone)]) if gone else part
        for part, gone in zip(parts, departed, strict=True)
    ]
    addresses = all_but(in_at_least(combination.at_least, widened), excluded)
    return addresses, addresses.content_hash()
