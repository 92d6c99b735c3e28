"""Imports what nodes have reported soon after it has changed, and not at every report."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from banlistd.errors import BanlistdError

REFRESH_REST = 3.0
"""Seconds between two imports: under many reports, each import takes all that have come since the last one."""


class Refreshing:
    """`refresh`: imports the lists that are made of reports. Raises BanlistdError, and their events say what has failed."""

    def __init__(self, refresh: Callable[[], Awaitable[object]], rest: float = REFRESH_REST) -> None:
        self._refresh = refresh
        self._rest = rest
        self._changed = asyncio.Event()

    def note(self) -> None:
        """What is listed may have changed."""
        self._changed.set()

    async def turn(self) -> None:
        """Wait for a change, and import it."""
        await self._changed.wait()
        self._changed.clear()
        with suppress(BanlistdError):
            await self._refresh()
        await asyncio.sleep(self._rest)
