from dataclasses import replace

from banlistd.core.mqtt.orders.seen import MOST_REMEMBERED, SeenOrder, SeenOrders

ONE = SeenOrder("key", "0", 1000)


def numbered(number: int) -> SeenOrder:
    return SeenOrder("key", str(number), 1000 + number)


FULL = SeenOrders.of(map(numbered, range(MOST_REMEMBERED)))


def test_an_order_is_remembered_by_its_key() -> None:
    seen = SeenOrders().with_order(ONE)
    assert seen.has(ONE)
    assert not seen.has(replace(ONE, order_id="1"))
    assert not seen.has(replace(ONE, key_id="another"))
    assert SeenOrders.of(seen.every) == seen


def test_an_order_that_may_have_been_forgotten_counts_as_seen() -> None:
    assert FULL.has(SeenOrder("key", "new", 1000))
    assert not FULL.has(SeenOrder("key", "new", 1001))
    assert not FULL.has(SeenOrder("another", "new", 1000))


def test_the_oldest_is_forgotten_and_still_counts_as_seen() -> None:
    seen = FULL.with_order(numbered(MOST_REMEMBERED))
    assert len([*seen.every]) == MOST_REMEMBERED
    assert all(seen.has(numbered(number)) for number in range(MOST_REMEMBERED + 1))
    assert SeenOrders.of([*FULL.every, numbered(MOST_REMEMBERED)]) == seen


def test_orders_of_one_key_push_out_none_of_another() -> None:
    seen = SeenOrders().with_order(replace(ONE, key_id="another"))
    for order in FULL.every:
        seen = seen.with_order(order)
    assert seen.has(replace(ONE, key_id="another"))
