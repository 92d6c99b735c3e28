"""One transaction, and the cases that need two or three."""

from dataclasses import replace

import pytest

from adapters.firewalls.contract import ALPHA, BETA, addresses, state
from banlistd.adapters.firewalls.nftables.changing.steps import VOID, steps_of
from banlistd.adapters.firewalls.nftables.firewall import NftablesFirewall
from banlistd.adapters.netlink.messages import Batch
from banlistd.adapters.netlink.socket import NetlinkSocket
from banlistd.core.addresses.sets import to_text
from banlistd.core.ruleset.diff import Change, difference
from banlistd.model import Marker
from support.network_namespace import in_network_namespace

HOST, NET, OTHER = addresses("192.0.2.7"), addresses("192.0.2.0/24"), addresses("192.0.2.7", "203.0.113.9")


def void(change: Change) -> tuple[Marker, ...]:
    return tuple(replace(marker, policy_hash=VOID) for marker in change.markers)


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
    assert [*steps_of(change)] == [change]


def test_a_network_goes_only_after_the_single_address_within_it_has_come() -> None:
    before = state([ALPHA], {"alpha": NET}, content_hash="a" * 64)
    change = difference(before, state([ALPHA], {"alpha": OTHER}, content_hash="b" * 64))
    first, last = steps_of(change)
    assert moves(first) == [("hosts4", ["192.0.2.7"], [])]
    assert [to_text(item.map.family, one) for item in first.maps for one in item.whole.first] == ["192.0.2.7"]
    assert moves(last) == [("hosts4", ["203.0.113.9"], []), ("nets4", [], ["192.0.2.0"])]
    assert (first.markers, last.markers) == (void(change), change.markers)


def test_only_an_address_that_no_other_network_covers_comes_before() -> None:
    after = addresses("192.0.2.0/25", "192.0.2.200")
    first, last = steps_of(difference(state([ALPHA], {"alpha": NET}), state([ALPHA], {"alpha": after})))
    assert moves(first) == [("hosts4", ["192.0.2.200"], [])]
    assert moves(last) == [("hosts4", [], []), ("nets4", ["192.0.2.0"], ["192.0.2.0"])]


def test_addresses_that_move_both_ways_take_three_transactions() -> None:
    before, after = addresses("192.0.2.0/24", "203.0.113.9"), addresses("192.0.2.7", "203.0.113.0/24")
    change = difference(state([ALPHA], {"alpha": before}), state([ALPHA], {"alpha": after}))
    first, main, last = steps_of(change)
    assert moves(first) == [("hosts4", ["192.0.2.7"], [])]
    assert moves(main) == [("hosts4", [], []), ("nets4", ["203.0.113.0"], ["192.0.2.0"])]
    assert moves(last) == [("hosts4", [], ["203.0.113.9"])]
    assert (first.markers, main.markers, last.markers) == (void(change), (), change.markers)
    assert [to_text(item.map.family, one) for item in first.maps for one in item.whole.first] == ["192.0.2.7", "203.0.113.9"]


def test_a_single_address_goes_only_after_the_network_that_covers_it_has_come() -> None:
    before = state([ALPHA], {"alpha": OTHER}, content_hash="a" * 64)
    change = difference(before, state([ALPHA], {"alpha": NET}, content_hash="b" * 64))
    first, last = steps_of(change)
    assert moves(first) == [("hosts4", [], ["203.0.113.9"]), ("nets4", ["192.0.2.0"], [])]
    assert moves(last) == [("hosts4", [], ["192.0.2.7"])]
    assert (first.markers, last.markers) == (void(change), change.markers)
    assert not last.reshape


def test_an_address_that_only_changes_its_owner_is_never_absent() -> None:
    before = state([ALPHA, BETA], {"alpha": HOST, "beta": addresses("198.51.100.1")})
    after = state([ALPHA, BETA], {"alpha": addresses("203.0.113.0/24"), "beta": HOST})
    change = difference(before, after)
    assert [*steps_of(change)] == [change]


class _KilledError(Exception):
    """In the place of a signal that ends the process."""


@pytest.mark.parametrize("commits", [1, 2])
@in_network_namespace
async def test_after_a_kill_between_two_transactions_no_marker_says_what_is_in_force(
    monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    """A kernel before 6.16 counts no elements: bans that came with the first transaction would stay for ever."""
    before, after = addresses("192.0.2.0/24", "203.0.113.9"), addresses("192.0.2.7", "203.0.113.0/24")
    held, wanted = (
        state([ALPHA], {"alpha": content}, content_hash=letter * 64) for content, letter in ((before, "a"), (after, "b"))
    )
    firewall = NftablesFirewall()
    await firewall.apply(difference(None, held))
    sent: list[Batch] = []
    commit = NetlinkSocket.commit

    def killed(wire: NetlinkSocket, batch: Batch) -> None:
        if len(sent) == commits:
            raise _KilledError
        sent.append(batch)
        commit(wire, batch)

    with monkeypatch.context() as patch:
        patch.setattr(NetlinkSocket, "commit", killed)
        with pytest.raises(_KilledError):
            await firewall.apply(difference(held, wanted))
    await firewall.close()
    firewall = NftablesFirewall()
    found = await firewall.markers()
    assert set(found).isdisjoint({*held.markers, *wanted.markers})
    assert {marker.source_id for marker in found} == {ALPHA.source_id}
    await firewall.apply(difference(None, wanted))
    assert await firewall.markers() == wanted.markers
    assert (await firewall.verify(wanted)).sound
    await firewall.close()
