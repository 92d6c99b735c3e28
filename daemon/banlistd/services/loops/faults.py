"""The only broad `except` of the loops: whatever goes wrong in one turn is recorded, and the loop goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from banlistd.events import Event, EventName
from banlistd.model import SourceId
from banlistd.ports import Announcer

_T = TypeVar("_T")


class FaultRecorder:
    """Runs a part of a loop so that no error ends the loop."""

    def __init__(self, announcer: Announcer) -> None:
        self._announcer = announcer

    async def attempt(self, work: Callable[[], Awaitable[_T]], failed: _T, source_id: SourceId | None = None) -> _T:
        """The result of `work`; `failed` after an error, which is recorded."""
        try:
            return await work()
        except Exception as error:  # noqa: BLE001 - an unforeseen error in one loop must not end the protection by the others
            self.record(error, source_id)
            return failed

    async def repeat(self, turn: Callable[[], Awaitable[None]], pause: float) -> None:
        """Take turns for ever; after an error wait for `pause` seconds."""

        async def succeeds() -> bool:
            await turn()
            return True

        while True:
            if not await self.attempt(succeeds, failed=False):
                await asyncio.sleep(pause)

    def record(self, error: Exception, source_id: SourceId | None = None) -> None:
        prefix = f"{source_id}: " if source_id else ""
        about = {"SOURCE_ID": source_id} if source_id else {}
        fields = {"REASON": str(error), "ERROR_CLASS": type(error).__name__, **about}
        self._announcer.announce(Event(EventName.SERVICE_FAULT, f"{prefix}{type(error).__name__}: {error}", fields))
