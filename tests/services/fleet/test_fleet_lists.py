"""Lists of a fleet as a Fetcher: what is asked for, what is said of mirrors, and versions that are held for a time."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from banlistd.core.addresses.sets import AddressSet
from banlistd.core.config.model import Source
from banlistd.core.config.service.fleet import Fleet
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.fleet.trust import FleetState, KnownTrust, MirrorFault, MirrorRefusal, Pulled, SignedList, WantedList
from banlistd.errors import ExpiredTrustError, FetchError, LedgerError, MissingError, TrustError
from banlistd.events import EventName
from banlistd.model import ContentHash, NotModified, SourceId, Validators
from banlistd.services.fleet.fleet_lists import FleetLists
from support.fakes import FakeAnnouncer, FakeClock, FakeFetcher

A_URL, B_URL = "https://a.example", "https://b.example"
FLEET = Fleet(name="main", root=Path("/r"), urls=(A_URL, B_URL))
DROP, OTHER = Source(id=SourceId("d"), hub="drop"), Source(id=SourceId("o"), hub="other")
FEED = Source(id=SourceId("feed"), url="http://lists.example/a")


def content(first: int) -> AddressSet:
    return AddressSet.of(np.arange(first, first + 100, dtype=np.uint32))


EARLIER = content((1 << 24) - 3)
A, B, C = content(1 << 24), content((1 << 24) + 5), content((1 << 24) + 9)
FORGED = MirrorRefusal(A_URL, MirrorFault.REFUSED, "forged")
EXPIRED = MirrorRefusal(A_URL, MirrorFault.EXPIRED, "expired")
ABSENT = MirrorRefusal(A_URL, MirrorFault.ABSENT, "no answer")


STATE = FleetState(1.0, 1, "h", 1, 9.0, A_URL)


@dataclass
class Mirrors:
    """What they have, by the name of the list. `pulls`: what each pull wanted."""

    lists: dict[str, AddressSet | None] = field(default_factory=lambda: {"drop": A, "other": B})
    refused: tuple[MirrorRefusal, ...] = ()
    rows: Mapping[str, bytes] = field(default_factory=lambda: {"timestamp.json": b"1"})
    state: FleetState = STATE
    fleets: list[Fleet] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    pulls: list[list[WantedList]] = field(default_factory=list)
    known: list[KnownTrust] = field(default_factory=list)
    fault: FetchError | None = None
    seq: int = 7
    entries: int | None = None
    is_known: bool = False
    withdrawn: frozenset[str] = frozenset()

    async def pull(self, fleet: Fleet, wanted: Sequence[WantedList], known: KnownTrust, seconds: float) -> Pulled:
        self.fleets.append(fleet)
        self.asked.set()
        self.pulls.append(list(wanted))
        self.known.append(known)
        await asyncio.sleep(0)
        if self.fault:
            raise self.fault
        lists = {one.name: self._found(one) for one in wanted if one.name in self.lists}
        return Pulled(self.rows, self.state, lists, self.refused)

    def _found(self, wanted: WantedList) -> SignedList | None:
        addresses = self.lists[wanted.name]
        if addresses is None:
            return None
        same = self.is_known or addresses.content_hash() == wanted.known
        entries = len(addresses) if self.entries is None else self.entries
        return SignedList(addresses.content_hash(), entries, self.seq, None if same else addresses, 99, False, self.withdrawn)

    async def add_root(self, fleet: Fleet, root: bytes, known: KnownTrust) -> Pulled:
        return Pulled({"root_history/2.root.json": root}, replace(known.state, root_version=2), {}, ())


@dataclass
class Log:
    """`fails`: as a full disk."""

    kept: KnownTrust = field(default_factory=KnownTrust)
    fails: bool = False
    loads: int = 0
    states: int = 0

    async def load(self, fleet: str) -> KnownTrust:
        self.loads += 1
        if self.fails:
            raise LedgerError("disk full")
        return self.kept

    async def state(self, fleet: str) -> FleetState:
        self.states += 1
        return self.kept.state

    async def keep(self, fleet: str, rows: Mapping[str, bytes], lists: Collection[str], state: FleetState) -> None:
        if self.fails:
            raise LedgerError("disk full")
        self.kept = KnownTrust({**self.kept.rows, **rows}, state)


@dataclass
class World:
    mirrors: Mirrors = field(default_factory=Mirrors)
    log: Log = field(default_factory=Log)
    announcer: FakeAnnouncer = field(default_factory=FakeAnnouncer)
    clock: FakeClock = field(default_factory=FakeClock)
    in_force: dict[SourceId, AddressSet] = field(default_factory=dict)
    waiting: dict[tuple[SourceId, str], float] = field(default_factory=dict)
    bodies: int = 0

    def lists(self, hold: float = 0.0) -> FleetLists:
        others = FakeFetcher({FEED.id: b"192.0.2.0/24\n"})
        fleet = replace(FLEET, hold=hold)
        return FleetLists(fleet, self.mirrors, self.log, self.content, self.announcer, self.clock, others, self.waits_since)

    async def waits_since(self, source_id: SourceId, content_hash: ContentHash) -> float | None:
        return self.waiting.get((source_id, content_hash))

    def content(self, source_id: SourceId) -> Content | None:
        addresses = self.in_force.get(source_id)
        return Content(source_id, addresses.content_hash(), addresses) if addresses is not None else None

    async def on_body(self) -> None:
        self.bodies += 1

    async def fetch(self, lists: FleetLists, source: Source = DROP) -> Download | NotModified:
        known = self.content(source.id)
        return await lists.fetch(source, Validators(body_hash=known.content_hash if known else ""), self.on_body)

    async def taken(self, lists: FleetLists) -> Download:
        found = await self.fetch(lists)
        assert isinstance(found, Download)
        return found


def test_a_list_arrives_with_the_number_of_its_version() -> None:
    world = World()
    found = asyncio.run(world.taken(world.lists()))
    assert found.parsed.addresses == A
    assert found.validators == Validators("main/drop/7", "", A.content_hash())
    assert world.bodies == 1
    assert world.log.kept.rows == {"timestamp.json": b"1"}


def test_the_content_in_force_is_the_base_and_is_not_fetched_again() -> None:
    world = World(in_force={DROP.id: A})
    assert isinstance(asyncio.run(world.fetch(world.lists())), NotModified)
    ((wanted,),) = world.mirrors.pulls
    assert (wanted.base, wanted.base_hash) == (A, A.content_hash())


def test_a_content_at_hand_is_not_fetched_again_without_validators() -> None:
    async def fetch() -> Download | NotModified:
        return await world.lists().fetch(DROP, Validators(), world.on_body)

    world = World(in_force={DROP.id: A})
    found = asyncio.run(fetch())
    assert isinstance(found, Download)
    assert (found.parsed.addresses, found.octets) == (A, 99) or found.parsed.addresses is A


def without_validators(world: World) -> Download | NotModified:
    async def fetch() -> Download | NotModified:
        return await world.lists().fetch(DROP, Validators(), world.on_body)

    return asyncio.run(fetch())


def test_a_content_at_hand_has_as_many_entries_as_it_has_whatever_is_said() -> None:
    """Who has stolen the key of a hub may sign any number beside a content: the database takes none above 2**63."""
    world = World(in_force={DROP.id: A})
    world.mirrors.entries = 1 << 70
    found = without_validators(world)
    assert isinstance(found, Download)
    assert found.parsed.entries == len(A)


def test_a_content_that_is_not_at_hand_is_no_content_in_force() -> None:
    """A program that was taken over may say that any content is the one that is known."""
    world = World(in_force={DROP.id: A})
    world.mirrors.lists["drop"], world.mirrors.is_known = B, True
    with pytest.raises(FetchError, match="not at hand"):
        without_validators(world)


def test_other_sources_come_from_elsewhere() -> None:
    async def fetch() -> Download | NotModified:
        return await world.lists().fetch(FEED, Validators(), world.on_body)

    world = World()
    assert isinstance(asyncio.run(fetch()), Download)
    assert not world.mirrors.pulls


def test_lists_that_are_due_together_come_with_one_pull() -> None:
    async def both() -> None:
        lists = world.lists()
        await asyncio.gather(*(world.fetch(lists, source) for source in (DROP, OTHER)))

    world = World()
    asyncio.run(both())
    assert [sorted(one.name for one in pull) for pull in world.mirrors.pulls] == [["drop", "other"]]


def test_two_sources_of_one_list_are_both_answered() -> None:
    async def both() -> list[Download | NotModified]:
        lists, twin = world.lists(), replace(DROP, id=SourceId("twin"))
        return await asyncio.gather(*(world.fetch(lists, source) for source in (DROP, twin)))

    world = World()
    assert all(isinstance(found, Download) for found in asyncio.run(both()))


def test_a_poll_that_is_cancelled_leaves_the_others_alone() -> None:
    async def cancelled() -> Download | NotModified:
        lists = world.lists()
        first = asyncio.create_task(world.fetch(lists, OTHER))
        second = asyncio.create_task(world.fetch(lists))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        return await first

    world = World()
    assert isinstance(asyncio.run(cancelled()), Download)


@pytest.mark.parametrize(
    ("refused", "kind", "words"),
    [
        ((ABSENT, FORGED), TrustError, "forged"),
        ((ABSENT, EXPIRED), ExpiredTrustError, "expired"),
        ((ABSENT,), FetchError, "no answer"),
        ((), FetchError, "no mirror"),
    ],
)
def test_a_list_that_no_mirror_gives_fails_with_the_worst_reason(
    refused: tuple[MirrorRefusal, ...], kind: type[FetchError], words: str
) -> None:
    world = World(Mirrors({}, refused))
    with pytest.raises(FetchError, match=words) as raised:
        asyncio.run(world.fetch(world.lists()))
    assert type(raised.value) is kind


def test_a_list_that_the_fleet_does_not_have_is_missing() -> None:
    world = World(Mirrors({"drop": None}))
    with pytest.raises(MissingError, match="has no list drop"):
        asyncio.run(world.fetch(world.lists()))


def test_a_refused_mirror_is_announced_once_until_it_is_well_again() -> None:
    async def polls() -> None:
        lists = world.lists()
        for refused in ((FORGED,), (FORGED,), (), (FORGED,)):
            world.mirrors.refused = refused
            await world.fetch(lists)
            assert lists.refusals == refused

    world = World()
    asyncio.run(polls())
    assert world.announcer.names() == [EventName.HUB_REFUSED, EventName.HUB_REFUSED_OVER, EventName.HUB_REFUSED]


def test_a_refusal_is_not_over_while_no_mirror_gives_a_list() -> None:
    async def polls() -> None:
        lists, all_lists = world.lists(), dict(world.mirrors.lists)
        for refused in ((FORGED,), (ABSENT,), ()):
            world.mirrors.refused = refused
            world.mirrors.lists = {} if refused else all_lists
            with suppress(FetchError):
                await world.fetch(lists)

    world = World()
    asyncio.run(polls())
    assert world.announcer.names() == [EventName.HUB_REFUSED, EventName.HUB_REFUSED_OVER]


def test_expired_signatures_are_announced_once_and_so_is_their_end() -> None:
    async def polls() -> None:
        lists, all_lists = world.lists(), dict(world.mirrors.lists)
        for refused in ((EXPIRED,), (ABSENT,), (EXPIRED,), ()):
            world.mirrors.refused = refused
            world.mirrors.lists = {} if refused else all_lists
            try:
                await world.fetch(lists)
            except FetchError:
                assert refused

    world = World()
    asyncio.run(polls())
    assert world.announcer.names() == [EventName.HUB_EXPIRED, EventName.HUB_EXPIRED_OVER]


def test_a_list_fails_with_its_own_reason_while_another_arrives() -> None:
    async def both() -> list[Download | NotModified | BaseException]:
        lists = world.lists()
        return await asyncio.gather(*(world.fetch(lists, source) for source in (DROP, OTHER)), return_exceptions=True)

    world = World(Mirrors({"other": B}, (replace(ABSENT, list="other"), replace(EXPIRED, list="drop"))))
    failed, taken = asyncio.run(both())
    assert isinstance(failed, ExpiredTrustError)
    assert isinstance(taken, Download)


def test_the_state_is_read_without_the_metadata() -> None:
    async def state() -> tuple[FleetState, FleetState]:
        lists = world.lists()
        await world.fetch(lists)
        world.log.loads = 0
        return await lists.state(), await world.lists().state()

    world = World()
    assert asyncio.run(state()) == (STATE, STATE)
    assert not world.log.loads


def test_the_state_is_read_once_and_is_that_of_the_newest_pull() -> None:
    async def states() -> list[int]:
        lists = world.lists()
        found = [(await lists.state()).timestamp_version]
        for version in (2, 3):
            world.mirrors.state = replace(STATE, timestamp_version=version)
            await world.fetch(lists)
            found.append((await lists.state()).timestamp_version)
        return found

    world = World(log=Log(KnownTrust({}, STATE)))
    assert asyncio.run(states()) == [1, 2, 3]
    assert world.log.states == 1


def test_a_new_root_is_announced_and_the_first_one_is_not() -> None:
    async def polls() -> None:
        lists = world.lists()
        await world.fetch(lists)
        world.mirrors.state = replace(world.mirrors.state, root_version=2)
        await world.fetch(lists)
        await world.fetch(lists)

    world = World()
    asyncio.run(polls())
    assert world.announcer.names() == [EventName.HUB_ROOT_CHANGED]


def test_without_a_disk_nothing_is_gone_back_to() -> None:
    async def polls() -> None:
        lists = world.lists()
        await world.fetch(lists)
        await world.fetch(lists)
        world.log.fails = False
        await world.fetch(lists)

    world = World(log=Log(fails=True))
    asyncio.run(polls())
    assert world.mirrors.known[1].state == world.mirrors.state
    assert world.log.kept.state == world.mirrors.state
    assert world.log.kept.rows == {"timestamp.json": b"1"}


def test_metadata_is_kept_also_where_no_list_came() -> None:
    world = World(Mirrors({}, (FORGED,)))
    with pytest.raises(TrustError):
        asyncio.run(world.fetch(world.lists()))
    assert world.log.kept.rows == {"timestamp.json": b"1"}


def test_a_fault_of_the_program_fails_every_list_of_the_pull() -> None:
    async def both() -> list[Download | NotModified | BaseException]:
        lists = world.lists()
        return await asyncio.gather(*(world.fetch(lists, source) for source in (DROP, OTHER)), return_exceptions=True)

    world = World(Mirrors(fault=FetchError("cannot be started")))
    assert [str(found) for found in asyncio.run(both())] == ["cannot be started"] * 2


def test_a_new_version_is_held_until_its_time_is_over_and_nothing_newer_is_fetched() -> None:
    async def polls() -> None:
        lists = world.lists(hold=600.0)
        assert (await world.taken(lists)).parsed.held_for == 0
        world.in_force[DROP.id] = A
        world.mirrors.lists["drop"] = B
        assert (await world.taken(lists)).parsed.held_for == 600
        world.mirrors.lists["drop"], world.mirrors.seq = C, 8
        world.clock.time += 400
        world.clock.ahead = 1e9
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (200, B)
        world.clock.time += 200
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (0, B)
        world.in_force[DROP.id] = B
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (600, C)
        assert len(world.mirrors.pulls) == 3

    world = World()
    asyncio.run(polls())


@pytest.mark.parametrize(("of_fleet", "of_source", "waits"), [(600.0, 0.0, 0), (0.0, 60.0, 60), (600.0, 60.0, 60)])
def test_the_time_of_a_source_counts_in_place_of_that_of_the_fleet(of_fleet: float, of_source: float, waits: int) -> None:
    async def polls() -> None:
        found = await lists.fetch(replace(DROP, hold=of_source), Validators(body_hash=A.content_hash()), world.on_body)
        assert isinstance(found, Download)
        assert (found.parsed.held_for, found.parsed.addresses) == (waits, B)

    world = World(Mirrors({"drop": B}), in_force={DROP.id: A})
    lists = world.lists(hold=of_fleet)
    asyncio.run(polls())


@pytest.mark.parametrize(("away", "left"), [(100, 500), (-100, 600), (600, 0), (6000, 0)])
def test_the_time_of_a_version_goes_on_after_a_restart(away: int, left: int) -> None:
    async def polls() -> None:
        found = await world.taken(world.lists(hold=600.0))
        assert (found.parsed.held_for, found.ttl, found.parsed.addresses) == (left, left or None, B)
        assert [one.compares for pull in world.mirrors.pulls for one in pull] == [False, *([] if left else [True])]

    world = World(Mirrors({"drop": B}), in_force={DROP.id: A})
    world.waiting[DROP.id, B.content_hash()] = world.clock.now() - away
    asyncio.run(polls())


def test_what_waited_before_a_restart_says_nothing_of_a_newer_version() -> None:
    async def polls() -> None:
        found = await world.taken(world.lists(hold=600.0))
        assert (found.parsed.held_for, found.parsed.addresses) == (600, C)

    world = World(Mirrors({"drop": C}), in_force={DROP.id: A})
    world.waiting[DROP.id, B.content_hash()] = world.clock.now() - 6000
    asyncio.run(polls())


async def held(world: World) -> FleetLists:
    """A node with the content A for which the time of B is over."""
    world.in_force[DROP.id] = A
    world.mirrors.lists["drop"] = B
    lists = world.lists(hold=600.0)
    await world.fetch(lists)
    world.clock.time += 600
    return lists


def test_a_held_version_is_dropped_where_the_root_has_changed_meanwhile() -> None:
    async def polls() -> None:
        lists = await held(world)
        world.mirrors.lists["drop"], world.mirrors.seq = C, 8
        world.mirrors.state = replace(STATE, root_version=2)
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (600, C)

    world = World()
    asyncio.run(polls())


def test_a_held_version_is_taken_under_a_new_root_that_still_signs_it() -> None:
    async def polls() -> None:
        lists = await held(world)
        world.mirrors.state = replace(STATE, root_version=2)
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (0, B)

    world = World()
    asyncio.run(polls())


def test_a_held_version_is_dropped_where_the_fleet_goes_back_to_the_content_in_force() -> None:
    async def polls() -> None:
        lists = await held(world)
        world.mirrors.lists["drop"], world.mirrors.seq = A, 8
        assert (await world.taken(lists)).parsed.addresses == A
        assert isinstance(await world.fetch(lists), NotModified)

    world = World()
    asyncio.run(polls())


@pytest.mark.parametrize("instead", [A, C])
def test_a_held_version_that_the_fleet_has_withdrawn_is_never_taken(instead: AddressSet) -> None:
    """The fleet has gone back to a version that this node had not seen, or has a newer one."""

    async def polls() -> None:
        lists = await held(world)
        world.in_force[DROP.id] = EARLIER
        world.mirrors.lists["drop"], world.mirrors.seq = instead, 8
        world.mirrors.withdrawn = frozenset({B.content_hash()[:16]})
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (600, instead)

    world = World()
    asyncio.run(polls())


def test_a_held_version_waits_until_a_mirror_says_that_it_still_counts() -> None:
    async def polls() -> None:
        lists = await held(world)
        world.mirrors.fault = FetchError("no answer")
        with pytest.raises(FetchError, match="no answer"):
            await world.fetch(lists)
        world.mirrors.fault = None
        found = await world.taken(lists)
        assert (found.parsed.held_for, found.parsed.addresses) == (0, B)
        assert [one.compares for pull in world.mirrors.pulls for one in pull][-2:] == [True, True]
        assert not world.mirrors.pulls[0][0].compares

    world = World()
    asyncio.run(polls())


def test_a_source_that_takes_another_list_does_not_get_what_was_held_for_it() -> None:
    async def polls() -> None:
        lists = await held(world)
        world.mirrors.lists["other"] = C
        found = await world.fetch(lists, replace(DROP, hub="other"))
        assert isinstance(found, Download)
        assert (found.parsed.held_for, found.parsed.addresses) == (600, C)

    world = World()
    asyncio.run(polls())


def test_a_held_version_that_is_approved_is_over() -> None:
    async def polls() -> None:
        lists = world.lists(hold=600.0)
        await world.fetch(lists)
        world.in_force[DROP.id] = B
        assert isinstance(await world.fetch(lists), NotModified)

    world = World(in_force={DROP.id: A}, mirrors=Mirrors({"drop": B}))
    asyncio.run(polls())


def test_a_reload_changes_the_mirrors_of_the_next_pull_and_the_time_of_a_held_version() -> None:
    async def life() -> None:
        world = World()
        world.in_force[DROP.id], world.mirrors.lists["drop"] = A, B
        lists = world.lists(hold=600.0)
        assert (await world.taken(lists)).parsed.held_for == 600
        lists.configure(replace(FLEET, urls=("https://other.example",), hold=0.0))
        assert (await world.taken(lists)).parsed.held_for == 0
        assert world.mirrors.fleets[-1].urls == ("https://other.example",)

    asyncio.run(life())


@pytest.mark.parametrize("has_ended", [False, True])
def test_what_is_pulled_while_a_reload_changes_the_root_is_not_taken(*, has_ended: bool) -> None:
    async def life() -> None:
        world = World()
        lists = world.lists()
        pulling = asyncio.ensure_future(world.fetch(lists))
        await world.mirrors.asked.wait()
        lists.end() if has_ended else lists.configure(replace(FLEET, root=Path("/another/root.json")))
        with pytest.raises(FetchError, match="reload"):
            await pulling
        assert world.log.kept == KnownTrust()

    asyncio.run(life())


def test_a_root_brought_by_hand_is_kept_and_announced() -> None:
    async def bring() -> None:
        lists = world.lists()
        await world.fetch(lists)
        assert (await lists.add_root(b"root")).state.root_version == 2

    world = World()
    asyncio.run(bring())
    assert world.log.kept.rows["root_history/2.root.json"] == b"root"
    assert world.announcer.names() == [EventName.HUB_ROOT_CHANGED]
