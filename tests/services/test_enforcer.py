"""The one writer: real ledger on a real file, the memory backend for a kernel."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.quarantine import QuarantineTable
from banlistd.core.addresses.sets import hash_of, to_text
from banlistd.core.config.model import AllowEntry, Config, Source
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import Policy, policy_of
from banlistd.errors import FirewallError
from banlistd.model import Action, Decision, Format, Marker, OutcomeKind, RunState, SourceId
from banlistd.ports import Pending
from banlistd.services.enforcer import Enforcer
from banlistd.services.importer import Importer
from support.fakes import CannedFetcher, CountingFirewall, ListeningAnnouncer, StandingClock

FEED, OTHER = SourceId("feed"), SourceId("other")
A, B = b"192.0.2.1\n192.0.2.2\n", b"192.0.2.2\n198.51.100.0/24\n"
BOTH = (Source(id=FEED, url="http://192.0.2.9/"), Source(id=OTHER, url="http://192.0.2.9/o"))


class GatedFirewall(CountingFirewall):
    """A transaction waits until the gate is open; `changes` keeps what was applied."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        self.changes: list[Change] = []

    async def apply(self, change: Change) -> int:
        self.entered.set()
        await self.gate.wait()
        written = await super().apply(change)
        self.changes.append(change)
        return written


@dataclass
class Desk:
    """An enforcer, and what it stands on."""

    ledger: ImportRuns
    quarantine: QuarantineTable
    firewall: GatedFirewall
    enforcer: Enforcer
    fetcher: CannedFetcher = field(default_factory=lambda: CannedFetcher({FEED: A, OTHER: b"203.0.113.0/24\n"}))
    clock: StandingClock = field(default_factory=StandingClock)

    async def submit(self, source_id: SourceId, body: bytes) -> Change:
        addresses = parse(body, Format()).addresses
        return await self.enforcer.enforce(source_id, hash_of(addresses.encode()), addresses)

    async def poll(self, source: Source) -> OutcomeKind:
        importer = Importer(
            self.fetcher, self.ledger, self.quarantine, self.enforcer, ListeningAnnouncer(), self.clock, chance=lambda: 0.5
        )
        return (await importer.import_source(source)).kind

    async def policy(self, *sources: Source, allow: str = "") -> Policy:
        entries = (AllowEntry(first=ip_address(allow), last=ip_address(allow)),) if allow else ()
        marks = await self.ledger.marks_for([source.id for source in sources])
        return policy_of(Config(sources=sources, allow=entries), marks, self.clock.now())

    def banned(self) -> set[str]:
        """What the firewall itself holds."""
        answer = set()
        for map_entries in self.firewall.maps.values():
            for first, last in zip(map_entries.first, map_entries.last, strict=True):
                ends = (to_text(map_entries.family, first), to_text(map_entries.family, last))
                answer.add(ends[0] if first == last else " - ".join(ends))
        return answer


@asynccontextmanager
async def start(disk: Path, firewall: GatedFirewall, *sources: Source) -> AsyncIterator[Desk]:
    async with open_database(disk / "db") as database:
        ledger = ImportRuns(database)
        marks = await ledger.marks_for([source.id for source in sources or BOTH])
        enforcer = Enforcer(firewall, ledger, policy_of(Config(sources=sources or BOTH), marks, StandingClock().now()))
        yield Desk(ledger, QuarantineTable(database), firewall, enforcer)


def work(disk: Path, life: Callable[[Desk], Awaitable[None]], firewall: GatedFirewall | None = None) -> None:
    """A life of the daemon, restored from what is on the disk and in the firewall."""

    async def run() -> None:
        async with start(disk, firewall or GatedFirewall()) as desk:
            await desk.enforcer.restore(desk.clock.now())
            await life(desk)

    asyncio.run(run())


async def open_run(desk: Desk, body: bytes = A) -> Marker:
    """Write down a content as an import does before it is applied; returns the marker that the firewall would have."""
    encoded = parse(body, Format()).addresses.encode()
    policy = desk.enforcer.policy
    pending = Pending(FEED, hash_of(encoded), policy.hash, entries=2, rejected=0, snapshot=encoded)
    await desk.ledger.upsert_pending(pending, desk.clock.now())
    owner = policy.owner(FEED)
    assert owner
    return Marker(owner.mark, FEED, pending.content_hash, policy.hash)


def test_a_restart_skips_what_the_firewall_holds_and_writes_nothing(tmp_path: Path) -> None:
    firewall = GatedFirewall()

    async def first(desk: Desk) -> None:
        await desk.poll(BOTH[0])

    async def second() -> None:
        async with start(tmp_path, firewall) as desk:
            written = firewall.transactions
            restored = await desk.enforcer.restore(desk.clock.now())
            assert restored.decisions == {FEED: Decision.SKIP}
            assert restored.change.is_empty
            assert restored.bans == 2
            assert firewall.transactions == written

    work(tmp_path, first, firewall)
    asyncio.run(second())


def test_a_restart_puts_back_what_a_reboot_took(tmp_path: Path) -> None:
    async def first(desk: Desk) -> None:
        await desk.poll(BOTH[0])

    async def second() -> None:
        async with start(tmp_path, GatedFirewall()) as desk:
            restored = await desk.enforcer.restore(desk.clock.now())
            assert restored.decisions == {FEED: Decision.REAPPLY}
            assert (restored.change.added, restored.bans) == (2, 2)
            assert desk.banned() == {"192.0.2.1", "192.0.2.2"}
            assert desk.fetcher.asked == []

    work(tmp_path, first)
    asyncio.run(second())


@pytest.mark.parametrize("reached", [True, False], ids=["after the kernel", "before the kernel"])
def test_a_run_that_a_crash_left_open_is_closed_by_what_the_firewall_says(tmp_path: Path, *, reached: bool) -> None:
    firewall = GatedFirewall()

    async def crash(desk: Desk) -> None:
        await open_run(desk)
        if reached:
            await desk.submit(FEED, A)

    async def restart() -> None:
        async with start(tmp_path, firewall) as desk:
            written = firewall.transactions
            restored = await desk.enforcer.restore(desk.clock.now())
            assert restored.decisions == {FEED: Decision.FINISH if reached else Decision.IMPORT}
            assert firewall.transactions - written == (0 if reached else 1)
            run = await desk.ledger.newest(FEED)
            assert run
            assert (run.state, run.attempts) == (RunState.COMPLETED, 1)
            assert (run.added, run.removed) == ((0, 0) if reached else (2, 0))
            assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    work(tmp_path, crash, firewall)
    asyncio.run(restart())


def test_a_damaged_snapshot_is_as_good_as_absent_and_the_list_is_fetched_whole(tmp_path: Path) -> None:
    async def first(desk: Desk) -> None:
        assert await desk.poll(BOTH[0]) is OutcomeKind.COMPLETED

    async def second(desk: Desk) -> None:
        assert desk.enforcer.content(FEED) is None
        assert desk.banned() == set()
        assert await desk.poll(BOTH[0]) is OutcomeKind.COMPLETED
        ((_, validators),) = desk.fetcher.asked
        assert validators.etag == ""
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    async def third(desk: Desk) -> None:
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    work(tmp_path, first)
    database = sqlite3.connect(tmp_path / "db")
    with database:
        (body,) = database.execute("SELECT body FROM snapshots").fetchone()
        database.execute("UPDATE snapshots SET body = ?", (body[:-1] + bytes([body[-1] ^ 1]),))
    database.close()
    work(tmp_path, second)
    work(tmp_path, third)


def test_contents_that_wait_for_a_transaction_share_the_next_one(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        desk.firewall.gate.clear()
        desk.firewall.entered.clear()
        first = asyncio.ensure_future(desk.submit(FEED, A))
        await desk.firewall.entered.wait()
        before = desk.firewall.transactions
        waiting = [asyncio.ensure_future(desk.submit(FEED, B)), asyncio.ensure_future(desk.submit(OTHER, b"203.0.113.0/24"))]
        await asyncio.sleep(0)  # both are in the queue
        desk.firewall.gate.set()
        one, two = await asyncio.gather(*waiting)
        assert (await first).added == 2
        assert one is two
        assert one.counts() == {FEED: (1, 1), OTHER: (1, 0)}
        assert desk.firewall.transactions - before == 2
        assert desk.banned() == {"192.0.2.2", "198.51.100.0 - 198.51.100.255", "203.0.113.0 - 203.0.113.255"}

    work(tmp_path, life)


def test_another_policy_marks_everything_anew_and_leaves_the_elements_alone(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.submit(FEED, A)
        await desk.submit(OTHER, b"203.0.113.0/24")
        change = await desk.enforcer.reconcile(await desk.policy(*BOTH, allow="8.8.8.8"))
        assert change.maps == ()
        assert {marker.source_id for marker in change.markers} == {FEED, OTHER}
        assert {marker.policy_hash for marker in await desk.firewall.markers()} == {desk.enforcer.policy.hash}
        again = await desk.enforcer.reconcile(desk.enforcer.policy)
        assert again.is_empty

    work(tmp_path, life)


def test_an_address_that_is_allowed_leaves_and_comes_back_when_it_is_not(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.submit(FEED, A)
        change = await desk.enforcer.reconcile(await desk.policy(*BOTH, allow="192.0.2.1"))
        assert (change.added, change.removed) == (0, 1)
        assert desk.banned() == {"192.0.2.2"}
        await desk.enforcer.reconcile(await desk.policy(*BOTH))
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    work(tmp_path, life)


def test_a_source_that_leaves_the_policy_takes_its_bans_and_has_them_back_when_it_returns(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll(BOTH[0])
        await desk.poll(BOTH[1])
        await desk.enforcer.reconcile(await desk.policy(BOTH[1]))
        assert desk.banned() == {"203.0.113.0 - 203.0.113.255"}
        assert [marker.source_id for marker in await desk.firewall.markers()] == [OTHER]
        await desk.enforcer.reconcile(await desk.policy(*BOTH))
        assert desk.banned() == {"192.0.2.1", "192.0.2.2", "203.0.113.0 - 203.0.113.255"}

    work(tmp_path, life)


def test_an_action_that_changes_moves_a_sources_addresses_to_the_watched(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.submit(FEED, A)
        await desk.submit(OTHER, A)
        watching = BOTH[0].model_copy(update={"action": Action.LOG})
        await desk.enforcer.reconcile(await desk.policy(watching, BOTH[1]))
        held = desk.enforcer.state
        assert held
        assert {(map_id.name, len(map_entries)) for map_id, map_entries in held.map_entries.items() if len(map_entries)} == {
            ("hosts4", 2)
        }
        assert set(next(iter(held.map_entries.values())).mark.tolist()) == {2}

    work(tmp_path, life)


@pytest.mark.parametrize("reached", [False, True], ids=["nothing was changed", "only the answer was lost"])
def test_a_failure_reaches_everybody_who_waited_and_the_next_attempt_succeeds(tmp_path: Path, *, reached: bool) -> None:
    async def life(desk: Desk) -> None:
        desk.firewall.fail_before, desk.firewall.fail_after = not reached, reached
        outcomes = await asyncio.gather(desk.submit(FEED, A), desk.submit(OTHER, b"203.0.113.0/24"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [FirewallError] * 2
        assert desk.enforcer.content(FEED) is None
        desk.firewall.fail_before = desk.firewall.fail_after = False
        await desk.submit(FEED, A)
        assert desk.enforcer.content(FEED)
        assert desk.enforcer.state
        assert (await desk.firewall.verify(desk.enforcer.state)).sound
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    work(tmp_path, life)


def test_a_policy_that_the_firewall_did_not_take_is_not_in_force(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.submit(FEED, A)
        before = desk.enforcer.policy
        desk.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await desk.enforcer.reconcile(await desk.policy(*BOTH, allow="192.0.2.1"))
        desk.firewall.fail_before = False
        assert desk.enforcer.policy is before
        assert (await desk.enforcer.reconcile()).is_empty
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    work(tmp_path, life)


def test_a_submitter_that_is_cancelled_does_not_stop_the_transaction(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        desk.firewall.gate.clear()
        desk.firewall.entered.clear()
        submitted = asyncio.ensure_future(desk.submit(FEED, A))
        await desk.firewall.entered.wait()
        submitted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitted
        desk.firewall.gate.set()
        await desk.enforcer.settle()
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}
        assert (await desk.enforcer.reconcile()).is_empty

    work(tmp_path, life)


def test_a_submitter_that_is_cancelled_does_not_stop_those_who_wait_with_it(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        first = asyncio.ensure_future(desk.submit(FEED, A))
        second = asyncio.ensure_future(desk.submit(OTHER, b"203.0.113.0/24"))
        await asyncio.sleep(0)  # both are in the same batch
        first.cancel()
        assert (await second).added == 3
        with pytest.raises(asyncio.CancelledError):
            await first

    work(tmp_path, life)


def test_what_others_took_away_is_put_back_with_nothing_read_from_the_ledger(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.submit(FEED, A)  # never written down
        await desk.firewall.teardown()
        change = await desk.enforcer.reconcile()
        assert not change.is_empty
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}
        assert (await desk.enforcer.reconcile()).is_empty

    work(tmp_path, life)


def test_a_ledger_that_lost_everything_knows_again_what_stands_and_the_firewall_is_not_touched(tmp_path: Path) -> None:
    firewall = GatedFirewall()

    async def life(desk: Desk) -> None:
        await desk.poll(BOTH[0])
        written = firewall.transactions
        with closing(sqlite3.connect(tmp_path / "db")) as database, database:
            database.execute("DELETE FROM import_runs")
            database.execute("DELETE FROM snapshots")
        assert await desk.enforcer.resync_ledger(FEED, desk.clock.now())
        assert not await desk.enforcer.resync_ledger(FEED, desk.clock.now())
        assert not await desk.enforcer.resync_ledger(BOTH[1].id, desk.clock.now())
        assert firewall.transactions == written

    async def reboot(desk: Desk) -> None:
        assert desk.banned() == {"192.0.2.1", "192.0.2.2"}

    work(tmp_path, life, firewall)
    work(tmp_path, reboot)


def test_a_ledger_that_was_away_takes_what_stands_for_the_newest(tmp_path: Path) -> None:
    async def life(desk: Desk) -> None:
        await desk.poll(BOTH[0])
        await open_run(desk, b"203.0.113.99\n")
        assert await desk.enforcer.resync_ledger(FEED, desk.clock.now())
        accepted, content = await desk.ledger.accepted(FEED), desk.enforcer.content(FEED)
        assert accepted
        assert content
        assert (accepted.content_hash, accepted.state) == (content.content_hash, RunState.COMPLETED)

    work(tmp_path, life)
