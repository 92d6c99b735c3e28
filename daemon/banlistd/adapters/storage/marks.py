"""The numbers of the sources on SQLite. The only file with queries on them.

That of a list is never given away twice. That of the manual bans of a scope is given to those of another one, once no ban
and nothing in the firewall has it: there may be any number of scopes in the course of years.
"""

from collections.abc import Mapping, Sequence

import aiosqlite

from banlistd.errors import LedgerError
from banlistd.model import MANUAL, Marker, SourceId
from banlistd.scopes.names import is_by_hand

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
    in_use = {*source_ids, MANUAL, *(marker.source_id for marker in standing)}
    unused = sorted(known.keys() - in_use, key=known.__getitem__)
    given_back = [source_id for source_id in unused if is_by_hand(source_id)]
    for source_id in source_ids:
        if source_id not in known:
            if is_by_hand(source_id) and given_back:
                before = given_back.pop(0)
                await connection.execute("UPDATE sources SET source_id = ? WHERE source_id = ?", (source_id, before))
                known[source_id] = known.pop(before)
                continue
            if following > _MAX_MARKS:
                raise LedgerError("every number for a source has been given away", "start with a new database")
            await connection.execute("INSERT INTO sources VALUES (?, ?)", (source_id, following))
            known[source_id] = following
            following += 1
    return known
