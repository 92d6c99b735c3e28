"""Which orders have come over MQTT, on SQLite. The only file with queries on it."""

from collections.abc import Iterable, Sequence

import aiosqlite

from banlistd.adapters.storage.database import Database
from banlistd.core.mqtt.orders.seen import SeenOrder

_FORGET = """
    DELETE FROM orders_seen WHERE key_id = ? AND order_id NOT IN (
        SELECT order_id FROM orders_seen WHERE key_id = ? ORDER BY expires_at DESC, order_id DESC LIMIT ?)
"""


class SeenOrderTable:
    """The SeenOrderLog of `ports`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> Sequence[SeenOrder]:
        return [SeenOrder(*row) for row in await self._database.run("SELECT key_id, order_id, expires_at FROM orders_seen")]

    async def note(self, orders: Iterable[SeenOrder], most: int) -> None:
        rows = [(one.key_id, one.order_id, one.expires_at) for one in orders]
        keys = {key for key, *_ in rows}

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.executemany("INSERT OR REPLACE INTO orders_seen VALUES (?, ?, ?)", rows)
            await connection.executemany(_FORGET, [(key, key, most) for key in keys])

        await self._database.write(work)
