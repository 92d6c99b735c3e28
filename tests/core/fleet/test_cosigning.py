"""What a hub signs for another one: nothing that its own source does not have, and nothing that lacks what it has."""

from collections.abc import Sequence

import pytest

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.fleet.cosigning import OtherHub, missing_of_ours, reason_against
from banlistd.core.fleet.publish_job import Proposal
from banlistd.core.fleet.roll_out.stops import NO_STOP
from banlistd.model import Family


def hosts(*numbers: int) -> AddressSet:
    return AddressSet.of(from_numbers(Family.IPV4, numbers))


def net(first: int, last: int) -> AddressSet:
    return AddressSet.of(from_numbers(Family.IPV4, [first]), from_numbers(Family.IPV4, [last]))


BASE = 0x0B000000
MINE = hosts(*range(BASE, BASE + 20, 2))


@pytest.mark.parametrize(
    ("candidate", "own"),
    [
        (MINE, [MINE]),
        (hosts(BASE, BASE + 4), [hosts(BASE, BASE + 2), hosts(BASE, BASE + 4), hosts(BASE, BASE + 2, BASE + 4)]),
        (hosts(BASE, BASE + 1), [hosts(BASE), hosts(BASE + 1)]),
        (AddressSet.none(), [hosts(BASE), hosts(BASE + 1)]),
        (hosts(*range(BASE, BASE + 256)), [net(BASE, BASE + 255)]),
        (AddressSet.none(), [AddressSet.none()]),
    ],
)
def test_what_this_hub_has_or_had_a_moment_ago_is_signed(candidate: AddressSet, own: Sequence[AddressSet]) -> None:
    assert reason_against(candidate, own) == ""


@pytest.mark.parametrize(
    ("candidate", "own", "why"),
    [
        (MINE, [], "no content of the list yet"),
        (hosts(BASE, BASE + 1), [MINE], "1 entry is not in the list that this hub has: 11.0.0.1"),
        (
            hosts(*range(BASE + 1, BASE + 11, 2)),
            [MINE],
            "5 entries are not in the list that this hub has: 11.0.0.1, 11.0.0.3, 11.0",
        ),
        (net(BASE, BASE + 255), [MINE], "not in the list that this hub has"),
        (hosts(*range(BASE + 2, BASE + 20, 2)), [MINE], "1 entry of the list that this hub has would be missing: 11.0.0.0"),
        (
            AddressSet.none(),
            [MINE],
            "10 entries of the list that this hub has would be missing: 11.0.0.0, 11.0.0.2, 11.0.0.4, ...",
        ),
        (hosts(BASE + 2), [hosts(BASE, BASE + 2), hosts(BASE)], "would be missing: 11.0.0.0"),
        (hosts(BASE), [net(BASE, BASE + 255)], "would be missing: "),
    ],
)
def test_what_this_hub_does_not_have_and_what_would_lift_its_bans_is_not_signed(
    candidate: AddressSet, own: Sequence[AddressSet], why: str
) -> None:
    assert why in reason_against(candidate, own)


def test_what_waits_says_which_hub_refuses_it_or_does_not_answer() -> None:
    asked = Proposal(13, "c" * 64, NO_STOP, 100.0, 1)
    silent, refusing = (
        OtherHub("https://b", "it does not answer"),
        OtherHub("https://c", refused=[("drop", 13, "no such entry")]),
    )
    told = [
        [(one.hub, one.reason) for one in missing_of_ours([("drop", asked)], others)]
        for others in ([silent, refusing], [silent], [OtherHub("https://c", refused=[("drop", 12, "old")])], [])
    ]
    assert told == [
        [("https://c", "no such entry")],
        [("https://b", "it does not answer")],
        [("https://c", "it has not signed it yet")],
        [("", "publish: cosigners names no other hub")],
    ]


def test_what_only_waits_for_another_role_misses_no_signature() -> None:
    assert missing_of_ours([("drop", Proposal(13, "c" * 64, NO_STOP, 100.0, 0))], []) == []
