"""When a hub publishes: completed contents in force, with a ledger on the disk, and again each hour."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from banlistd.core.addresses.fleet_files.files import whole_file
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Content
from banlistd.core.fleet.publish_job import KnownContent, NewContent, Published
from banlistd.core.fleet.roll_out.stops import Questioner
from banlistd.errors import FleetError, FleetFileError, StoodDownError
from banlistd.events import EventName
from banlistd.model import RunState, SourceId
from banlistd.services.publishing.encoding import fleet_content
from banlistd.services.publishing.publisher import RENEWED_EVERY, HubParts, Publisher
from banlistd.services.publishing.roll_out import RollOut
from support.fakes import FakeAnnouncer, FakeClock
from support.roll_outs import RollOuts

DROP = SourceId("drop")


def a_list(seed: int, entries: int = 500) -> AddressSet:
    return AddressSet.of(np.random.default_rng(seed).integers(0x0B000000, 0x60000000, entries, dtype=np.uint32))


class Hub:
    """A repository, a ledger and a firewall in memory."""

    def __init__(self) -> None:
        self.announcer, self.clock = FakeAnnouncer(), FakeClock()
        self.contents: dict[SourceId, Content] = {}
        self.state_of_run = RunState.COMPLETED
        self.storage = SimpleNamespace(fault="")
        self.published: list[tuple[dict[str, NewContent], bool]] = []
        self.error: FleetError | None = None
        self.found = Published(0, 1, self.clock.now() + 300 * 86400, {})
        self.files: dict[str, bytes] = {}
        self.stamped: object = 1
        self.meanwhile: Callable[[], Awaitable[object]] | None = None
        never: Any = None
        self.rollouts = RollOuts()
        self.roll_out = RollOut(self.rollouts, self.announcer, self.clock)
        stores = cast("Any", self), cast("Any", self.storage)
        self.polled: list[SourceId] = []
        self.is_good, self.above = True, 0
        self.feed: AddressSet | None = None
        self.parts = HubParts(self.contents.get, never, *stores, self, self.announcer, self.clock, self.roll_out, self.poll)
        self.publisher = Publisher((DROP,), 1.0, self.parts)

    def restart(self) -> None:
        """The next process, with the same database and folder."""
        self.publisher = Publisher((DROP,), 1.0, self.parts)

    async def poll(self, source_id: SourceId) -> bool:
        self.polled.append(source_id)
        if self.is_good and self.feed is not None:
            self.complete(self.feed)
        return self.is_good

    def turn(self, *, has_news: bool) -> None:
        asyncio.run(self.publisher.turn(has_news=has_news))

    def complete(self, addresses: AddressSet) -> None:
        self.contents[DROP] = Content(DROP, addresses.content_hash(), addresses)

    async def newest_runs(self) -> Mapping[SourceId, Any]:
        return {
            name: SimpleNamespace(state=self.state_of_run, content_hash=content.content_hash)
            for name, content in self.contents.items()
        }

    async def state(self, names: Sequence[str]) -> Published:
        return self.found

    async def publish(
        self, names: Sequence[str], lists: Mapping[str, NewContent], *, looks_around: bool, above: int
    ) -> Published:
        self.above = above
        if self.error:
            raise self.error
        if self.meanwhile:
            await self.meanwhile()
            self.meanwhile = None
        self.published.append((dict(lists), looks_around))
        known, stops = dict(self.found.lists), dict(self.found.stops)
        for name, new in lists.items():
            self.files[new.content] = new.files["full.blz"]
            others = [one for one in known.get(name, ()) if one.content != new.content]
            known[name], stops[name] = (KnownContent(new.content, new.content), *others), new.stop
        self.found = Published(self.found.timestamp + 1, self.found.root, self.found.offline_expires, known, stops)
        return self.found

    async def stamp(self) -> object:
        return self.stamped

    def whole_file(self, file: str) -> bytes:
        if file not in self.files:
            raise FleetFileError("no such file")
        return self.files[file]

    def newest(self) -> tuple[str, tuple[str, ...]]:
        """Of the list that was published last: the content, and what is withdrawn."""
        new = self.published[-1][0]["drop"]
        return new.content, new.stop.withdrawn

    @property
    def lists(self) -> list[list[str]]:
        return [[*lists] for lists, _ in self.published]


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.mark.parametrize(("seconds", "is_signed"), [(-315e6, True), (315e6, True), (30, False), (-30, False)])
def test_a_clock_that_is_set_has_the_timestamp_signed_again(hub: Hub, seconds: float, *, is_signed: bool) -> None:
    hub.turn(has_news=False)
    for ahead in (seconds, 0.0):
        hub.clock.ahead = ahead
        before = len(hub.published)
        hub.turn(has_news=False)
        hub.turn(has_news=False)
        assert len(hub.published) == before + is_signed


def test_a_completed_content_is_published_once(hub: Hub) -> None:
    hub.complete(a_list(1))
    for _ in range(3):
        hub.turn(has_news=True)
    assert hub.lists == [["drop"]]
    assert hub.announcer.names() == [EventName.FLEET_PUBLISHED]
    hub.complete(a_list(2))
    hub.turn(has_news=True)
    assert hub.lists == [["drop"], ["drop"]]


def test_a_change_is_published_soon_and_the_next_ones_together_after_every(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses, waits = iter([30.0, 1.0, 40.0]), list[float]()

    async def news(_seconds: float) -> bool:
        for pause in pauses:
            hub.clock.time += pause
            hub.complete(a_list(len(waits)))
            return True
        raise asyncio.CancelledError

    async def wait(_changes: int, seconds: float) -> None:
        waits.append(seconds)
        hub.clock.time += seconds

    monkeypatch.setattr(hub.roll_out, "wait", wait)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Publisher((DROP,), 10.0, replace(hub.parts, news=news)).run())
    assert waits == [0.5, 9.0, 0.5]
    assert hub.lists == [[], *[["drop"]] * 3]


def test_what_is_not_completed_or_only_adopted_is_not_published(hub: Hub) -> None:
    hub.complete(a_list(1))
    hub.state_of_run = RunState.PENDING
    hub.turn(has_news=True)
    hub.state_of_run = RunState.COMPLETED
    hub.contents[DROP] = Content(DROP, hub.contents[DROP].content_hash, a_list(1), adopted=True)
    hub.turn(has_news=True)
    assert hub.lists == [[]]


def test_the_timestamp_is_signed_each_hour_and_others_are_looked_for(hub: Hub) -> None:
    for seconds in (0, RENEWED_EVERY - 1, 1, RENEWED_EVERY):
        hub.clock.time += seconds
        hub.turn(has_news=False)
    assert hub.published == [({}, True)] * 3
    assert hub.announcer.names() == []


def test_what_the_owners_install_is_published_at_once(hub: Hub) -> None:
    hub.turn(has_news=False)
    hub.stamped = 2
    hub.turn(has_news=False)
    assert len(hub.published) == 2


def test_a_hub_whose_ledger_is_in_memory_only_publishes_nothing(hub: Hub) -> None:
    hub.complete(a_list(1))
    hub.storage.fault = "disk full"
    hub.turn(has_news=True)
    assert hub.published == []
    (event,) = hub.announcer.events
    assert (event.name, "in memory only (disk full)" in str(event.fields["REASON"])) == (EventName.FLEET_FAULT, True)
    hub.storage.fault = ""
    hub.clock.time += 15
    hub.turn(has_news=False)
    assert hub.lists == [["drop"]]


ORDER = Questioner(uid=0)


def test_a_list_that_is_stopped_goes_back_and_a_release_publishes_what_is_newest(hub: Hub) -> None:
    first, bad, newer = (a_list(seed) for seed in (1, 2, 3))
    for addresses in (first, bad):
        hub.complete(addresses)
        hub.turn(has_news=True)
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.turn(has_news=True)
    assert hub.newest() == (first.content_hash(), (bad.content_hash()[:16],))
    # Also the timestamp of each hour leaves it so, and so does a restart.
    hub.complete(newer)
    hub.turn(has_news=True)
    hub.clock.time += RENEWED_EVERY
    hub.turn(has_news=False)
    assert hub.lists == [["drop"], ["drop"], ["drop"], []]
    assert asyncio.run(hub.roll_out.release("drop", newer.content_hash(), 0))
    hub.turn(has_news=True)
    assert hub.newest() == (newer.content_hash(), (bad.content_hash()[:16],))


def test_a_version_that_others_came_after_is_withdrawn_without_another_content(hub: Hub) -> None:
    bad, newer = a_list(1), a_list(2)
    for addresses in (bad, newer):
        hub.complete(addresses)
        hub.turn(has_news=True)
    asyncio.run(hub.roll_out.stop("drop", [bad.content_hash()[:8]], ORDER))
    hub.turn(has_news=True)
    assert hub.newest() == (newer.content_hash(), (bad.content_hash()[:16],))
    hub.turn(has_news=True)
    assert len(hub.published) == 3


def test_a_version_in_question_is_not_published_again_when_the_feed_gives_it_in_turn(hub: Hub) -> None:
    first, bad, mended = (a_list(seed) for seed in (1, 2, 3))
    for addresses in (first, bad):
        hub.complete(addresses)
        hub.turn(has_news=True)
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.complete(mended)
    asyncio.run(hub.roll_out.release("drop", mended.content_hash(), 0))
    hub.turn(has_news=True)
    hub.complete(bad)
    hub.turn(has_news=True)
    assert hub.newest() == (mended.content_hash(), (bad.content_hash()[:16],))
    assert hub.announcer.names().count(EventName.LIST_STOPPED) == 2
    hub.complete(mended)
    hub.turn(has_news=True)
    assert [lists["drop"].stop.is_stopped for lists, _ in hub.published] == [False, False, False, True]


def test_what_is_withdrawn_does_not_wait_until_the_pause_after_a_fault_is_over(hub: Hub) -> None:
    for addresses in (a_list(1), a_list(2)):
        hub.complete(addresses)
        hub.turn(has_news=True)
    hub.complete(a_list(3))
    hub.error = FleetFileError("disk full")
    for _ in range(8):
        hub.turn(has_news=True)
        hub.clock.time += 300
    hub.error = None
    before = len(hub.published)
    hub.turn(has_news=True)
    assert len(hub.published) == before
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.turn(has_news=True)
    assert hub.newest()[0] == a_list(1).content_hash()


def test_a_list_is_stopped_before_a_full_disk_has_room_again(hub: Hub) -> None:
    for addresses in (a_list(1), a_list(2)):
        hub.complete(addresses)
        hub.turn(has_news=True)
    after = Hub()
    after.found, after.files, after.storage.fault = hub.found, hub.files, "disk full"
    after.complete(a_list(3))
    after.turn(has_news=True)
    asyncio.run(after.roll_out.stop("drop", None, ORDER))
    after.storage.fault = ""
    after.turn(has_news=True)
    assert after.newest() == (a_list(1).content_hash(), (a_list(2).content_hash()[:16],))


def test_an_order_is_carried_out_without_news_of_it(hub: Hub) -> None:
    for addresses in (a_list(1), a_list(2)):
        hub.complete(addresses)
        hub.turn(has_news=True)
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.turn(has_news=False)
    assert hub.newest()[0] == a_list(1).content_hash()


def test_what_was_published_while_the_list_was_stopped_is_withdrawn_too(hub: Hub) -> None:
    first, bad, late = (a_list(seed) for seed in (1, 2, 3))
    for addresses in (first, bad):
        hub.complete(addresses)
        hub.turn(has_news=True)
    hub.complete(late)
    hub.meanwhile = lambda: hub.roll_out.stop("drop", None, ORDER)
    hub.turn(has_news=True)
    assert hub.newest()[0] == late.content_hash()
    hub.turn(has_news=True)
    assert hub.newest() == (first.content_hash(), tuple(sorted(one.content_hash()[:16] for one in (bad, late))))


def test_a_hub_with_another_database_keeps_the_stop_that_it_has_published(hub: Hub) -> None:
    first, bad = a_list(1), a_list(2)
    for addresses in (first, bad):
        hub.complete(addresses)
        hub.turn(has_news=True)
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.turn(has_news=True)
    after = Hub()
    after.found, after.files = hub.found, hub.files
    for addresses in (bad, a_list(3)):
        after.complete(addresses)
        after.turn(has_news=True)
    assert after.lists == [[]]
    assert after.announcer.names() == [EventName.LIST_STOPPED]
    assert asyncio.run(after.roll_out.release("drop", a_list(3).content_hash(), 0))
    after.turn(has_news=True)
    assert after.newest() == (a_list(3).content_hash(), (bad.content_hash()[:16],))


def test_an_earlier_version_that_could_not_be_read_is_tried_again_soon(hub: Hub) -> None:
    first, bad = a_list(1), a_list(2)
    for addresses in (first, bad):
        hub.complete(addresses)
        hub.turn(has_news=True)
    file = hub.files.pop(first.content_hash())
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.turn(has_news=True)
    hub.files[first.content_hash()] = file
    hub.clock.time += 15
    hub.turn(has_news=False)
    assert hub.newest()[0] == first.content_hash()
    hub.clock.time += RENEWED_EVERY - 1
    before = len(hub.published)
    hub.turn(has_news=False)
    assert len(hub.published) == before


@pytest.mark.parametrize("file", [None, b"", whole_file(a_list(9))])
def test_where_the_earlier_version_is_damaged_the_timestamp_is_signed_all_the_same(hub: Hub, file: bytes | None) -> None:
    first, bad = a_list(1), a_list(2)
    for addresses in (first, bad):
        hub.complete(addresses)
        hub.turn(has_news=True)
    if file is None:
        del hub.files[first.content_hash()]
    else:
        hub.files[first.content_hash()] = file
    asyncio.run(hub.roll_out.stop("drop", None, ORDER))
    hub.turn(has_news=True)
    assert hub.lists[-1] == []
    assert "drop: " in str(hub.announcer.events[-1].fields["REASON"])


@pytest.mark.parametrize("error", [FleetError("no key"), FleetFileError("disk full"), StoodDownError("another hub")])
def test_a_fault_is_announced_once_and_the_pause_grows_to_ten_minutes(hub: Hub, error: FleetError) -> None:
    hub.complete(a_list(1))
    hub.error = error
    for _ in range(20):
        hub.turn(has_news=True)
        hub.clock.time += 600
    assert hub.announcer.names() == [EventName.FLEET_FAULT]
    hub.error = None
    for _ in range(2):
        hub.turn(has_news=False)
        hub.clock.time += RENEWED_EVERY
    assert hub.lists == [["drop"], []]
    assert hub.announcer.names() == [EventName.FLEET_FAULT, EventName.FLEET_PUBLISHED, EventName.FLEET_FAULT_OVER]


def test_root_and_targets_that_end_soon_are_announced(hub: Hub) -> None:
    hub.found = Published(0, 1, hub.clock.now() + 9.5 * 86400, {})
    for _ in range(2):
        hub.turn(has_news=False)
        hub.clock.time += RENEWED_EVERY
    (event,) = hub.announcer.events
    assert "end within 30 days" in event.message


def test_a_content_has_a_delta_from_each_earlier_one_that_makes_it_small() -> None:
    addresses = a_list(1)
    few = AddressSet.of(addresses.hosts4[:-3])
    half = AddressSet.of(addresses.hosts4[:150])
    bases = {str(base.content_hash()): base for base in (few, half)}
    known = [KnownContent(content, content) for content in (addresses.content_hash(), *bases, "0" * 64)]

    def whole_file_of(file: str) -> bytes:
        if file not in bases:
            raise FleetFileError("no such file")
        return whole_file(bases[file])

    made = fleet_content(addresses.content_hash(), addresses, known, whole_file_of)
    assert (made.content, made.entries) == (addresses.content_hash(), len(addresses))
    assert made.files.keys() == {"full.blz", f"{few.content_hash()[:16]}.bld"}


def test_a_file_that_is_not_the_content_that_it_is_called_is_no_base() -> None:
    addresses = a_list(1)
    damaged = [KnownContent("1" * 64, "other"), KnownContent("2" * 64, "damaged")]
    made = fleet_content(
        addresses.content_hash(),
        addresses,
        damaged,
        lambda file: whole_file(a_list(2)) if file == "other" else b"BLZ1",
    )
    assert made.files.keys() == {"full.blz"}


def with_a_database_of_yesterday(hub: Hub) -> None:
    for seed in (1, 2):
        hub.complete(a_list(seed))
        hub.turn(has_news=True)
    hub.complete(a_list(1))
    hub.restart()


def test_a_database_of_yesterday_publishes_nothing_until_its_source_was_polled(hub: Hub) -> None:
    with_a_database_of_yesterday(hub)
    hub.feed = a_list(3)
    hub.turn(has_news=True)
    assert hub.polled == [DROP]
    assert hub.lists[2:] == [[]]
    hub.turn(has_news=True)
    assert hub.newest()[0] == a_list(3).content_hash()
    assert hub.polled == [DROP]


def test_a_database_of_yesterday_whose_source_does_not_answer_is_named(hub: Hub) -> None:
    with_a_database_of_yesterday(hub)
    hub.is_good = False
    hub.turn(has_news=True)
    assert hub.lists[2:] == [[]]
    assert hub.announcer.names()[-1] is EventName.FLEET_FAULT
    assert "older than what it has published" in hub.announcer.events[-1].message
    (remark,) = hub.roll_out.remarks()
    assert "older than what it has published" in remark.message
    hub.is_good, hub.feed = True, a_list(2)
    hub.clock.time += 600
    hub.turn(has_news=False)
    assert hub.lists[3:] == [[]]
    assert hub.announcer.names()[-1] is EventName.FLEET_FAULT_OVER
    assert not hub.roll_out.remarks()


def test_a_fault_that_is_over_after_a_reload_is_said_to_be_over(hub: Hub) -> None:
    hub.complete(a_list(1))
    hub.error = FleetError("another hub was promoted")
    hub.turn(has_news=True)
    assert "another hub was promoted" in hub.roll_out.remarks()[0].message
    # A reload that changes `fleet` begins with a publisher of its own.
    hub.publisher, hub.error = Publisher((DROP,), 1.0, hub.parts), None
    hub.turn(has_news=True)
    assert not hub.roll_out.remarks()
    assert hub.announcer.names().count(EventName.FLEET_FAULT_OVER) == 1


@pytest.mark.parametrize("seed", [2, 3])
def test_an_operator_who_approves_what_the_source_gives_ends_the_fault(hub: Hub, seed: int) -> None:
    with_a_database_of_yesterday(hub)
    hub.is_good = False
    hub.turn(has_news=True)
    assert "older than what it has published" in hub.announcer.events[-1].message
    hub.complete(a_list(seed))
    hub.clock.time += 600
    hub.turn(has_news=True)
    assert EventName.FLEET_FAULT_OVER in hub.announcer.names()
    assert not hub.roll_out.remarks()


def test_a_source_that_has_gone_back_itself_is_published_after_its_poll(hub: Hub) -> None:
    with_a_database_of_yesterday(hub)
    hub.feed = a_list(1)
    hub.turn(has_news=True)
    assert hub.newest()[0] == a_list(1).content_hash()


def with_a_database_of_a_month_ago(hub: Hub) -> None:
    """Its content is not among those that the folder still knows."""
    for seed in (1, 2, 3, 4):
        hub.complete(a_list(seed))
        hub.turn(has_news=True)
    hub.found = replace(hub.found, lists={"drop": hub.found.lists["drop"][:2]})
    hub.complete(a_list(1))
    hub.rollouts.version = 1
    hub.restart()


def test_a_database_of_a_month_ago_whose_source_does_not_answer_publishes_nothing(hub: Hub) -> None:
    with_a_database_of_a_month_ago(hub)
    hub.is_good = False
    hub.turn(has_news=True)
    hub.turn(has_news=True)
    assert hub.lists[4:] == [[]]
    assert "older than what it has published" in hub.announcer.events[-1].message
    hub.is_good, hub.feed = True, a_list(5)
    hub.clock.time += 600
    hub.turn(has_news=True)
    hub.turn(has_news=True)
    assert hub.newest()[0] == a_list(5).content_hash()
    assert EventName.FLEET_FAULT_OVER in hub.announcer.names()


def test_what_was_imported_just_before_a_kill_is_published_though_its_source_is_silent(hub: Hub) -> None:
    hub.complete(a_list(1))
    hub.turn(has_news=True)
    hub.complete(a_list(2))
    hub.restart()
    hub.is_good = False
    hub.turn(has_news=True)
    assert hub.newest()[0] == a_list(2).content_hash()


def test_the_highest_version_that_was_published_is_remembered(hub: Hub) -> None:
    for seed in (1, 2, 3):
        hub.complete(a_list(seed))
        hub.turn(has_news=True)
    assert (hub.above, asyncio.run(hub.roll_out.highest())) == (2, 3)
