"""Logins: noted as soon as they are reported, however long the firewall takes to follow."""

import asyncio
from collections.abc import Awaitable, Callable


class LoginLoop:
    """`note`: looks at the sessions of this moment and remembers them."""

    def __init__(self, wait_for_change: Callable[[], Awaitable[None]], note: Callable[[], Awaitable[object]]) -> None:
        self._wait_for_change = wait_for_change
        self._note = note
        self._noted = asyncio.Event()

    async def turn(self) -> None:
        """Wait for a change and note it."""
        await self._wait_for_change()
        await self._note()
        self._noted.set()

    async def wait_until_noted(self) -> None:
        """Wait until something was noted since the last call."""
        await self._noted.wait()
        self._noted.clear()
