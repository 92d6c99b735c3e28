"""Imports what nodes have reported soon after it has changed, and not at every report."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from banlistd.errors import BanlistdError

SHORTEST_REST, LONGEST_REST = 0.5, 3.0
"""Seconds after an import: under many reports, each import takes all that have come since the last one. The shortest is for
one that has changed the list, which is a version to store and to publish. The first report of an address changes nothing, and
the one that completes its quorum often follows at once.
"""

_PART = 5
"""The rest is so many times as long as the import took."""


class Refreshing:
    """`refresh`: imports the lists that are made of reports; whether one may have changed. Raises BanlistdError, and their
    events say what has failed.
    """

    def __init__(self, refresh: Callable[[], Awaitable[bool]]) -> None:
        self._refresh = refresh
        self._changed = asyncio.Event()

    def note(self) -> None:
        """What is listed may have changed."""
        self._changed.set()

    async def turn(self) -> None:
        """Wait for a change, and import it."""
        await self._changed.wait()
        self._changed.clear()
        clock = asyncio.get_running_loop().time
        began, is_another = clock(), True
        with suppress(BanlistdError):
            is_another = await self._refresh()
        await asyncio.sleep(min(max(SHORTEST_REST if is_another else 0.0, _PART * (clock() - began)), LONGEST_REST))
