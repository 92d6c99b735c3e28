"""Memory that large lists needed goes back to the system, so that an idle daemon is as small as one that was just started, and
garbage is looked for while no import waits.
"""

import asyncio
from collections.abc import Callable


class MemoryLoop:
    """`trim`: returns free memory; runs in a worker thread for some milliseconds. `rest`: seconds after work, before it.
    `collect`: looks for garbage, and stops all threads meanwhile; not done while `is_busy`, because more work follows.

    Many imports in a row pay for one trim.
    """

    def __init__(self, trim: Callable[[], None], collect: Callable[[], None], is_busy: Callable[[], bool], rest: float) -> None:
        self._trim = trim
        self._collect = collect
        self._is_busy = is_busy
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
            if not self._is_busy():
                await asyncio.to_thread(self._collect)
            await asyncio.to_thread(self._trim)
