"""Imports what nodes have reported soon after it has changed, and not at every report."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from banlistd.errors import BanlistdError

SHORTEST_REST, LONGEST_REST = 0.5, 3.0
"""Seconds between two imports: under many reports, each import takes all that have come since the last one."""

_PART = 5
"""The rest is so many times as long as the import took. The first report of an address lists nothing, and the one that
completes its quorum often follows within a second.
"""


class Refreshing:
    """`refresh`: imports the lists that are made of reports. Raises BanlistdError, and their events say what has failed."""

    def __init__(self, refresh: Callable[[], Awaitable[object]], shortest: float = SHORTEST_REST) -> None:
        self._refresh = refresh
        self._shortest = shortest
        self._changed = asyncio.Event()

    def note(self) -> None:
        """What is listed may have changed."""
        self._changed.set()

    async def turn(self) -> None:
        """Wait for a change, and import it."""
        await self._changed.wait()
        self._changed.clear()
        clock = asyncio.get_running_loop().time
        began = clock()
        with suppress(BanlistdError):
            await self._refresh()
        await asyncio.sleep(min(max(self._shortest, _PART * (clock() - began)), LONGEST_REST))
