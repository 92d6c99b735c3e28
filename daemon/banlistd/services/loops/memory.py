"""Memory that large lists needed goes back to the system, so that an idle daemon is as small as one that was just started."""

import asyncio
from collections.abc import Callable


class MemoryLoop:
    """`trim`: returns free memory; runs in a worker thread for some milliseconds. `rest`: seconds after work, before it.

    Many imports in a row pay for one trim.
    """

    def __init__(self, trim: Callable[[], None], rest: float) -> None:
        self._trim = trim
        self._rest = rest
        self._work_done = asyncio.Event()
        self._work_done.set()  # initially, because the restore has allocated memory

    def note_work(self) -> None:
        """Memory was used."""
        self._work_done.set()

    async def run(self) -> None:
        while True:
            await self._work_done.wait()
            await asyncio.sleep(self._rest)
            self._work_done.clear()
            await asyncio.to_thread(self._trim)
