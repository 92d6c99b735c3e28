"""What a node has to report, on a real file."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.reports.outbox_table import OutboxTable
from support.reporters import lifted, reported

NOW = 1_800_000_000


def test_the_newest_change_of_each_address_waits_until_it_is_done(tmp_path: Path) -> None:
    async def life() -> None:
        async with open_database(tmp_path / "db") as database:
            table = OutboxTable(database)
            one, two, gone = reported("203.0.113.7", NOW), reported("2001:db8::7", NOW, None), lifted("203.0.113.7")
            assert await table.put([one, two], 100) == 0
            ((first, _), (second, _)) = waiting = await table.oldest(10)
            assert [change for _, change in waiting] == [one, two]
            await table.put([gone], 100)
            # What was sent meanwhile is not the newest any more.
            await table.done([first, second])
            assert [change for _, change in await table.oldest(10)] == [gone]

    asyncio.run(life())


def test_beyond_the_bound_the_oldest_go(tmp_path: Path) -> None:
    async def life() -> None:
        async with open_database(tmp_path / "db") as database:
            table = OutboxTable(database)
            bans = [reported(f"203.0.113.{number}", NOW) for number in range(10)]
            assert await table.put(bans, 7) == 3
            assert [change for _, change in await table.oldest(3)] == bans[3:6]

    asyncio.run(life())


def test_each_start_has_a_larger_number_also_after_the_clock_was_set_back(tmp_path: Path) -> None:
    async def life() -> None:
        async with open_database(tmp_path / "db") as database:
            table = OutboxTable(database)
            assert [await table.next_boot(now) for now in (NOW + 0.5, NOW - 1000.0, NOW + 5.0)] == [NOW, NOW + 1, NOW + 5]

    asyncio.run(life())
