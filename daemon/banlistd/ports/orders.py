"""What is kept on disk of orders over MQTT."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from banlistd.core.mqtt.orders.seen import SeenOrder


class SeenOrderLog(Protocol):
    """The newest orders of each key. Each call is one transaction. Raises LedgerError where the database cannot be used."""

    async def load(self) -> Sequence[SeenOrder]:
        """All that are remembered, in any order."""

    async def note(self, orders: Iterable[SeenOrder], most: int) -> None:
        """Remember these, and of each key no more than the `most` with the latest ends."""
