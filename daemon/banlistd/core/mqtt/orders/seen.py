"""What is remembered of orders, so that none is carried out twice, whatever the clock does. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST_REMEMBERED = 1024
"""Orders of one key. An order whose end is not after that of the oldest of so many is refused, known or not."""


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """`key_id`: of the key that signed it. `expires_at`: seconds since the epoch, whole."""

    key_id: str
    order_id: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class SeenOrders:
    """The newest orders of each key, by their ends. Nothing is forgotten because time has passed: a clock may be set back."""

    ends: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, orders: Iterable[SeenOrder]) -> "SeenOrders":
        ends: dict[str, dict[str, int]] = {}
        for one in orders:
            ends.setdefault(one.key_id, {})[one.order_id] = one.expires_at
        return cls({key: _newest(mine) for key, mine in ends.items()})

    def has(self, order: SeenOrder) -> bool:
        """Whether an order has come before, or may have: it is as old as what is forgotten."""
        mine = self.ends.get(order.key_id, {})
        return order.order_id in mine or (len(mine) >= MOST_REMEMBERED and order.expires_at <= min(mine.values()))

    def with_order(self, order: SeenOrder) -> "SeenOrders":
        mine = {**self.ends.get(order.key_id, {}), order.order_id: order.expires_at}
        return SeenOrders({**self.ends, order.key_id: _newest(mine)})

    @property
    def every(self) -> Iterable[SeenOrder]:
        return [SeenOrder(key, one, end) for key, mine in self.ends.items() for one, end in mine.items()]


def _newest(ends: Mapping[str, int]) -> Mapping[str, int]:
    if len(ends) <= MOST_REMEMBERED:
        return ends
    return dict(sorted(ends.items(), key=lambda item: (item[1], item[0]))[-MOST_REMEMBERED:])
