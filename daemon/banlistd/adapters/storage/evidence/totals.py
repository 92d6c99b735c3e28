"""What was counted of each source in all, on SQLite. The only file with queries on it."""

from collections.abc import Mapping

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.ruleset.evidence.totals import Total
from banlistd.model import Counter, SourceId

_LOAD = "SELECT source_id, packets_before, octets_before, packets, octets, boot FROM counter_totals"


class TotalTable:
    """The TotalLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Mapping[SourceId, Total]:
        return {
            SourceId(source_id): Total(Counter(*numbers[:2]), Counter(*numbers[2:]), boot)
            for source_id, *numbers, boot in await self._database.run(_LOAD)
        }

    async def keep(self, totals: Mapping[SourceId, Total]) -> None:
        rows = [
            (source, one.before.packets, one.before.octets, one.last.packets, one.last.octets, one.boot)
            for source, one in totals.items()
        ]

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany("INSERT OR REPLACE INTO counter_totals VALUES (?, ?, ?, ?, ?, ?)", rows)

        await self._database.write(work)
