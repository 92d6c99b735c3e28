"""The tables of reports, made when one is asked for: a host that is in no fleet imports none of them."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from banlistd.adapters.storage.database import Database
    from banlistd.ports.reports import NodeRegister, ReportOutbox, SightingLog


class ReportTables:
    """The ReportStores of `ports`. `path`: of the database's file."""

    def __init__(self, database: "Database", path: Path) -> None:
        self._database = database
        self._path = path

    def nodes(self) -> "NodeRegister":
        from banlistd.adapters.storage.reports.node_table import NodeTable  # noqa: PLC0415 - see above

        return NodeTable(self._database)

    def sightings(self) -> "SightingLog":
        from banlistd.adapters.storage.reports.sighting_table import SightingTable  # noqa: PLC0415 - see above

        return SightingTable(self._database, self._path)

    def outbox(self) -> "ReportOutbox":
        from banlistd.adapters.storage.reports.outbox_table import OutboxTable  # noqa: PLC0415 - see above

        return OutboxTable(self._database)
