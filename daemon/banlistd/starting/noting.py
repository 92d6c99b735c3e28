"""The part of a node that writes down what it will report, where it reports anything."""

from banlistd.core.config.model import Config
from banlistd.ports import Clock
from banlistd.ports.reports import ReportStores
from banlistd.services.manual_bans import ManualBanService


def noted(stores: ReportStores, config: Config, bans: ManualBanService, clock: Clock) -> ReportStores:
    """The same stores; from now on changes of the manual bans are noted there, if the configuration has origins to report."""
    if config.fleet and config.fleet.report:
        from banlistd.services.reports.noting import ReportNotes  # noqa: PLC0415 - only here: most hosts report nothing

        bans.observe(ReportNotes(stores.outbox(), config.fleet.report, bans.touching, clock).note)
    return stores
