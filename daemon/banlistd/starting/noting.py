"""The part of a node that writes down what it will report, where it reports anything."""

from typing import TYPE_CHECKING

from banlistd.core.config.model import Config
from banlistd.ports import Clock

if TYPE_CHECKING:
    from banlistd.adapters.storage.manual_bans import ChangeNote


def report_note(config: Config, clock: Clock) -> "ChangeNote | None":
    """For the table of manual bans; None where the configuration has no origins to report."""
    if config.fleet and config.fleet.report:
        from banlistd.adapters.storage.reports.outbox_table import OutboxNotes  # noqa: PLC0415 - most hosts report nothing

        return OutboxNotes(config.fleet.report, clock.now).note
    return None
