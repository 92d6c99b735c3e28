"""The table of orders that have come, on a real file."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.orders.orders_seen import SeenOrderTable
from banlistd.core.mqtt.orders.seen import SeenOrder

ORDERS = [SeenOrder("a", f"{number:032x}", 1000 + number) for number in range(5)]
OTHER = SeenOrder("b", ORDERS[0].order_id, 7)


def test_what_is_noted_is_read_back_by_the_next_process(tmp_path: Path) -> None:
    async def write() -> None:
        async with open_database(tmp_path / "db") as database:
            table = SeenOrderTable(database)
            assert await table.load() == []
            await table.note([OTHER], 3)
            for order in ORDERS:
                await table.note([order], 3)

    async def read() -> None:
        async with open_database(tmp_path / "db") as database:
            assert {*await SeenOrderTable(database).load()} == {*ORDERS[2:], OTHER}

    asyncio.run(write())
    asyncio.run(read())
