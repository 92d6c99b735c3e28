"""Two hubs that sign for each other: when a list is judged again, which feed is polled, and what is said of it, and when."""

import asyncio
from collections.abc import Sequence

import pytest

from banlistd.core.addresses.sets import AddressSet, from_numbers
from banlistd.core.feeds.content import Content
from banlistd.core.fleet.cosign_job import AskedRole, Cosigned, RefusedRole
from banlistd.core.fleet.cosigning import AskedList, OtherHub, WantedProposal
from banlistd.core.fleet.publish_job import KnownContent, Proposal, Published
from banlistd.core.fleet.roll_out.stops import NO_STOP, Questioner
from banlistd.errors import FleetError
from banlistd.events import EventName
from banlistd.model import Family, SourceId
from banlistd.services.publishing.cosigning import Cosigning, CosigningParts, JudgedList
from banlistd.services.publishing.roll_out import RollOut
from support.fakes import FakeAnnouncer, FakeClock
from support.roll_outs import RollOuts

DROP, URL = SourceId("drop"), "https://hub-b.example/fleet"


def a_list(*numbers: int) -> AddressSet:
    return AddressSet.of(from_numbers(Family.IPV4, numbers))


MINE, MORE = a_list(0x0B000001, 0x0B000002), a_list(0x0B000001, 0x0B000002, 0x0B000003)


class Here:
    """This hub, with the other one, a firewall and the program that signs in memory."""

    def __init__(self) -> None:
        self.announcer, self.clock = FakeAnnouncer(), FakeClock()
        self.roll_out = RollOut(RollOuts(), self.announcer, self.clock)
        self.others: list[OtherHub] = []
        self.mine: Content | None = None
        self.wanted: Sequence[WantedProposal] = ()
        self.signed: list[tuple[AskedRole, ...]] = []
        self.refused: tuple[RefusedRole, ...] = ()
        self.error: FleetError | None = None
        self.polled: list[SourceId] = []
        parts = CosigningParts(self, self, lambda _: self.mine, self.polled.append, self.roll_out, self.announcer, self.clock)
        self.cosigning = Cosigning([JudgedList(DROP, 1 << 20)], parts)

    async def look(self, wanted: Sequence[WantedProposal]) -> Sequence[OtherHub]:
        if self.error:
            raise self.error
        self.wanted = wanted
        return self.others

    async def cosign(self, asked: Sequence[AskedRole]) -> Cosigned:
        self.signed.append(tuple(asked))
        return Cosigned({one.role: 1 for one in asked if not one.refused}, self.refused)

    def has(self, addresses: AddressSet, *, adopted: bool = False) -> None:
        self.mine = Content(DROP, addresses.content_hash(), addresses, adopted)

    def is_asked(self, addresses: AddressSet, *, is_known: bool = False, role: str = "drop", fault: str = "") -> None:
        content = addresses.content_hash()
        asked = AskedList(role, 13, f"{role} {content}", content, None if is_known else addresses, fault)
        self.others = [OtherHub(URL, asked=[asked])]

    def asks(self, *, since: float) -> None:
        lists = {"drop": (KnownContent("1" * 64, "file"),)}
        proposals = {"drop": Proposal(13, "2" * 64, NO_STOP, since, 1)}
        self.roll_out.note(["drop"], Published(1, 1, 0.0, lists, {}, proposals))

    def turn(self) -> list[str]:
        """Why each role that is asked for is not signed; empty: it is."""
        asyncio.run(self.cosigning.turn())
        return [one.refused for one in self.signed[-1]] if self.signed else []


@pytest.fixture
def here() -> Here:
    return Here()


def test_what_this_hub_has_is_signed_once_and_not_fetched(here: Here) -> None:
    here.has(MINE)
    here.is_asked(MINE, is_known=True)
    assert (here.turn(), here.turn()) == ([""], [""])
    assert len(here.signed) == 1
    assert here.wanted[0].known == {MINE.content_hash()}


def test_what_this_hub_does_not_have_yet_has_its_feed_polled_once_and_is_signed_after_that(here: Here) -> None:
    here.has(MINE)
    here.is_asked(MORE)
    assert "1 entry is not in the list" in here.turn()[0]
    here.is_asked(MORE, is_known=True)
    here.turn()
    assert here.polled == [DROP]
    assert MORE.content_hash() in here.wanted[0].known
    here.has(MORE)
    assert here.turn() == [""]
    assert here.roll_out.missing == ()


def test_a_hub_that_shows_another_list_each_second_has_the_feed_polled_once_a_minute(here: Here) -> None:
    here.has(MINE)
    for number in range(120):
        here.is_asked(a_list(0x0B000001, 0x0B000010 + number))
        here.turn()
        here.clock.time += 1
    assert len(here.polled) == 2


def test_a_content_that_the_feed_had_a_moment_ago_is_signed_and_one_of_long_ago_is_not(here: Here) -> None:
    for last in range(3, 7):
        here.has(a_list(0x0B000001, 0x0B000000 + last))
        here.turn()
    here.is_asked(a_list(0x0B000001, 0x0B000003))
    assert here.turn() == [""]
    here.has(a_list(0x0B000001, 0x0B000007))
    assert "11.0.0.3" in here.turn()[0]


@pytest.mark.parametrize(("role", "fault"), [("ssh", ""), ("drop", "no hub of the fleet has signed it")])
def test_a_list_that_is_none_of_ours_or_is_not_proven_is_not_signed(here: Here, role: str, fault: str) -> None:
    here.has(MINE)
    here.is_asked(MINE, role=role, fault=fault)
    assert here.turn() == [fault or "this hub does not publish ssh"]


def test_bans_that_were_only_found_in_the_firewall_are_no_content_to_compare_with(here: Here) -> None:
    here.has(MINE, adopted=True)
    here.is_asked(MINE)
    assert here.turn() == ["this hub has no content of the list yet"]


def test_a_version_that_is_withdrawn_here_is_not_signed(here: Here) -> None:
    here.has(MINE)
    contents = (KnownContent(MINE.content_hash(), "a"), KnownContent("1" * 64, "b"))
    here.roll_out.note(["drop"], Published(1, 1, 0.0, {"drop": contents}))
    asyncio.run(here.roll_out.stop("drop", None, Questioner(uid=0)))
    here.is_asked(MINE)
    assert here.turn() == ["this version is withdrawn on this hub"]


def test_a_refusal_that_lasts_is_announced_once_and_its_end_too(here: Here) -> None:
    here.has(MINE)
    here.is_asked(MORE)
    for _ in range(4):
        here.turn()
        here.clock.time += 299
    assert here.announcer.names() == [EventName.SIGNATURE_REFUSED]
    assert [(one.role, one.hub, one.ours) for one in here.roll_out.missing] == [("drop", URL, False)]
    here.has(MORE)
    here.turn()
    assert here.announcer.names() == [EventName.SIGNATURE_REFUSED, EventName.SIGNATURE_MISSING_OVER]


def test_a_hub_that_asks_for_a_thousand_roles_makes_few_events_and_all_are_shown(here: Here) -> None:
    here.has(MINE)
    here.others = [OtherHub(URL, asked=[AskedList(f"list-{number}", 1, "", fault="no") for number in range(1000)])]
    for _ in range(3):
        here.turn()
        here.clock.time += 300
    assert here.announcer.names() == [EventName.SIGNATURE_REFUSED] * 20
    assert len(here.roll_out.missing) == 1000
    here.others = [OtherHub(URL)]
    here.turn()
    assert here.announcer.names()[20:] == [EventName.SIGNATURE_MISSING_OVER]


def test_what_the_program_refuses_is_shown_too(here: Here) -> None:
    here.has(MINE)
    here.is_asked(MINE)
    here.refused = (RefusedRole("drop", 13, "it has fields that no hub writes"),)
    here.turn()
    assert [one.reason for one in here.roll_out.missing] == ["it has fields that no hub writes"]


def test_a_hub_that_is_silent_for_ten_minutes_is_announced_once_and_that_it_has_signed(here: Here) -> None:
    here.others = [OtherHub(URL, "it does not answer")]
    here.asks(since=here.clock.now() - 500)
    here.turn()
    assert here.announcer.names() == []
    assert [(one.ours, one.reason) for one in here.roll_out.missing] == [(True, "it does not answer")]
    for _ in range(2):
        here.clock.time += 100
        here.turn()
    here.roll_out.note(["drop"], Published(2, 1, 0.0, {}))
    here.turn()
    assert here.announcer.names() == [EventName.SIGNATURE_MISSING, EventName.SIGNATURE_MISSING_OVER]


def test_what_a_hub_had_signed_is_kept_while_it_does_not_answer(here: Here) -> None:
    here.asks(since=here.clock.now())
    here.others = [OtherHub(URL, cosigned="signatures")]
    here.turn()
    here.others = [OtherHub(URL, "it does not answer")]
    here.turn()
    assert here.cosigning.cosigned() == ("signatures",)


def test_signatures_that_are_others_each_second_are_taken_three_times_a_minute_and_not_without_a_need(here: Here) -> None:
    def taken() -> int:
        found = set()
        for number in range(600):
            here.others = [OtherHub(URL, cosigned=f"{here.clock.time} {number}")]
            here.turn()
            here.clock.time += 1
            found.add(here.cosigning.cosigned())
        return len(found)

    assert taken() == 1
    here.asks(since=here.clock.now())
    assert 30 <= taken() <= 42


def test_a_hub_that_asks_for_something_else_each_second_is_signed_for_three_times_a_minute(here: Here) -> None:
    here.has(MINE)
    for number in range(600):
        asked = AskedList("drop", 13 + number, f"drop {number}", MINE.content_hash(), None)
        here.others = [OtherHub(URL, asked=[asked])]
        here.turn()
        here.clock.time += 1
    assert 30 <= len(here.signed) <= 41
    here.clock.time += 20
    here.turn()
    assert here.signed[-1][0].metadata == "drop 599"
