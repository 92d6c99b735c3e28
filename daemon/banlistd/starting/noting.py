"""The part of a node that writes down what it will report, as the configuration in force has it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from banlistd.core.config.service.fleet import Fleet
from banlistd.core.manual.ended_bans import EndedBan
from banlistd.model import ManualBan
from banlistd.ports import Clock

if TYPE_CHECKING:
    import aiosqlite

    from banlistd.adapters.storage.manual_bans import ChangeNote


class ReportNotes:
    """For the table of manual bans; it notes nothing while the configuration has no origins to report."""

    def __init__(self, fleet: Fleet | None, clock: Clock) -> None:
        self._clock = clock
        self._note: ChangeNote | None = None
        self.configure(fleet)

    def configure(self, fleet: Fleet | None) -> None:
        """From the next change on, these origins count."""
        if fleet is None or not fleet.report:
            self._note = None
            return
        from banlistd.adapters.storage.reports.outbox_table import OutboxNotes  # noqa: PLC0415 - most hosts report nothing

        self._note = OutboxNotes(fleet.report, self._clock.now).note

    async def note(self, connection: "aiosqlite.Connection", come: Sequence[ManualBan], ended: Sequence[EndedBan]) -> None:
        if self._note is not None:
            await self._note(connection, come, ended)
