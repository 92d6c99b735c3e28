"""What is remembered of signed orders, in memory as in the database, so that a database that was replaced gets it again."""

from collections.abc import Iterable, Sequence

from banlistd.core.mqtt.orders.seen import MOST_REMEMBERED, SeenOrder, SeenOrders
from banlistd.ports.orders import SeenOrderLog


class RememberedOrders:
    """The SeenOrderLog of `ports`, over another one, which is read once."""

    def __init__(self, log: SeenOrderLog) -> None:
        self._log = log
        self._known: SeenOrders | None = None

    async def restore(self) -> None:
        """Read it before anything can replace the database. Raises LedgerError."""
        await self.load()

    async def load(self) -> Sequence[SeenOrder]:
        if self._known is None:
            self._known = SeenOrders.of(await self._log.load())
        return [*self._known.every]

    async def note(self, orders: Iterable[SeenOrder], most: int) -> None:
        noted = [*orders]
        await self._log.note(noted, most)
        known = self._known or SeenOrders()
        for one in noted:
            known = known.with_order(one)
        self._known = known

    async def resync_ledger(self) -> None:
        """Write it again into a table that is new or older. Raises LedgerError."""
        if self._known is not None:
            await self._log.note(self._known.every, MOST_REMEMBERED)
