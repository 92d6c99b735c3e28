"""The table of what is allowed by command, on a real file."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.host.manual_allows import ManualAllowTable
from banlistd.core.ruleset.manual_allows import ManualAllow
from banlistd.model import Family

FOUR = ManualAllow(Family.IPV4, 0xC0000200, 0xC00002FF, "audit", 10.5, 610.5, 1001)
SIX = ManualAllow(Family.IPV6, 1, 2**128 - 1, "", 11.0, None)


def use(disk: Path, life: Callable[[ManualAllowTable], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(disk / "db") as database:
            await life(ManualAllowTable(database))

    asyncio.run(run())


def test_what_is_written_is_read_back_by_the_next_process_and_a_second_row_replaces_the_first(tmp_path: Path) -> None:
    later = replace(FOUR, expires_at=None, comment="longer")

    async def write(table: ManualAllowTable) -> None:
        assert await table.load() == []
        await table.change([FOUR, SIX], [])
        await table.change([later], [])

    async def read(table: ManualAllowTable) -> None:
        assert await table.load() == [later, SIX]
        await table.change([], [SIX.key])
        assert await table.load() == [later]

    use(tmp_path, write)
    use(tmp_path, read)
