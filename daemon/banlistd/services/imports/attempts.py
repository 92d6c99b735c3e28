"""The one attempt of a poll, which is written down before any of a body is read."""

from banlistd.core.config.model import Source
from banlistd.core.feeds.quarantine import PastContents
from banlistd.model import Poll
from banlistd.services.imports.needs import PollMemory


class Attempt:
    """`past`: what is remembered of the good lists of the source, as of its beginning; None before, and without a ledger."""

    def __init__(self, polls: PollMemory, source: Source, before: Poll) -> None:
        self._polls = polls
        self._source = source
        self._before = before
        self.past: PastContents | None = None

    async def begin(self) -> None:
        """An OnBody."""
        self.past = await self._polls.begin_attempt(self._source, self._before)


async def already_counted() -> None:
    """An OnBody for the bodies behind the first one: a poll is one attempt."""
