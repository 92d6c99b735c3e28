"""What reading lists showed is kept as it is."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.polling.findings import FindingTable
from banlistd.core.feeds.found_list import Findings
from banlistd.model import Rejected
from support.sources import ONE, TWO


def test_the_last_findings_of_each_source_are_kept(tmp_path: Path) -> None:
    lines = Findings(7, (Rejected(3, 'a "b" \\x1b', "no address"), Rejected(9, "", "")), octets=123)

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            assert await FindingTable(database).every() == {}
            await FindingTable(database).keep(ONE, lines)
            await FindingTable(database).keep(TWO, lines)
        async with open_database(tmp_path / "db") as database:
            await FindingTable(database).keep(TWO, Findings())
            assert await FindingTable(database).every() == {ONE: lines, TWO: Findings()}

    asyncio.run(story())


def test_an_address_and_the_findings_of_a_reading_leave_each_other_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            table = FindingTable(database)
            assert await table.moved_to(ONE) == ""
            await table.keep_moved_to(ONE, "https://new.example/")
            await table.keep(ONE, Findings(7))
            await table.keep_moved_to(ONE, "https://newer.example/")
            assert await table.moved_to(ONE) == "https://newer.example/"
            assert await table.every() == {ONE: Findings(7, (), "https://newer.example/")}

    asyncio.run(story())
