"""The numbers of the sources on SQLite, which are never given away twice. The only file with queries on them."""

from collections.abc import Mapping, Sequence

import aiosqlite

from banlistd.errors import LedgerError
from banlistd.model import Marker, SourceId

_MAX_MARKS = 65_535


async def known_marks(connection: aiosqlite.Connection) -> Mapping[str, int]:
    return {row[0]: row[1] for row in await connection.execute_fetchall("SELECT source_id, mark FROM sources")}


async def give_marks(
    connection: aiosqlite.Connection, source_ids: Sequence[SourceId], standing: Sequence[Marker]
) -> Mapping[str, int]:
    known = dict(await known_marks(connection))
    if not known:
        known = {marker.source_id: marker.mark for marker in standing}
        await connection.executemany("INSERT INTO sources VALUES (?, ?)", known.items())
    following = max(known.values(), default=0) + 1
    for source_id in source_ids:
        if source_id not in known:
            if following > _MAX_MARKS:
                raise LedgerError("every number for a source has been given away", "start with a new database")
            await connection.execute("INSERT INTO sources VALUES (?, ?)", (source_id, following))
            known[source_id] = following
            following += 1
    return known
