"""Faults of the ledger's file: announced, repaired from memory, and retried until the disk takes the state again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from banlistd.errors import BanlistdError
from banlistd.events import Event, EventName
from banlistd.ports import Announcer, Storage

_IN_MEMORY = "; the state goes on in memory until the disk takes it"


class StorageLoop:
    """`resync`: writes the state in force to a ledger that was replaced. `take_over`: before that, puts in force what a ledger
    has that was never read. `on_change`: the fault has come or gone.
    """

    def __init__(
        self,
        storage: Storage,
        resync: Callable[[], Awaitable[None]],
        take_over: Callable[[], Awaitable[None]],
        on_change: Callable[[], None],
        announcer: Announcer,
        retry_every: float,
    ) -> None:
        self._storage = storage
        self._resync = resync
        self._take_over = take_over
        self._on_change = on_change
        self._announcer = announcer
        self._retry_every = retry_every
        self._retry_now = asyncio.Event()

    def retry_now(self) -> None:
        """Do not wait for the next retry."""
        self._retry_now.set()

    async def turn(self) -> None:
        """Wait for one fault, and until it is over."""
        fault = await self._storage.wait_for_fault()
        self._on_change()
        message = f"{fault}{_IN_MEMORY if self._storage.fault else ''}"
        self._announcer.announce(Event(EventName.LEDGER_FAULT, message, {"REASON": fault}))
        await self._until_done(self._resync)
        while self._storage.fault:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._retry_now.wait(), self._retry_every)
            self._retry_now.clear()
            is_unread = self._storage.is_unread
            if await self._storage.try_recover():
                if is_unread:
                    await self._until_done(self._take_over)
                await self._until_done(self._resync)
                self._announcer.announce(Event(EventName.LEDGER_MENDED, "the state is on the disk again", {}))
        self._on_change()

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        """Another process, such as a backup, may lock the file for minutes."""
        while True:
            with suppress(BanlistdError):
                await work()
                return
            await asyncio.sleep(self._retry_every)
