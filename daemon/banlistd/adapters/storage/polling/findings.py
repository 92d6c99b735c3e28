"""What reading each list showed, on SQLite. The only file with queries on it."""

import json
from collections.abc import Mapping

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.feeds.found_list import Findings
from banlistd.model import Rejected, SourceId

_KEEP = """
    INSERT INTO findings (source_id, rejected, skipped) VALUES (?, ?, ?)
    ON CONFLICT (source_id) DO UPDATE SET rejected = excluded.rejected, skipped = excluded.skipped
"""


class FindingTable:
    """The FindingLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def every(self) -> Mapping[SourceId, Findings]:
        rows = await self._database.run("SELECT source_id, rejected, skipped FROM findings")
        return {
            SourceId(source_id): Findings(rejected, tuple(Rejected(*one) for one in json.loads(skipped)))
            for source_id, rejected, skipped in rows
        }

    async def keep(self, source_id: SourceId, findings: Findings) -> None:
        skipped = json.dumps([[one.line, one.text, one.reason] for one in findings.skipped])

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(_KEEP, (source_id, findings.rejected, skipped))

        await self._database.write(work)
