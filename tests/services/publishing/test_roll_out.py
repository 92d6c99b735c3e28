"""Stops and releases: written down, announced, and refused where they name nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from banlistd.core.fleet.publish_job import KnownContent, Published
from banlistd.core.fleet.roll_out.refusals import RefusedVersion
from banlistd.core.fleet.roll_out.stops import DIGITS, Questioner, signed_stop
from banlistd.errors import BanlistdError, LedgerError, NoSuchSourceError, UsageError
from banlistd.events import EventName
from banlistd.services.publishing.roll_out import RollOut
from support.fakes import FakeAnnouncer, FakeClock
from support.roll_outs import RollOuts

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
WIDE = RefusedVersion("drop", B, "wide", "10.0.0.0/8")
ORDER = Questioner(uid=1000, reason="looks odd")


class Hub:
    def __init__(self, *known: str) -> None:
        self.log, self.announcer = RollOuts(), FakeAnnouncer()
        self.roll_out = RollOut(self.log, self.announcer, FakeClock())
        if known:
            contents = tuple(KnownContent(one, one) for one in known)
            self.roll_out.note(["drop", "new"], Published(1, 1, 0.0, {"drop": contents}))

    def stop(self, name: str, versions: Sequence[str] | None = None) -> None:
        asyncio.run(self.roll_out.stop(name, versions, ORDER))


def test_a_canary_that_refuses_stops_the_list_once_with_an_event_that_names_it() -> None:
    hub = Hub(B, A)
    others = [RefusedVersion("other", B, "wide", ""), RefusedVersion("drop", C, "wide", "")]
    for _ in range(2):
        asyncio.run(hub.roll_out.refused("web-1", [WIDE, *others]))
    (event,) = hub.announcer.events
    assert event.name is EventName.LIST_STOPPED
    assert event.fields == {"SOURCE_ID": "drop", "NODE": "web-1", "CONTENT_HASH": B, "REASON": "wide: 10.0.0.0/8"}
    for part in ("web-1", "drop", B[:16], "10.0.0.0/8"):
        assert part in event.message
    assert hub.log.rows["drop"].stop is not None


def test_an_order_stops_the_newest_version_and_a_release_ends_it() -> None:
    hub = Hub(B, A)
    hub.stop("drop")
    assert hub.log.rows["drop"].bad == {B[:DIGITS]}
    assert asyncio.run(hub.roll_out.release("drop", C, 1000))
    assert not asyncio.run(hub.roll_out.release("drop", C, 1000))
    assert hub.announcer.names() == [EventName.LIST_STOPPED, EventName.LIST_RELEASED]
    assert [event.fields["UID"] for event in hub.announcer.events] == [1000, 1000]


def test_what_is_in_question_is_released_only_by_its_name() -> None:
    hub = Hub(B, A)
    asyncio.run(hub.roll_out.refused("web-1", [WIDE]))
    said = f"version {B[:DIGITS]}, would be published, and is in question: the canary web-1 refused it: wide: 10.0.0.0/8"
    with pytest.raises(UsageError, match=said) as fault:
        asyncio.run(hub.roll_out.release("drop", B, 1000))
    assert f"banlistctl fleet release drop --version {B[:DIGITS]}" in fault.value.hint
    assert hub.log.rows["drop"].stop is not None
    for other in (C[:DIGITS], B[:5]):
        with pytest.raises(UsageError, match=f"its newest content is version {B[:DIGITS]}, and not {other}"):
            asyncio.run(hub.roll_out.release("drop", B, 1000, other))
    assert asyncio.run(hub.roll_out.release("drop", B, 1000, B[:DIGITS]))
    assert hub.log.rows["drop"].bad == frozenset()


def test_an_order_may_name_versions_or_none() -> None:
    hub = Hub(C, B, A)
    hub.stop("drop", [])
    assert hub.log.rows["drop"].bad == frozenset()
    hub.stop("drop", ["bbbbbb", A])
    assert hub.log.rows["drop"].bad == {A[:DIGITS], B[:DIGITS]}
    hub.stop("new")
    assert hub.log.rows["new"].stop is not None


@pytest.mark.parametrize(
    ("name", "versions", "error"),
    [("other", None, NoSuchSourceError), ("drop", ["ffffff"], UsageError), ("drop", ["bbbbb"], UsageError)],
)
def test_an_order_that_names_nothing_changes_nothing(
    name: str, versions: Sequence[str] | None, error: type[BanlistdError]
) -> None:
    hub = Hub(B, A)
    with pytest.raises(error):
        hub.stop(name, versions)
    assert hub.log.rows == {}
    assert hub.announcer.events == []


def test_before_it_is_known_what_is_published_an_order_says_so() -> None:
    with pytest.raises(UsageError, match="not known yet"):
        Hub().stop("drop")


def test_a_version_in_question_that_comes_again_stops_the_list_with_an_event() -> None:
    hub = Hub(B, A)
    asyncio.run(hub.roll_out.refused("web-1", [WIDE]))
    asyncio.run(hub.roll_out.release("drop", C, 1000))
    changes = hub.roll_out.changes
    for _ in range(2):
        asyncio.run(hub.roll_out.completed("drop", B))
    assert hub.announcer.names()[2:] == [EventName.LIST_STOPPED]
    assert hub.announcer.events[-1].fields["NODE"] == "web-1"
    assert hub.roll_out.changes == changes + 1


def test_a_second_order_withdraws_nothing_of_what_the_list_went_back_to() -> None:
    hub = Hub(B, A)
    asyncio.run(hub.roll_out.refused("web-1", [WIDE]))
    hub.stop("drop")
    assert hub.log.rows["drop"].bad == {B[:DIGITS]}


def test_a_stop_that_was_released_leaves_nothing_to_write_again() -> None:
    hub = Hub(B, A)
    hub.stop("drop", [])
    asyncio.run(hub.roll_out.release("drop", B, 1000))
    rows = dict(hub.log.rows)
    hub.log.fault = LedgerError("read-only")
    assert asyncio.run(hub.roll_out.states()) == rows


def test_that_a_stop_was_signed_is_noted_and_is_no_change() -> None:
    hub = Hub(B, A)
    hub.stop("drop")
    published = Published(2, 1, 0.0, {"drop": (KnownContent(A, A),)}, {"drop": signed_stop(hub.log.rows["drop"], A)})
    hub.roll_out.note(["drop"], published)
    asyncio.run(hub.roll_out.learn())
    assert (hub.log.rows["drop"].number, hub.log.rows["drop"].signed, hub.roll_out.changes) == (1, 1, 1)
    assert hub.announcer.names() == [EventName.LIST_STOPPED]


def test_a_suspended_canary_leaves_nothing_in_question() -> None:
    hub = Hub(B, A)
    asyncio.run(hub.roll_out.refused("web-1", [WIDE]))
    asyncio.run(hub.roll_out.disbelieve("web-2"))
    assert hub.roll_out.changes == 1
    asyncio.run(hub.roll_out.disbelieve("web-1"))
    assert (hub.log.rows["drop"].bad, hub.roll_out.changes) == (frozenset(), 2)
    assert hub.log.rows["drop"].stop is not None


def test_who_waits_hears_of_the_next_change() -> None:
    hub = Hub(B, A)

    async def wait() -> None:
        await hub.roll_out.stop("drop", None, ORDER)
        await hub.roll_out.wait(0, 3600)
        later = asyncio.ensure_future(hub.roll_out.wait(1, 3600))
        await asyncio.sleep(0)
        await hub.roll_out.release("drop", A, 0)
        await later
        await hub.roll_out.wait(2, 0.001)

    asyncio.run(asyncio.wait_for(wait(), 60))


def test_a_database_that_was_replaced_learns_again_what_is_stopped() -> None:
    hub = Hub(B, A)
    hub.stop("drop")
    stopped = dict(hub.log.rows)
    hub.log.rows.clear()
    assert asyncio.run(hub.roll_out.states()) == stopped
    assert hub.log.rows == stopped


def test_a_canary_that_was_away_for_long_stops_nothing_because_the_list_has_grown_meanwhile() -> None:
    hub = Hub(C, B)
    grown = RefusedVersion("drop", C, "grown", "from 10 to 1000", A)
    asyncio.run(hub.roll_out.refused("web-1", [grown, replace(grown, base="")]))
    assert hub.log.rows == {}
    asyncio.run(hub.roll_out.refused("web-1", [replace(grown, base=B)]))
    assert hub.log.rows["drop"].bad == {C[:DIGITS]}


@pytest.mark.parametrize("versions", [[B, C], [C, B]])
def test_all_that_an_operator_of_a_canary_goes_back_over_is_withdrawn_with_one_event(versions: Sequence[str]) -> None:
    hub = Hub(C, B, A)
    asyncio.run(hub.roll_out.refused("web-1", [RefusedVersion("drop", one, "operator", "pinned") for one in versions]))
    stop = hub.log.rows["drop"].stop
    assert stop is not None
    assert stop.kept == A
    assert hub.announcer.names() == [EventName.LIST_STOPPED]
