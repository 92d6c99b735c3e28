"""One list through the house: real ledger on a real file, real parsers and plan, the memory backend for a kernel."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.config.model import Config, Source
from banlistd.core.ruleset.policy import policy_of
from banlistd.core.ruleset.state import FirewallState
from banlistd.errors import FetchError
from banlistd.events import EventName
from banlistd.model import Download, NotModified, Outcome, OutcomeKind, RunState, SourceId, Validators
from banlistd.services.enforcer import Enforcer
from banlistd.services.importer import Importer
from support.fakes import CannedFetcher, CountingFirewall, ListeningAnnouncer, StandingClock

FEED, OTHER = SourceId("feed"), SourceId("other")
A, B = b"192.0.2.1\n192.0.2.2\n", b"192.0.2.2\n198.51.100.0/24\n"


@dataclass
class Machine:
    """What survives the death of a process: the disk, the kernel, and the world outside."""

    disk: Path
    firewall: CountingFirewall = field(default_factory=CountingFirewall)
    fetcher: CannedFetcher = field(default_factory=lambda: CannedFetcher({FEED: A, OTHER: b"203.0.113.0/24\n"}))
    clock: StandingClock = field(default_factory=StandingClock)
    announcer: ListeningAnnouncer = field(default_factory=ListeningAnnouncer)
    sources: tuple[Source, ...] = (Source(id=FEED, url="http://192.0.2.9/"), Source(id=OTHER, url="http://192.0.2.9/o"))


@dataclass
class Process:
    """One life of the daemon on a machine."""

    machine: Machine
    ledger: ImportRuns
    enforcer: Enforcer
    importer: Importer

    async def poll(self, source_id: SourceId = FEED) -> Outcome:
        (source,) = (source for source in self.machine.sources if source.id == source_id)
        return await self.importer.import_source(source)

    async def states(self) -> list[tuple[str | None, RunState, int]]:
        runs = await self.ledger.history(FEED, 10)
        return [(run.content_hash, run.state, run.attempts) for run in sorted(runs, key=lambda run: run.id)]


@asynccontextmanager
async def start(machine: Machine) -> AsyncIterator[Process]:
    async with open_database(machine.disk / "db") as database:
        ledger = ImportRuns(database)
        config = Config(sources=machine.sources)
        marks = await ledger.marks_for([source.id for source in config.sources])
        enforcer = Enforcer(machine.firewall, ledger, policy_of(config, marks, machine.clock.now()))
        quarantine = QuarantineTable(database)
        importer = Importer(machine.fetcher, ledger, quarantine, enforcer, machine.announcer, machine.clock, chance=lambda: 0.5)
        await enforcer.restore(machine.clock.now())
        yield Process(machine, ledger, enforcer, importer)


def live(machine: Machine, life: Callable[[Process], Awaitable[None]]) -> None:
    async def run() -> None:
        async with start(machine) as process:
            await life(process)

    asyncio.run(run())


async def banned(process: Process) -> set[str]:
    held: FirewallState | None = process.enforcer.state
    assert held is not None
    assert (await process.machine.firewall.verify(held)).sound
    answer = set()
    for map_entries in held.map_entries.values():
        answer |= {f"{int(first):08x}-{int(last):08x}" for first, last in zip(map_entries.first, map_entries.last, strict=True)}
    return answer


HOSTS_A = {"c0000201-c0000201", "c0000202-c0000202"}
HOSTS_B = {"c0000202-c0000202", "c6336400-c63364ff"}


def test_a_list_reaches_the_firewall_and_the_ledger(tmp_path: Path) -> None:
    async def life(process: Process) -> None:
        outcome = await process.poll()
        assert (outcome.kind, outcome.added, outcome.removed) == (OutcomeKind.COMPLETED, 2, 0)
        assert await banned(process) == HOSTS_A
        ((_, state, attempts),) = await process.states()
        assert (state, attempts) == (RunState.COMPLETED, 1)
        names = process.machine.announcer.names()
        assert names == [EventName.IMPORT_STARTED, EventName.IMPORT_COMPLETED]

    live(Machine(tmp_path), life)


def test_import_source_idempotent_on_retry(tmp_path: Path) -> None:
    """A crash after the run was opened, and after the kernel's commit: the retry closes the same row, bans nothing again."""
    machine = Machine(tmp_path)

    async def crash_before_the_kernel(process: Process) -> None:
        machine.firewall.fail_before = True
        assert (await process.poll()).kind is OutcomeKind.FAILED
        machine.firewall.fail_before = False

    async def retry(process: Process) -> None:
        assert (await process.poll()).kind is OutcomeKind.COMPLETED
        ((_, state, attempts),) = await process.states()
        assert (state, attempts) == (RunState.COMPLETED, 2)
        assert machine.firewall.transactions == 2  # the empty shape at the first start, then the list
        assert (await process.poll()).kind is OutcomeKind.SKIPPED
        assert machine.firewall.transactions == 2
        assert len(await process.states()) == 1

    live(machine, crash_before_the_kernel)
    live(machine, retry)


def test_a_crash_after_the_kernels_commit_is_finished_without_a_second_write(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def die_before_completion(process: Process) -> None:
        async def never(*_: object, **__: object) -> bool:
            raise asyncio.CancelledError

        process.ledger.mark_completed = never  # type: ignore[method-assign] # the process dies here
        with pytest.raises(asyncio.CancelledError):
            await process.poll()
        ((_, state, _attempts),) = await process.states()
        assert state is RunState.PENDING

    async def restart(process: Process) -> None:
        ((_, state, attempts),) = await process.states()
        assert (state, attempts) == (RunState.COMPLETED, 1)
        assert await banned(process) == HOSTS_A

    live(machine, die_before_completion)
    written = machine.firewall.transactions
    live(machine, restart)
    assert machine.firewall.transactions == written


def test_a_crash_before_the_kernels_commit_is_made_good_from_the_snapshot(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def die_before_the_kernel(process: Process) -> None:
        async def never(*_: object) -> None:
            raise asyncio.CancelledError

        process.enforcer.enforce = never  # type: ignore[method-assign,assignment] # the process dies here
        with pytest.raises(asyncio.CancelledError):
            await process.poll()

    async def restart(process: Process) -> None:
        assert await banned(process) == HOSTS_A
        ((_, state, _attempts),) = await process.states()
        assert state is RunState.COMPLETED

    live(machine, die_before_the_kernel)
    machine.fetcher.bodies.clear()  # no network any more
    live(machine, restart)


def test_import_source_different_content_not_reused(tmp_path: Path) -> None:
    async def life(process: Process) -> None:
        await process.poll()
        process.machine.fetcher.bodies[FEED] = B
        outcome = await process.poll()
        assert (outcome.kind, outcome.added, outcome.removed) == (OutcomeKind.COMPLETED, 1, 1)
        assert await banned(process) == HOSTS_B
        states = await process.states()
        assert len({content for content, _, _ in states}) == 2
        assert [state for _, state, _ in states] == [RunState.COMPLETED, RunState.COMPLETED]

    live(Machine(tmp_path), life)


def test_a_list_that_goes_a_b_a_ends_as_a(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def life(process: Process) -> None:
        for body, expected in ((A, HOSTS_A), (B, HOSTS_B), (A, HOSTS_A)):
            machine.fetcher.bodies[FEED] = body
            assert (await process.poll()).kind is OutcomeKind.COMPLETED
            assert await banned(process) == expected
        assert sorted(attempts for _, _, attempts in await process.states()) == [1, 2]

    async def restart(process: Process) -> None:
        assert await banned(process) == HOSTS_A

    live(machine, life)
    written = machine.firewall.transactions
    live(machine, restart)
    assert machine.firewall.transactions == written


def test_a_restart_with_nothing_changed_writes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def first(process: Process) -> None:
        await process.poll(FEED)
        await process.poll(OTHER)

    async def second(process: Process) -> None:
        assert [(await process.poll(one)).kind for one in (FEED, OTHER)] == [OutcomeKind.SKIPPED] * 2

    live(machine, first)
    written = machine.firewall.transactions
    live(machine, second)
    assert machine.firewall.transactions == written
    assert machine.announcer.names().count(EventName.IMPORT_SKIPPED) == 2


@pytest.mark.parametrize("etags", [True, False], ids=["by 304", "by the same bytes"])
def test_an_emptied_firewall_is_filled_from_the_snapshot_although_nothing_changed(tmp_path: Path, *, etags: bool) -> None:
    machine = Machine(tmp_path)
    machine.fetcher.etags = etags

    async def life(process: Process) -> None:
        await process.poll()
        await machine.firewall.teardown()
        assert (await process.poll()).kind is OutcomeKind.COMPLETED
        assert await banned(process) == HOSTS_A

    live(machine, life)


def test_a_header_that_changed_alone_is_no_new_content(tmp_path: Path) -> None:
    async def life(process: Process) -> None:
        await process.poll()
        process.machine.fetcher.bodies[FEED] = b"# updated at noon\n" + A
        assert (await process.poll()).kind is OutcomeKind.SKIPPED
        # The new validators are kept, so the next poll is not even parsed.
        assert (await process.poll()).kind is OutcomeKind.SKIPPED
        assert process.machine.fetcher.asked[-1][1].etag != process.machine.fetcher.asked[-2][1].etag

    live(Machine(tmp_path), life)


def test_the_same_bytes_under_a_new_stamp_are_remembered_under_that(tmp_path: Path) -> None:
    async def life(process: Process) -> None:
        await process.poll()
        process.machine.fetcher = touched = TouchedFile(process.machine.fetcher)
        process.importer._fetcher = touched
        assert (await process.poll()).kind is OutcomeKind.SKIPPED
        kept = (await process.ledger.poll(FEED)).validators
        assert kept.etag == "touched"
        assert kept.fetch_key
        assert (await process.poll()).kind is OutcomeKind.SKIPPED
        assert touched.asked[-1][1].etag == "touched"

    live(Machine(tmp_path), life)


class TouchedFile(CannedFetcher):
    """What the fetcher before has served, unchanged but for its stamp."""

    def __init__(self, before: CannedFetcher) -> None:
        super().__init__(before.bodies)

    async def fetch(self, source: Source, validators: Validators) -> Download | NotModified:
        self.asked.append((source.id, validators))
        return NotModified(Validators("touched", "", validators.body_hash))


def test_validators_are_not_sent_for_content_that_was_never_applied(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def life(process: Process) -> None:
        machine.firewall.fail_before = True
        await process.poll()
        machine.firewall.fail_before = False
        await process.poll()
        assert [validators.etag for _, validators in machine.fetcher.asked] == ["", ""]

    live(machine, life)


def test_a_broken_feed_leaves_the_last_good_content(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def life(process: Process) -> None:
        await process.poll()
        for body, kind in (
            (FetchError("server answered 404 Not Found"), OutcomeKind.FAILED),
            (b"", OutcomeKind.REFUSED),
            (b"<!doctype html><html><body>Your address is 203.0.113.9</body></html>", OutcomeKind.REFUSED),
            (b"error code: 520", OutcomeKind.REFUSED),
        ):
            machine.fetcher.bodies[FEED] = body
            outcome = await process.poll()
            assert outcome.kind is kind
            assert outcome.error
            assert outcome.exit_code
            assert await banned(process) == HOSTS_A

    live(machine, life)


def test_a_failed_source_is_tried_again_sooner_than_its_interval(tmp_path: Path) -> None:
    async def life(process: Process) -> None:
        good = await process.poll()
        process.machine.fetcher.bodies[FEED] = FetchError("connection refused")
        first, second = await process.poll(), await process.poll()
        assert first.delay < second.delay < good.delay
        assert (await process.ledger.poll(FEED)).failures == 2

    live(Machine(tmp_path), life)


def test_sources_that_finish_together_become_one_transaction(tmp_path: Path) -> None:
    async def life(process: Process) -> None:
        before = process.machine.firewall.transactions
        gate = asyncio.Event()
        markers = process.machine.firewall.markers

        async def slow_markers() -> object:
            await gate.wait()
            return await markers()

        first = asyncio.ensure_future(process.enforcer.reconcile())
        process.machine.firewall.markers = slow_markers  # type: ignore[method-assign,assignment] # holds the writer
        polls = [asyncio.ensure_future(process.poll(one)) for one in (FEED, OTHER)]
        gate.set()
        await asyncio.gather(first, *polls)
        assert process.machine.firewall.transactions - before <= 2
        assert await banned(process) == HOSTS_A | {"cb007100-cb0071ff"}

    live(Machine(tmp_path), life)


def test_an_answer_of_the_kernel_that_is_lost_is_found_out_by_asking_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    async def life(process: Process) -> None:
        machine.firewall.fail_after = True
        assert (await process.poll()).kind is OutcomeKind.FAILED
        machine.firewall.fail_after = False
        written = machine.firewall.transactions
        assert (await process.poll()).kind is OutcomeKind.COMPLETED
        assert machine.firewall.transactions == written
        assert await banned(process) == HOSTS_A

    live(machine, life)


def test_a_source_that_is_disabled_leaves_the_firewall_and_one_that_comes_back_needs_no_download(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    both = machine.sources

    async def fill(process: Process) -> None:
        await process.poll(FEED)
        await process.poll(OTHER)

    async def only_other(process: Process) -> None:
        assert await banned(process) == {"cb007100-cb0071ff"}

    async def both_again(process: Process) -> None:
        assert await banned(process) == HOSTS_A | {"cb007100-cb0071ff"}

    live(machine, fill)
    machine.sources = both[1:]
    live(machine, only_other)
    machine.sources = both
    machine.fetcher.bodies.clear()
    live(machine, both_again)
