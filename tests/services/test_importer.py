"""One list through the house: real ledger on a real file, real parsers and plan, the memory backend for a kernel."""

import asyncio
import math
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import aiosqlite
import pytest

from banlistd.adapters.storage import database
from banlistd.adapters.storage.database_schema import Work, transaction
from banlistd.adapters.storage.polling.findings import FindingTable
from banlistd.core.config.model import Source
from banlistd.core.config.sections.guards import Guards
from banlistd.core.feeds.content import NOT_ENDED
from banlistd.core.feeds.parsed_list import Download
from banlistd.errors import FetchError
from banlistd.events import EventName
from banlistd.model import ImportRun, NotModified, Outcome, OutcomeKind, Poll, RunState, SourceId, Validators
from banlistd.ports import OnBody
from support.fakes import FakeFetcher
from support.sources import config_of
from worlds import DaemonWorld, Environment, run

FEED, OTHER = SourceId("feed"), SourceId("other")
A, B = b"192.0.2.1\n192.0.2.2\n", b"192.0.2.2\n198.51.100.0/24\n"


CONFIG = config_of(Source(id=FEED, url="http://192.0.2.9/"), Source(id=OTHER, url="http://192.0.2.9/o"))


def environment_on(disk: Path) -> Environment:
    return Environment(disk, fetcher=FakeFetcher({FEED: A, OTHER: b"203.0.113.0/24\n"}))


async def poll(world: DaemonWorld, source_id: SourceId = FEED) -> Outcome:
    return await world.poll(source_id)


async def states(world: DaemonWorld) -> list[tuple[str | None, RunState, int]]:
    runs = await world.ledger.history(FEED, 10)
    return [(run.content_hash, run.state, run.attempts) for run in sorted(runs, key=lambda run: run.id)]


async def banned(world: DaemonWorld) -> set[str]:
    state = world.enforcer.state
    assert state is not None
    assert (await world.firewall.verify(state)).sound
    return world.banned()


HOSTS_A = {"192.0.2.1", "192.0.2.2"}
HOSTS_B = {"192.0.2.2", "198.51.100.0 - 198.51.100.255"}
HOSTS_OTHER = {"203.0.113.0 - 203.0.113.255"}


def test_a_list_reaches_the_firewall_and_the_ledger(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        outcome = await poll(world)
        assert (outcome.kind, outcome.added, outcome.removed) == (OutcomeKind.COMPLETED, 2, 0)
        assert await banned(world) == HOSTS_A
        ((_, state, attempts),) = await states(world)
        assert (state, attempts) == (RunState.COMPLETED, 1)
        names = world.announcer.names()
        assert names == [EventName.FIREWALL_RESTORED, EventName.IMPORT_STARTED, EventName.IMPORT_COMPLETED]

    run(environment_on(tmp_path), CONFIG, life)


def test_import_source_idempotent_on_retry(tmp_path: Path) -> None:
    """A crash after the run was opened, and after the kernel's commit: the retry closes the same row, bans nothing again."""
    environment = environment_on(tmp_path)

    async def crash_before_the_kernel(world: DaemonWorld) -> None:
        environment.firewall.fail_before = True
        assert (await poll(world)).kind is OutcomeKind.FAILED
        environment.firewall.fail_before = False

    async def retry(world: DaemonWorld) -> None:
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        ((_, state, attempts),) = await states(world)
        assert (state, attempts) == (RunState.COMPLETED, 2)
        assert environment.firewall.transactions == 2  # the empty shape at the first start, then the list
        assert (await poll(world)).kind is OutcomeKind.SKIPPED
        assert environment.firewall.transactions == 2
        assert len(await states(world)) == 1

    run(environment, CONFIG, crash_before_the_kernel)
    run(environment, CONFIG, retry)


def test_a_crash_after_the_kernels_commit_is_finished_without_a_second_write(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def die_before_completion(world: DaemonWorld) -> None:
        async def never(*_: object, **__: object) -> bool:
            raise asyncio.CancelledError

        world.ledger.mark_completed = never  # type: ignore[method-assign] # the process dies here
        with pytest.raises(asyncio.CancelledError):
            await poll(world)
        ((_, state, _attempts),) = await states(world)
        assert state is RunState.PENDING

    async def restart(world: DaemonWorld) -> None:
        ((_, state, attempts),) = await states(world)
        assert (state, attempts) == (RunState.COMPLETED, 1)
        assert await banned(world) == HOSTS_A

    run(environment, CONFIG, die_before_completion)
    written = environment.firewall.transactions
    run(environment, CONFIG, restart)
    assert environment.firewall.transactions == written


def test_a_crash_before_the_kernels_commit_is_made_good_from_the_snapshot(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def die_before_the_kernel(world: DaemonWorld) -> None:
        async def never(*_: object) -> None:
            raise asyncio.CancelledError

        world.enforcer.enforce_all = never  # type: ignore[method-assign,assignment] # the process dies here
        with pytest.raises(asyncio.CancelledError):
            await poll(world)

    async def restart(world: DaemonWorld) -> None:
        assert await banned(world) == HOSTS_A
        ((_, state, _attempts),) = await states(world)
        assert state is RunState.COMPLETED

    run(environment, CONFIG, die_before_the_kernel)
    environment.fetcher.bodies.clear()  # no network any more
    run(environment, CONFIG, restart)


def test_import_source_different_content_not_reused(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        world.fetcher.bodies[FEED] = B
        outcome = await poll(world)
        assert (outcome.kind, outcome.added, outcome.removed) == (OutcomeKind.COMPLETED, 1, 1)
        assert await banned(world) == HOSTS_B
        runs = await states(world)
        assert len({content for content, _, _ in runs}) == 2
        assert [state for _, state, _ in runs] == [RunState.COMPLETED, RunState.COMPLETED]

    run(environment_on(tmp_path), CONFIG, life)


def test_a_list_that_goes_a_b_a_ends_as_a(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        for body, expected in ((A, HOSTS_A), (B, HOSTS_B), (A, HOSTS_A)):
            environment.fetcher.bodies[FEED] = body
            assert (await poll(world)).kind is OutcomeKind.COMPLETED
            assert await banned(world) == expected
        assert sorted(attempts for _, _, attempts in await states(world)) == [1, 2]

    async def restart(world: DaemonWorld) -> None:
        assert await banned(world) == HOSTS_A

    run(environment, CONFIG, life)
    written = environment.firewall.transactions
    run(environment, CONFIG, restart)
    assert environment.firewall.transactions == written


def test_a_restart_with_nothing_changed_writes_nothing(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def first(world: DaemonWorld) -> None:
        await poll(world, FEED)
        await poll(world, OTHER)

    async def second(world: DaemonWorld) -> None:
        assert [(await poll(world, one)).kind for one in (FEED, OTHER)] == [OutcomeKind.SKIPPED] * 2

    run(environment, CONFIG, first)
    written = environment.firewall.transactions
    run(environment, CONFIG, second)
    assert environment.firewall.transactions == written
    assert environment.announcer.names().count(EventName.IMPORT_SKIPPED) == 2


@pytest.mark.parametrize("etags", [True, False], ids=["by 304", "by the same bytes"])
def test_an_emptied_firewall_is_filled_from_the_snapshot_although_nothing_changed(tmp_path: Path, *, etags: bool) -> None:
    environment = environment_on(tmp_path)
    environment.fetcher.etags = etags

    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await environment.firewall.teardown()
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        assert await banned(world) == HOSTS_A

    run(environment, CONFIG, life)


def test_a_header_that_changed_alone_is_no_new_content(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        world.fetcher.bodies[FEED] = b"# updated at noon\n" + A
        assert (await poll(world)).kind is OutcomeKind.SKIPPED
        # The new validators are kept, so the next poll is not even parsed.
        assert (await poll(world)).kind is OutcomeKind.SKIPPED
        assert world.fetcher.asked[-1][1].etag != world.fetcher.asked[-2][1].etag

    run(environment_on(tmp_path), CONFIG, life)


def test_the_same_bytes_under_a_new_stamp_are_remembered_under_that(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        touched = TouchedFile(world.fetcher)
        world.importer._fetcher = touched
        assert (await poll(world)).kind is OutcomeKind.SKIPPED
        kept = (await world.ledger.poll(FEED)).validators
        assert kept.etag == "touched"
        assert kept.fetch_key
        assert (await poll(world)).kind is OutcomeKind.SKIPPED
        assert touched.asked[-1][1].etag == "touched"

    run(environment_on(tmp_path), CONFIG, life)


class TouchedFile(FakeFetcher):
    """What the fetcher before has served, unchanged but for its stamp."""

    def __init__(self, before: FakeFetcher) -> None:
        super().__init__(before.bodies)

    async def fetch(self, source: Source, validators: Validators, on_body: OnBody) -> Download | NotModified:
        self.asked.append((source.id, validators))
        return NotModified(Validators("touched", "", validators.body_hash))


def test_validators_are_not_sent_for_content_that_was_never_applied(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        environment.firewall.fail_before = True
        await poll(world)
        environment.firewall.fail_before = False
        await poll(world)
        assert [validators.etag for _, validators in environment.fetcher.asked] == ["", ""]

    run(environment, CONFIG, life)


def test_a_broken_feed_leaves_the_last_good_content(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for body, kind in (
            (FetchError("server answered 404 Not Found"), OutcomeKind.FAILED),
            (b"", OutcomeKind.REFUSED),
            (b"<!doctype html><html><body>Your address is 203.0.113.9</body></html>", OutcomeKind.REFUSED),
            (b"error code: 520", OutcomeKind.REFUSED),
        ):
            environment.fetcher.bodies[FEED] = body
            outcome = await poll(world)
            assert outcome.kind is kind
            assert outcome.error
            assert outcome.exit_code
            assert await banned(world) == HOSTS_A

    run(environment, CONFIG, life)


def test_a_failed_source_is_tried_again_sooner_than_its_interval(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        good = await poll(world)
        world.fetcher.bodies[FEED] = FetchError("connection refused")
        first, second = await poll(world), await poll(world)
        assert first.delay < second.delay < good.delay
        assert (await world.ledger.poll(FEED)).failures == 2

    run(environment_on(tmp_path), CONFIG, life)


def test_a_dead_source_is_tried_again_once_a_day_and_as_before_once_it_is_back(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        body = environment.fetcher.bodies[FEED]
        environment.fetcher.bodies[FEED] = FetchError("no such name")
        began = environment.clock.time
        while environment.clock.time < began + 60 * 86_400:
            delay = (await poll(world)).delay
            environment.clock.time += delay
        assert 43_200 <= delay <= 86_400
        assert (await world.ledger.poll(FEED)).failing_since == began
        environment.fetcher.bodies[FEED] = body
        assert (await poll(world)).delay < 86_400 / 12
        environment.fetcher.bodies[FEED] = FetchError("no such name")
        assert (await poll(world)).delay <= 60

    run(environment, CONFIG, life)


def test_a_dead_source_is_named_once_in_a_row_of_failures(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    def named() -> int:
        return environment.announcer.names().count(EventName.SOURCE_DEAD)

    async def life(world: DaemonWorld) -> None:
        body = environment.fetcher.bodies[FEED]
        for times in (1, 2):
            environment.fetcher.bodies[FEED] = FetchError("no such name")
            for day in range(10):
                await poll(world)
                assert named() == times - (day < 7)
                environment.clock.time += 86_400
            row = next(row for row in await world.ask("sources") if row["id"] == FEED)
            assert [one["condition"] for one in row["oddities"]] == ["dead"]
            assert (await world.ask("status"))["odd"]["dead"] == 1
            environment.fetcher.bodies[FEED] = body
            await poll(world)
            assert (await world.ask("status"))["odd"]["dead"] == 0

    run(environment, CONFIG, life)


def test_a_list_that_becomes_empty_is_named_once(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    lenient = replace(CONFIG.sources[0], allow_empty=True, guards=Guards(shrink=math.inf, turnover=math.inf))

    async def life(world: DaemonWorld) -> None:
        await poll(world)
        for text in (b"# nothing\n", b"# nothing today\n"):
            environment.fetcher.bodies[FEED] = text
            await poll(world)
            assert environment.announcer.names().count(EventName.SOURCE_EMPTY) == 1
        (row,) = await world.ask("sources")
        assert [one["condition"] for one in row["oddities"]] == ["empty"]

    run(environment, config_of(lenient), life)


def test_a_list_that_has_moved_is_named_once_with_its_new_address(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    feed = CONFIG.sources[0]

    def named() -> int:
        return environment.announcer.names().count(EventName.SOURCE_MOVED)

    async def moves(world: DaemonWorld, moved_to: str) -> None:
        world.polls.note_arrival(feed, moved_to)
        await poll(world)

    async def first(world: DaemonWorld) -> None:
        await moves(world, "https://new.example/list?key=hush")
        await moves(world, "https://new.example/list?key=hush")
        event = await environment.announcer.until(EventName.SOURCE_MOVED, FEED)
        assert event.fields["REASON"] == "https://new.example/list"
        assert named() == 1

    async def second(world: DaemonWorld) -> None:
        await moves(world, "https://new.example/list")
        environment.fetcher.bodies[FEED] = B  # another reading leaves the address as it is
        await moves(world, "https://new.example/list")
        assert named() == 1
        row = next(row for row in await world.ask("sources") if row["id"] == FEED)
        assert [one["condition"] for one in row["oddities"]] == ["moved"]
        assert "https://new.example/list" in row["oddities"][0]["message"]
        await moves(world, "")
        row = next(row for row in await world.ask("sources") if row["id"] == FEED)
        assert row["oddities"] == []
        assert named() == 1

    run(environment, CONFIG, first)
    run(environment, CONFIG, second)


def test_the_new_address_of_a_source_with_credentials_is_not_shown(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    secret = replace(CONFIG.sources[0], headers={"Authorization": "Bearer sesame"})

    async def life(world: DaemonWorld) -> None:
        world.polls.note_arrival(secret, "https://new.example/sesame")
        await poll(world)
        await environment.announcer.until(EventName.SOURCE_MOVED, FEED)
        assert "sesame" not in f"{environment.announcer.events} {await world.ask('sources')}"

    run(environment, config_of(secret), life)


def test_sources_that_finish_together_become_one_transaction(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        before = world.firewall.transactions
        gate = asyncio.Event()
        markers = world.firewall.markers

        async def slow_markers() -> object:
            await gate.wait()
            return await markers()

        first = asyncio.ensure_future(world.enforcer.reconcile())
        world.firewall.markers = slow_markers  # type: ignore[method-assign,assignment] # holds the writer
        polls = [asyncio.ensure_future(poll(world, one)) for one in (FEED, OTHER)]
        gate.set()
        await asyncio.gather(first, *polls)
        assert world.firewall.transactions - before <= 2
        assert await banned(world) == HOSTS_A | HOSTS_OTHER

    run(environment_on(tmp_path), CONFIG, life)


def test_an_answer_of_the_kernel_that_is_lost_is_found_out_by_asking_it(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def life(world: DaemonWorld) -> None:
        environment.firewall.fail_after = True
        assert (await poll(world)).kind is OutcomeKind.FAILED
        environment.firewall.fail_after = False
        written = environment.firewall.transactions
        assert (await poll(world)).kind is OutcomeKind.COMPLETED
        assert environment.firewall.transactions == written
        assert await banned(world) == HOSTS_A

    run(environment, CONFIG, life)


def test_disabled_source_leaves_the_firewall_and_returns_without_a_download(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def fill(world: DaemonWorld) -> None:
        await poll(world, FEED)
        await poll(world, OTHER)

    async def only_other(world: DaemonWorld) -> None:
        assert await banned(world) == HOSTS_OTHER

    async def both_again(world: DaemonWorld) -> None:
        assert await banned(world) == HOSTS_A | HOSTS_OTHER

    run(environment, CONFIG, fill)
    run(environment, config_of(*CONFIG.sources[1:]), only_other)
    environment.fetcher.bodies.clear()
    run(environment, CONFIG, both_again)


def test_an_attempt_that_does_not_end_counts_as_a_failure_for_the_next_process(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)

    async def die(world: DaemonWorld) -> None:
        source = world.service.config.sources[0]
        await world.polls.begin_attempt(source, Poll(source.id))
        saved = await world.ledger.poll(source.id)
        assert (saved.failures, saved.error) == (1, "the last attempt to read this list did not end")
        assert saved.due_at > environment.clock.now()

    async def go_on(world: DaemonWorld) -> None:
        await poll(world)
        assert (await world.ledger.poll(world.service.config.sources[0].id)).failures == 0

    run(environment, CONFIG, die)
    run(environment, CONFIG, go_on)


async def completed_again(world: DaemonWorld, pending: ImportRun) -> bool:
    return await world.ledger.mark_completed(
        pending, added=1, removed=0, policy_hash=pending.policy_hash, now=5.0, validators=None
    )


@pytest.mark.parametrize("completed", [True, False])
def test_a_kill_between_the_firewall_and_the_end_of_the_poll_leaves_no_failure(tmp_path: Path, *, completed: bool) -> None:
    environment = environment_on(tmp_path)

    async def die(world: DaemonWorld) -> None:
        await poll(world)
        source_id = world.service.config.sources[0].id
        await world.database.run("UPDATE polls SET failures = 1, error = ?, failing_since = 1.0", (NOT_ENDED,))
        if not completed:
            await world.database.run("UPDATE import_runs SET state = 'pending'")
            return
        run_of_it = await world.ledger.newest(source_id)
        assert run_of_it is not None
        await world.database.run("UPDATE import_runs SET state = 'pending'")
        assert await completed_again(world, run_of_it)

    async def after(world: DaemonWorld) -> None:
        saved = await world.ledger.poll(world.service.config.sources[0].id)
        assert (saved.failures, saved.error, saved.failing_since) == (0, "", None)

    run(environment, CONFIG, die)
    run(environment, CONFIG, after)


def test_a_completed_run_leaves_the_failures_of_polls_that_have_ended(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await poll(world)
        await world.database.run("UPDATE polls SET failures = 2, error = 'HTTP 503', failing_since = 1.0")
        await world.database.run("UPDATE import_runs SET state = 'pending'")
        pending = await world.ledger.newest(world.service.config.sources[0].id)
        assert pending is not None
        assert await completed_again(world, pending)
        assert (await world.ledger.poll(pending.source_id)).failures == 2

    run(environment_on(tmp_path), CONFIG, life)


def test_an_import_is_three_commits_and_a_poll_without_news_one(tmp_path: Path) -> None:
    """The attempt, the run that begins, and the run that ends, with what reading showed and the poll with what is confirmed."""

    async def life(world: DaemonWorld) -> None:
        commits = 0

        async def counted(connection: aiosqlite.Connection, begin: str, work: Work[object]) -> object:
            nonlocal commits
            commits += begin == "BEGIN IMMEDIATE"
            return await transaction(connection, begin, work)

        with patch.object(database, "transaction", counted):
            assert (await poll(world)).kind is OutcomeKind.COMPLETED
            assert commits == 3
            assert (await poll(world)).kind is OutcomeKind.SKIPPED
            assert commits == 4

    run(environment_on(tmp_path), CONFIG, life)


def test_what_reading_a_list_showed_is_kept_where_the_firewall_does_not_take_the_list(tmp_path: Path) -> None:
    environment = environment_on(tmp_path)
    environment.fetcher.bodies[FEED] = A + b"no address\n"

    async def life(world: DaemonWorld) -> None:
        environment.firewall.fail_before = True
        assert (await poll(world)).kind is OutcomeKind.FAILED
        assert (await FindingTable(world.database).every())[FEED].rejected == 1
        environment.firewall.fail_before = False

    run(environment, CONFIG, life)
