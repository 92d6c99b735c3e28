"""What is known of the last requests is kept as it is."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.polling.request_log import RequestTable
from banlistd.core.download.intervals import LastRequest


def test_the_last_request_of_each_place_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            assert await RequestTable(database).every() == {}
            await RequestTable(database).keep("a", LastRequest(1.5))
            await RequestTable(database).keep("b", LastRequest(None, 7.0))
        async with open_database(tmp_path / "db") as database:
            await RequestTable(database).keep("a", LastRequest(3.0, 9.0))
            assert await RequestTable(database).every() == {"a": LastRequest(3.0, 9.0), "b": LastRequest(None, 7.0)}

    asyncio.run(story())


def test_a_place_is_forgotten_when_no_interval_is_that_long(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            log = RequestTable(database)
            await log.keep("old", LastRequest(1e9))
            await log.keep("year", LastRequest(1e9 + 36 * 86_400))
            await log.keep("new", LastRequest(1e9 + 401 * 86_400))
            assert set(await log.every()) == {"year", "new"}

    asyncio.run(story())
