"""The one writer: real ledger on a real file, the memory backend for a kernel."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.core.addresses.canonical import hash_of
from banlistd.core.config.model import Source
from banlistd.core.feeds.content import Pending
from banlistd.core.feeds.parsers import parse
from banlistd.core.ruleset.diff import Change
from banlistd.core.ruleset.policy import Policy
from banlistd.errors import FirewallError, LostStructureError
from banlistd.formats import Format
from banlistd.model import MANUAL, Action, Decision, Marker, OutcomeKind, RunState, SourceId
from support.fakes import FakeFetcher, FakeFirewall
from support.sources import allow, config_of
from worlds import DaemonWorld, Environment, daemon_world, run

FEED, OTHER = SourceId("feed"), SourceId("other")
A, B = b"192.0.2.1\n192.0.2.2\n", b"192.0.2.2\n198.51.100.0/24\n"
BOTH = (Source(id=FEED, url="http://192.0.2.9/"), Source(id=OTHER, url="http://192.0.2.9/o"))


CONFIG = config_of(*BOTH)


def environment_on(disk: Path, firewall: FakeFirewall | None = None) -> Environment:
    fetcher = FakeFetcher({FEED: A, OTHER: b"203.0.113.0/24\n"})
    return Environment(disk, firewall or FakeFirewall(), fetcher)


async def submit(world: DaemonWorld, source_id: SourceId, body: bytes) -> Change:
    addresses = parse(body, Format()).addresses
    return await world.enforcer.enforce(source_id, hash_of(addresses.encode()), addresses)


async def policy_of(world: DaemonWorld, *sources: Source, allowed: str = "") -> Policy:
    return await world.policy(config_of(*sources, allow=[allow(allowed)] if allowed else []))


async def open_run(world: DaemonWorld, body: bytes = A) -> Marker:
    """Write down a content as an import does before it is applied; returns the marker that the firewall would have."""
    encoded = parse(body, Format()).addresses.encode()
    policy = world.enforcer.policy
    pending = Pending(FEED, hash_of(encoded), policy.hash, entries=2, rejected=0, snapshot=encoded)
    await world.ledger.upsert_pending(pending, world.clock.now())
    owner = policy.owner(FEED)
    assert owner
    return Marker(owner.mark, FEED, pending.content_hash, policy.hash)


def test_restart_skips_applied_content_and_writes_nothing(tmp_path: Path) -> None:
    firewall = FakeFirewall()

    async def first(world: DaemonWorld) -> None:
        await world.poll(FEED)

    async def second() -> None:
        async with daemon_world(environment_on(tmp_path, firewall), CONFIG) as world:
            written = firewall.transactions
            restored = await world.enforcer.restore(world.clock.now())
            assert restored.decisions == {FEED: Decision.SKIP}
            assert restored.change.is_empty
            assert restored.bans == 2
            assert firewall.transactions == written

    run(environment_on(tmp_path, firewall), CONFIG, first)
    asyncio.run(second())


def test_a_restart_puts_back_what_a_reboot_took(tmp_path: Path) -> None:
    async def first(world: DaemonWorld) -> None:
        await world.poll(FEED)

    async def second() -> None:
        async with daemon_world(environment_on(tmp_path, FakeFirewall()), CONFIG) as world:
            restored = await world.enforcer.restore(world.clock.now())
            assert restored.decisions == {FEED: Decision.REAPPLY}
            assert (restored.change.added, restored.bans) == (2, 2)
            assert world.banned() == {"192.0.2.1", "192.0.2.2"}
            assert world.fetcher.asked == []

    run(environment_on(tmp_path), CONFIG, first)
    asyncio.run(second())


@pytest.mark.parametrize("reached", [True, False], ids=["after the kernel", "before the kernel"])
def test_a_run_that_a_crash_left_open_is_closed_by_what_the_firewall_says(tmp_path: Path, *, reached: bool) -> None:
    firewall = FakeFirewall()

    async def crash(world: DaemonWorld) -> None:
        await open_run(world)
        if reached:
            await submit(world, FEED, A)

    async def restart() -> None:
        async with daemon_world(environment_on(tmp_path, firewall), CONFIG) as world:
            written = firewall.transactions
            restored = await world.enforcer.restore(world.clock.now())
            assert restored.decisions == {FEED: Decision.FINISH if reached else Decision.IMPORT}
            assert firewall.transactions - written == (0 if reached else 1)
            run = await world.ledger.newest(FEED)
            assert run
            assert (run.state, run.attempts) == (RunState.COMPLETED, 1)
            assert (run.added, run.removed) == ((0, 0) if reached else (2, 0))
            assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment_on(tmp_path, firewall), CONFIG, crash)
    asyncio.run(restart())


def test_a_damaged_snapshot_is_as_good_as_absent_and_the_list_is_fetched_whole(tmp_path: Path) -> None:
    async def first(world: DaemonWorld) -> None:
        assert (await world.poll(FEED)).kind is OutcomeKind.COMPLETED

    async def second(world: DaemonWorld) -> None:
        assert world.enforcer.content(FEED) is None
        assert world.banned() == set()
        assert (await world.poll(FEED)).kind is OutcomeKind.COMPLETED
        ((_, validators),) = world.fetcher.asked
        assert validators.etag == ""
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    async def third(world: DaemonWorld) -> None:
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment_on(tmp_path), CONFIG, first)
    database = sqlite3.connect(tmp_path / "db")
    with database:
        (body,) = database.execute("SELECT body FROM snapshots").fetchone()
        database.execute("UPDATE snapshots SET body = ?", (body[:-1] + bytes([body[-1] ^ 1]),))
    database.close()
    run(environment_on(tmp_path), CONFIG, second)
    run(environment_on(tmp_path), CONFIG, third)


def test_contents_that_wait_for_a_transaction_share_the_next_one(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.firewall.gate.clear()
        world.firewall.entered.clear()
        first = asyncio.ensure_future(submit(world, FEED, A))
        await world.firewall.entered.wait()
        before = world.firewall.transactions
        later = (FEED, B), (OTHER, b"203.0.113.0/24")
        waiting = [asyncio.ensure_future(submit(world, source_id, body)) for source_id, body in later]
        await asyncio.sleep(0)  # both are in the queue
        world.firewall.gate.set()
        one, two = await asyncio.gather(*waiting)
        assert (await first).added == 2
        assert one is two
        assert one.counts() == {MANUAL: (0, 0), FEED: (1, 1), OTHER: (1, 0)}
        assert world.firewall.transactions - before == 2
        assert world.banned() == {"192.0.2.2", "198.51.100.0 - 198.51.100.255", "203.0.113.0 - 203.0.113.255"}

    run(environment_on(tmp_path), CONFIG, life)


def test_another_policy_marks_everything_anew_and_leaves_the_elements_alone(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, FEED, A)
        await submit(world, OTHER, b"203.0.113.0/24")
        change = await world.enforcer.reconcile(await policy_of(world, *BOTH, allowed="8.8.8.8"))
        assert change.maps == ()
        assert {marker.source_id for marker in change.markers} == {FEED, OTHER}
        assert {marker.policy_hash for marker in await world.firewall.markers()} == {world.enforcer.policy.hash}
        again = await world.enforcer.reconcile(world.enforcer.policy)
        assert again.is_empty

    run(environment_on(tmp_path), CONFIG, life)


def test_an_address_that_is_allowed_leaves_and_comes_back_when_it_is_not(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, FEED, A)
        change = await world.enforcer.reconcile(await policy_of(world, *BOTH, allowed="192.0.2.1"))
        assert (change.added, change.removed) == (0, 1)
        assert world.banned() == {"192.0.2.2"}
        await world.enforcer.reconcile(await policy_of(world, *BOTH))
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment_on(tmp_path), CONFIG, life)


def test_source_leaves_with_its_bans_and_returns_with_them(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await world.poll(OTHER)
        await world.enforcer.reconcile(await policy_of(world, BOTH[1]))
        assert world.banned() == {"203.0.113.0 - 203.0.113.255"}
        assert [marker.source_id for marker in await world.firewall.markers()] == [OTHER]
        await world.enforcer.reconcile(await policy_of(world, *BOTH))
        assert world.banned() == {"192.0.2.1", "192.0.2.2", "203.0.113.0 - 203.0.113.255"}

    run(environment_on(tmp_path), CONFIG, life)


def test_an_action_that_changes_moves_a_sources_addresses_to_the_watched(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, FEED, A)
        await submit(world, OTHER, A)
        watching = replace(BOTH[0], action=Action.LOG)
        await world.enforcer.reconcile(await policy_of(world, watching, BOTH[1]))
        held = world.enforcer.state
        assert held
        assert {(map_id.name, len(map_entries)) for map_id, map_entries in held.map_entries.items() if len(map_entries)} == {
            ("hosts4", 2)
        }
        other = world.enforcer.policy.owner(OTHER)
        assert other
        assert set(next(iter(held.map_entries.values())).mark.tolist()) == {other.mark}

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize("reached", [False, True], ids=["nothing was changed", "only the answer was lost"])
def test_failure_reaches_all_waiters_and_the_next_attempt_succeeds(tmp_path: Path, *, reached: bool) -> None:
    async def life(world: DaemonWorld) -> None:
        world.firewall.fail_before, world.firewall.fail_after = not reached, reached
        outcomes = await asyncio.gather(submit(world, FEED, A), submit(world, OTHER, b"203.0.113.0/24"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [FirewallError] * 2
        assert world.enforcer.content(FEED) is None
        world.firewall.fail_before = world.firewall.fail_after = False
        await submit(world, FEED, A)
        assert world.enforcer.content(FEED)
        assert world.enforcer.state
        assert (await world.firewall.verify(world.enforcer.state)).sound
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment_on(tmp_path), CONFIG, life)


def test_a_list_is_in_force_although_another_program_deletes_the_table_meanwhile(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, OTHER, b"203.0.113.0/24")
        world.firewall.losses = 2
        await submit(world, FEED, A)
        assert world.banned() == {"192.0.2.1", "192.0.2.2", "203.0.113.0 - 203.0.113.255"}
        assert len(world.enforcer.drift.take().markers) == 2
        world.firewall.losses = 100
        with pytest.raises(LostStructureError):  # a fight is left to the repair loop
            await submit(world, FEED, B)
        assert world.firewall.losses == 95

    run(environment_on(tmp_path), CONFIG, life)


def test_a_policy_that_the_firewall_did_not_take_is_not_in_force(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, FEED, A)
        before = world.enforcer.policy
        world.firewall.fail_before = True
        with pytest.raises(FirewallError):
            await world.enforcer.reconcile(await policy_of(world, *BOTH, allowed="192.0.2.1"))
        world.firewall.fail_before = False
        assert world.enforcer.policy is before
        assert (await world.enforcer.reconcile()).is_empty
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment_on(tmp_path), CONFIG, life)


def test_a_submitter_that_is_cancelled_does_not_stop_the_transaction(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        world.firewall.gate.clear()
        world.firewall.entered.clear()
        submitted = asyncio.ensure_future(submit(world, FEED, A))
        await world.firewall.entered.wait()
        submitted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await submitted
        world.firewall.gate.set()
        await world.enforcer.wait_until_idle()
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert (await world.enforcer.reconcile()).is_empty

    run(environment_on(tmp_path), CONFIG, life)


@pytest.mark.parametrize("fails", [False, True], ids=["it succeeds", "it fails"])
def test_while_a_transaction_is_under_way_the_state_before_it_is_known(tmp_path: Path, *, fails: bool) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, FEED, A)
        before = world.enforcer.state
        assert before
        world.firewall.gate.clear()
        world.firewall.entered.clear()
        world.firewall.fail_before = fails
        submitted = asyncio.ensure_future(submit(world, OTHER, b"203.0.113.0/24"))
        await world.firewall.entered.wait()
        assert world.enforcer.state is before
        world.firewall.gate.set()
        await asyncio.wait([submitted])
        after = world.enforcer.state
        assert after is None if fails else after is not before
        assert isinstance(submitted.exception(), FirewallError) is fails

    run(environment_on(tmp_path), CONFIG, life)


def test_a_submitter_that_is_cancelled_does_not_stop_those_who_wait_with_it(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        first = asyncio.ensure_future(submit(world, FEED, A))
        second = asyncio.ensure_future(submit(world, OTHER, b"203.0.113.0/24"))
        await asyncio.sleep(0)  # both are in the same batch
        first.cancel()
        assert (await second).added == 3
        with pytest.raises(asyncio.CancelledError):
            await first

    run(environment_on(tmp_path), CONFIG, life)


def test_what_others_took_away_is_put_back_with_nothing_read_from_the_ledger(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await submit(world, FEED, A)  # never written down
        await world.firewall.teardown()
        change = await world.enforcer.reconcile()
        assert not change.is_empty
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}
        assert (await world.enforcer.reconcile()).is_empty

    run(environment_on(tmp_path), CONFIG, life)


def test_lost_ledger_is_resynced_without_touching_the_firewall(tmp_path: Path) -> None:
    firewall = FakeFirewall()

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        written = firewall.transactions
        with closing(sqlite3.connect(tmp_path / "db")) as database, database:
            database.execute("DELETE FROM import_runs")
            database.execute("DELETE FROM snapshots")
        assert await world.enforcer.resync_ledger(FEED, world.clock.now())
        assert not await world.enforcer.resync_ledger(FEED, world.clock.now())
        assert not await world.enforcer.resync_ledger(BOTH[1].id, world.clock.now())
        assert firewall.transactions == written

    async def reboot(world: DaemonWorld) -> None:
        assert world.banned() == {"192.0.2.1", "192.0.2.2"}

    run(environment_on(tmp_path, firewall), CONFIG, life)
    run(environment_on(tmp_path), CONFIG, reboot)


def test_returned_ledger_takes_applied_content_for_the_newest(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        await open_run(world, b"203.0.113.99\n")
        assert await world.enforcer.resync_ledger(FEED, world.clock.now())
        accepted, content = await world.ledger.accepted(FEED), world.enforcer.content(FEED)
        assert accepted
        assert content
        assert (accepted.content_hash, accepted.state) == (content.content_hash, RunState.COMPLETED)

    run(environment_on(tmp_path), CONFIG, life)


def test_the_markers_of_many_sources_are_read_a_few_times_and_anew_after_a_change(tmp_path: Path) -> None:
    class Slow(FakeFirewall):
        reads = 0

        async def markers(self) -> tuple[Marker, ...]:
            self.reads += 1
            await asyncio.sleep(0.05)
            return await super().markers()

    async def life(world: DaemonWorld) -> None:
        await world.poll(FEED)
        firewall.reads = 0
        for _ in range(1000):
            assert await world.enforcer.marker(FEED)
            assert await world.enforcer.marker(OTHER) is None
        assert 1 <= firewall.reads < 100
        await submit(world, OTHER, B)
        assert await world.enforcer.marker(OTHER)

    firewall = Slow()
    run(environment_on(tmp_path, firewall), CONFIG, life)
