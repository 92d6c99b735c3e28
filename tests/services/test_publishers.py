"""No two requests to a publisher are nearer than its minimum interval, whatever happens in between."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banlistd.core.config.model import Source
from banlistd.core.download.intervals import LastRequest
from banlistd.errors import DeferredError, FetchError, LedgerError
from banlistd.events import EventName
from banlistd.formats import Format, FormatType
from banlistd.model import OutcomeKind, Poll, SourceId
from banlistd.services.imports.publishers import Publishers
from support.fakes import FakeClock, FakeFetcher
from support.sources import BOTH, ONE, TWO, config_of, source
from worlds import DaemonWorld, Environment, run

MINIMUM = 4 * 3600.0
LIMITED = config_of(source(ONE, minimum=MINIMUM, every=86_400.0))


@dataclass
class FakeRequestLog:
    rows: dict[str, LastRequest] = field(default_factory=dict)
    is_broken: bool = False

    async def every(self) -> Mapping[str, LastRequest]:
        if self.is_broken:
            raise LedgerError("the disk is gone")
        return dict(self.rows)

    async def keep(self, place: str, last: LastRequest) -> None:
        if self.is_broken:
            raise LedgerError("the disk is gone")
        self.rows[place] = last


@dataclass
class TwoClocks:
    """The wall clock may jump, the other one begins anew with each process."""

    wall: float = 1e9
    steady: float = 50.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def processor(self) -> float:
        return 0.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


URL = "https://lists.example/limited"
SOURCES = (
    source(ONE, url=URL, minimum=MINIMUM),
    source(TWO, url=URL, minimum=MINIMUM),
    source(ONE, url=URL, minimum=MINIMUM, format=Format(FormatType.PLAIN)),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("poll"), st.sampled_from(SOURCES)),
        st.tuples(st.just("fail"), st.sampled_from([None, 5.0, 90_000.0])),
        st.tuples(st.just("wait"), st.sampled_from([0.0, 1.0, 44.0, 3600.0, MINIMUM - 1, MINIMUM, 1e6])),
        st.tuples(st.just("restart"), st.booleans()),
        st.tuples(st.just("set back"), st.sampled_from([1.0, 1e4, 1e8])),
        st.tuples(st.just("reload"), st.none()),
    ),
    max_size=40,
)


@given(steps)
def test_requests_keep_the_interval_over_polls_faults_restarts_and_reloads(story: list[tuple[str, object]]) -> None:
    """A clock that is set forward between two processes cannot be seen, so it is only set back here."""
    sent: list[float] = []
    true_time, clock, log = 0.0, TwoClocks(), FakeRequestLog()

    async def live() -> None:
        nonlocal true_time
        publishers, last = Publishers(log, clock), SOURCES[0]
        for step, what in story:
            match step, what:
                case "poll", Source() as last:
                    with suppress(DeferredError):
                        await publishers.admit(last, Poll(last.id), anyway=False)
                        sent.append(true_time)
                case "fail", pause:
                    assert pause is None or isinstance(pause, float)
                    await publishers.note_fault(last, FetchError("503", retry_after=pause))
                case "wait", float() as seconds:
                    clock.pass_by(seconds)
                    true_time += seconds
                case "restart", after_boot:
                    clock.steady = 0.0 if after_boot else clock.steady
                    publishers = Publishers(log, clock)
                case "set back", float() as seconds:
                    clock.wall -= seconds
                case _:
                    pass

    asyncio.run(live())
    assert all(later - earlier >= MINIMUM - 1e-3 for earlier, later in pairwise(sent))


def test_a_request_is_written_down_before_it_is_sent() -> None:
    """So that the next process knows of it, wherever this one is killed."""
    log, clock = FakeRequestLog(), FakeClock()
    asyncio.run(Publishers(log, clock).admit(SOURCES[0], Poll(ONE), anyway=False))
    with pytest.raises(DeferredError, match="one request in 4h"):
        asyncio.run(Publishers(log, clock).admit(SOURCES[0], Poll(ONE), anyway=False))


def test_a_broken_disk_does_not_let_requests_through() -> None:
    publishers = Publishers(FakeRequestLog(is_broken=True), FakeClock())
    asyncio.run(publishers.admit(SOURCES[0], Poll(ONE), anyway=False))
    with pytest.raises(DeferredError):
        asyncio.run(publishers.admit(SOURCES[0], Poll(ONE), anyway=False))


def test_a_request_that_was_never_sent_does_not_count() -> None:
    log, clock = FakeRequestLog(), FakeClock()
    fault = FetchError("no such name")
    fault.was_sent = False

    async def live() -> None:
        publishers = Publishers(log, clock)
        await publishers.admit(SOURCES[0], Poll(ONE), anyway=False)
        await publishers.note_fault(SOURCES[0], fault)
        await publishers.admit(SOURCES[0], Poll(ONE), anyway=False)
        clock.time += 60
        await publishers.note_fault(SOURCES[0], fault)
        await Publishers(log, clock).admit(SOURCES[0], Poll(ONE), anyway=False)

    asyncio.run(live())


def test_a_request_that_was_never_sent_leaves_the_one_before_in_place() -> None:
    log, clock = FakeRequestLog(), FakeClock()
    fault = FetchError("no such name")
    fault.was_sent = False

    async def live() -> None:
        publishers = Publishers(log, clock)
        await publishers.admit(SOURCES[0], Poll(ONE), anyway=False)
        await publishers.note_fault(SOURCES[0], FetchError("429", retry_after=80_000.0))
        await publishers.admit(SOURCES[0], Poll(ONE), anyway=True)
        await publishers.note_fault(SOURCES[0], fault)
        with pytest.raises(DeferredError, match="the server asked"):
            await Publishers(log, clock).admit(SOURCES[0], Poll(ONE), anyway=False)

    asyncio.run(live())


def test_a_database_of_an_older_program_limits_the_first_request_too(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def before_the_upgrade(world: DaemonWorld) -> None:
        await world.poll(ONE)
        await world.database.run("DELETE FROM requests")

    async def life(world: DaemonWorld) -> None:
        assert (await world.poll(ONE)).kind is OutcomeKind.DEFERRED

    run(environment, LIMITED, before_the_upgrade)
    run(environment, LIMITED, life)


class TimedFetcher(FakeFetcher):
    """Notes when it is asked."""

    def __init__(self, clock: FakeClock, bodies: dict[SourceId, bytes | FetchError]) -> None:
        super().__init__(bodies)
        self.clock = clock
        self.times: list[float] = []

    async def _answer(self, *asked: object) -> object:  # type: ignore[override]
        self.times.append(self.clock.time)
        return await super()._answer(*asked)  # type: ignore[arg-type]


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.sampled_from(["refresh", "poll", "fail", "good", "new", "44 s", "1 h", "5 h", "restart", "reload"]),
        min_size=5,
        max_size=25,
    )
)
def test_a_whole_daemon_keeps_the_interval(story: list[str]) -> None:
    with TemporaryDirectory() as folder:
        environment = Environment(Path(folder))
        fetcher = TimedFetcher(environment.clock, {ONE: b"192.0.2.1\n"})
        environment.fetcher = fetcher
        forms = [replace(LIMITED.sources[0], format=Format(kind)) for kind in (FormatType.AUTO, FormatType.PLAIN)]
        left, number = list(story), 0

        async def life(world: DaemonWorld) -> None:
            nonlocal number
            while left and (step := left.pop(0)) != "restart":
                number += 1
                match step:
                    case "refresh":
                        await world.service.refresh()
                    case "poll":  # beside the timers, which a reload starts
                        async with world.service._polling.lock(ONE):
                            await world.poll(ONE)
                    case "fail":
                        fetcher.bodies[ONE] = FetchError("503", retry_after=5.0 if number % 2 else None)
                    case "good":
                        fetcher.bodies[ONE] = b"192.0.2.1\n"
                    case "new":
                        fetcher.bodies[ONE] = b"192.0.2.%d\n" % (number % 200 + 1)
                    case "reload":
                        environment.next_config = config_of(forms[number % 2])
                        await world.service.reload()
                    case _:
                        seconds = {"44 s": 44, "1 h": 3600, "5 h": 18_000}[step]
                        async with world.service._polling.lock(ONE):  # no hours pass within a poll
                            environment.clock.time += seconds

        while left:
            run(environment, LIMITED, life)
        times = fetcher.times
        assert all(later - earlier >= MINIMUM for earlier, later in pairwise(times))


def test_a_source_that_is_refreshed_too_early_keeps_its_state_and_its_bans(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        before = await world.ledger.poll(ONE)
        world.clock.time += 44
        (outcome,) = await world.service.refresh()
        assert (outcome.kind, outcome.error, outcome.exit_code) == (OutcomeKind.DEFERRED, "", 0)
        assert outcome.delay == MINIMUM - 44
        assert await world.ledger.poll(ONE) == before
        assert world.banned() == {"192.0.2.1"}
        event = await world.announcer.until(EventName.IMPORT_DEFERRED, ONE)
        assert "one request in 4h" in event.message

    run(Environment(tmp_path), LIMITED, life)


def test_a_refresh_by_force_asks_and_the_interval_begins_anew(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        world.clock.time += 3600
        (outcome,) = await world.service.refresh(anyway=True)
        assert outcome.kind is OutcomeKind.SKIPPED
        world.clock.time += MINIMUM - 1
        (outcome,) = await world.service.refresh()
        assert (outcome.kind, outcome.delay) == (OutcomeKind.DEFERRED, 1.0)

    run(Environment(tmp_path), LIMITED, life)


def test_a_pause_that_a_server_asked_for_holds_for_a_refresh_and_after_a_restart(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def first(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = FetchError("429", retry_after=7200.0)
        assert (await world.poll(ONE)).kind is OutcomeKind.FAILED
        world.fetcher.bodies[ONE] = b"192.0.2.1\n"
        (one, two) = await world.service.refresh()
        assert (one.kind, two.kind) == (OutcomeKind.DEFERRED, OutcomeKind.COMPLETED)
        assert world.service._polling.failing == []  # what came too early says nothing of the source

    async def second(world: DaemonWorld) -> None:
        world.clock.time += 7199
        assert (await world.poll(ONE)).deferred == "the server asked for this pause"
        world.clock.time += 1
        assert (await world.poll(ONE)).kind is OutcomeKind.COMPLETED

    run(environment, BOTH, first)
    run(environment, BOTH, second)


def test_the_timer_of_a_limited_source_waits_and_says_until_when(tmp_path: Path) -> None:
    """A list that fails, and then is read in another format, is due at once: but for its publisher."""
    environment = Environment(tmp_path)
    other = config_of(replace(LIMITED.sources[0], format=Format(FormatType.PLAIN)), source(TWO))

    async def first(world: DaemonWorld) -> None:
        world.fetcher.bodies[ONE] = FetchError("503")
        await world.poll(ONE)
        (timer,) = await world.ask("timers")
        assert timer["due_at"] == world.clock.now() + MINIMUM

    async def second(world: DaemonWorld) -> None:
        await world.completed(TWO)
        one, _ = await world.ask("timers")
        assert one["due_at"] == world.clock.now() + MINIMUM
        assert world.fetcher.polled() == [ONE, TWO]
        world.fetcher.bodies[ONE] = b"192.0.2.1\n"
        world.clock.time += MINIMUM
        await world.service.reload()
        await world.completed(ONE)

    run(environment, LIMITED, first)
    environment.next_config = other
    run(environment, other, second, serve=True)


def test_approved_content_needs_no_request(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(ONE)
        world.clock.time += MINIMUM
        world.fetcher.bodies[ONE] = b"192.0.2.1\n192.0.2.2\n0.0.0.0/0\n"
        assert (await world.poll(ONE)).kind is OutcomeKind.REFUSED
        shown = await world.ask("quarantine", source=ONE)
        content_hash = shown[0]["content_hash"]
        (row,) = await world.ask("approve", sources=[ONE], hash=content_hash, force=True)
        assert row["outcome"] == "completed"

    run(Environment(tmp_path), LIMITED, life)
