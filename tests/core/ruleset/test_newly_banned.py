"""Which connections end with a change."""

import numpy as np
import pytest

from adapters.firewalls.contract import addresses, state
from banlistd.core.addresses.sets import Addresses, from_numbers
from banlistd.core.ruleset.diff import Change, difference
from banlistd.core.ruleset.newly_banned import bans_any, newly_banned
from banlistd.model import Action, AnswerPort, Direction, Family, Mark, ServiceEndpoint, SourceId, SourceSlot

FIRST, LAST, OUTSIDE = 0xC0000200, 0xC00002FF, 0xC6336401  # 192.0.2.0, 192.0.2.255, 198.51.100.1
ASKED = from_numbers(Family.IPV4, [OUTSIDE, FIRST, LAST, LAST + 1])


def slot(action: Action, direction: Direction = Direction.IN) -> SourceSlot:
    return SourceSlot(Mark(1), SourceId("a"), action, direction)


def change_to(
    text: str, action: Action = Action.DROP, direction: Direction = Direction.IN, before: str | None = None
) -> Change:
    source = slot(action, direction)
    present = state([source], {"a": addresses(*before.split())}) if before is not None else None
    return difference(present, state([source], {"a": addresses(*text.split())}))


@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("action", [action for action in Action if action.blocks])
def test_addresses_of_new_elements_are_newly_banned(action: Action, direction: Direction) -> None:
    change = change_to("192.0.2.0/24", action, direction)
    assert bans_any(change)
    assert newly_banned(change, (), Family.IPV4, ASKED).tolist() == [False, True, True, False]


@pytest.mark.parametrize("action", [action for action in Action if action is not Action.NONE and not action.blocks])
def test_a_source_that_only_watches_ends_nothing(action: Action) -> None:
    assert not bans_any(change_to("192.0.2.0/24", action))


def test_only_what_comes_is_newly_banned() -> None:
    change = change_to("192.0.2.1\n192.0.2.255", before="192.0.2.1\n192.0.2.0")
    asked = from_numbers(Family.IPV4, [FIRST, FIRST + 1, LAST])
    assert newly_banned(change, (), Family.IPV4, asked).tolist() == [False, False, True]


def test_services_whose_answers_pass_keep_their_connections() -> None:
    dns = ServiceEndpoint(Family.IPV4, LAST, AnswerPort("udp", 53))
    change = change_to("192.0.2.0/24")
    assert newly_banned(change, (dns,), Family.IPV4, ASKED).tolist() == [False, True, False, False]


def test_ipv6_is_looked_up_among_ipv6() -> None:
    asked: Addresses = np.array([bytes.fromhex("20010db8" + "0" * 23 + "1"), bytes(16)], dtype="S16")
    change = change_to("2001:db8::/64\n192.0.2.1")
    assert newly_banned(change, (), Family.IPV6, asked).tolist() == [True, False]
