"""Sources whose time in shadow begins or ends: looked for at an interval."""

import asyncio
from collections.abc import Awaitable, Callable


class ShadowLoop:
    """`note`: writes down what begins and ends, and says whether the firewall has to follow. `every`: seconds."""

    def __init__(
        self,
        note: Callable[[], Awaitable[bool]],
        reconcile: Callable[[], Awaitable[object]],
        every: float,
    ) -> None:
        self._note = note
        self._reconcile = reconcile
        self._every = every

    async def turn(self) -> None:
        """Look once, and wait."""
        if await self._note():
            await self._reconcile()
        await asyncio.sleep(self._every)
