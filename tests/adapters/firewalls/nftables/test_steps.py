"""One transaction, and the one case that needs two."""

from adapters.firewalls.contract import ALPHA, BETA, addresses, state
from banlistd.adapters.firewalls.nftables.steps import steps_of
from banlistd.core.addresses.sets import to_text
from banlistd.core.ruleset.diff import Change, difference

HOST, NET, OTHER = addresses("192.0.2.7"), addresses("192.0.2.0/24"), addresses("192.0.2.7", "203.0.113.9")


def moves(change: Change) -> list[tuple[str, list[str], list[str]]]:
    return [
        (
            item.map.name,
            [to_text(item.map.family, first) for first in item.add.first],
            [to_text(item.map.family, first) for first in item.remove.first],
        )
        for item in change.maps
    ]


def test_an_ordinary_change_is_one_transaction() -> None:
    change = difference(state([ALPHA], {"alpha": HOST}), state([ALPHA], {"alpha": OTHER}))
    assert steps_of(change) == (change,)


def test_a_network_that_becomes_a_single_address_is_one_transaction() -> None:
    change = difference(state([ALPHA], {"alpha": NET}), state([ALPHA], {"alpha": HOST}))
    assert steps_of(change) == (change,)


def test_a_single_address_goes_only_after_the_network_that_covers_it_has_come() -> None:
    before = state([ALPHA], {"alpha": OTHER}, content_hash="a" * 64)
    change = difference(before, state([ALPHA], {"alpha": NET}, content_hash="b" * 64))
    first, last = steps_of(change)
    assert moves(first) == [("hosts4", [], ["203.0.113.9"]), ("nets4", ["192.0.2.0"], [])]
    assert moves(last) == [("hosts4", [], ["192.0.2.7"])]
    assert (first.markers, last.markers) == ((), change.markers)
    assert not last.reshape


def test_an_address_that_only_changes_its_owner_is_never_absent() -> None:
    before = state([ALPHA, BETA], {"alpha": HOST, "beta": addresses("198.51.100.1")})
    after = state([ALPHA, BETA], {"alpha": addresses("203.0.113.0/24"), "beta": HOST})
    change = difference(before, after)
    assert steps_of(change) == (change,)
