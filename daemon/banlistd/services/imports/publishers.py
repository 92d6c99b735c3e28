"""Whether a list may be asked for now: its publisher's minimum interval, and the pause that its server asked for.

Both belong to the place of the list. They hold for timers, retries and refreshes, across restarts and reloads, and where a
source has another id or another format than before.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from banlistd.core.config.model import Source
from banlistd.core.download.intervals import LastRequest, Rest, download_place, rest_before_next
from banlistd.core.feeds.evaluate import fetch_key_of
from banlistd.errors import DeferredError, FetchError, LedgerError
from banlistd.model import Poll, SourceId
from banlistd.ports import Clock, RequestLog


class Publishers:
    """Moments are those of `Clock.monotonic` here, and seconds since the epoch in the log.

    A process that ends between the note of a request and the request itself has not sent it; the next one waits all the same.
    """

    def __init__(self, log: RequestLog, clock: Clock) -> None:
        self._log = log
        self._clock = clock
        self._last: dict[str, LastRequest] = {}
        self._before: dict[SourceId, LastRequest] = {}
        self._loading = asyncio.Lock()
        self._is_loaded = False

    async def rest(self, source: Source, poll: Poll) -> Rest | None:
        """What keeps the list from being asked for now; None: nothing. `poll`: what the ledger has of the source."""
        if source.url is None:
            return None
        await self._load()
        self._learn(source, poll)
        return self.known_rest(source)

    def known_rest(self, source: Source) -> Rest | None:
        """The same by what is known already."""
        if source.url is None:
            return None
        last = self._last.get(download_place(source))
        return rest_before_next(last, source.minimum, self._clock.monotonic()) if last else None

    def known_rests(self, sources: Iterable[Source]) -> Mapping[SourceId, float]:
        """Seconds of rest, of each source that has any."""
        now, last = self._clock.monotonic(), self._last
        asked = [(one, last.get(download_place(one))) for one in sources if one.url is not None] if last else []
        rests = [(one.id, rest_before_next(known, one.minimum, now)) for one, known in asked if known is not None]
        return {source_id: rest.seconds for source_id, rest in rests if rest is not None}

    async def admit(self, source: Source, poll: Poll, *, anyway: bool) -> None:
        """Note that the list is asked for now. Raises DeferredError if it is too early, unless it is asked for `anyway`."""
        if source.url is None:
            return
        rest = await self.rest(source, poll)
        if rest is not None and not anyway:
            raise DeferredError(rest.reason, rest.seconds)
        place = download_place(source)
        self._before[source.id] = self._last.get(place, LastRequest())
        self._last[place] = LastRequest(self._clock.monotonic())
        # What no publisher limits need not be known by the next process.
        if source.minimum is not None or self._before[source.id].retry_at is not None:
            await self._write(place)

    async def note_fault(self, source: Source, error: FetchError) -> None:
        """The list was asked for in vain: a request that was never sent does not count, and a pause is kept."""
        place = download_place(source)
        before, last = self._before.get(source.id), self._last.get(place)
        if before is None or last is None:
            return
        if not error.was_sent:
            last = before
        if error.retry_after is not None:
            last = replace(last, retry_at=self._clock.monotonic() + error.retry_after)
        self._last[place] = last
        if not error.was_sent or error.retry_after is not None:
            await self._write(place)

    async def _load(self) -> None:
        async with self._loading:
            if self._is_loaded:
                return
            with suppress(LedgerError):
                written = await self._log.every()
                now, here = self._clock.now(), self._clock.monotonic()
                for place, last in written.items():
                    self._last.setdefault(place, last.by_another_clock(now, here))
                self._is_loaded = True

    def _learn(self, source: Source, poll: Poll) -> None:
        """A database that knows the poll and not the request is older than the log, or the source had no minimum."""
        place = download_place(source)
        if place in self._last or poll.polled_at is None or poll.validators.fetch_key != fetch_key_of(source):
            return
        polled = LastRequest(poll.polled_at)
        self._last[place] = polled.by_another_clock(self._clock.now(), self._clock.monotonic())

    async def _write(self, place: str) -> None:
        last = self._last[place].by_another_clock(self._clock.monotonic(), self._clock.now())
        with suppress(LedgerError):
            await self._log.keep(place, last)
