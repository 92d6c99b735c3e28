"""The ledger on a real SQLite file."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import KEPT_RUNS, ImportRuns
from banlistd.core.feeds.content import Pending
from banlistd.model import MANUAL, ContentHash, ImportRun, Mark, Marker, PolicyHash, Poll, RunState, SourceId, Validators

SOURCE = SourceId("s")
POLICY = PolicyHash("p" * 16)


def with_ledger(path: Path, use: Callable[[ImportRuns], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(path / "db") as database:
            await use(ImportRuns(database))

    asyncio.run(run())


def content(letter: str) -> ContentHash:
    return ContentHash(letter * 64)


def pending(letter: str, source_id: SourceId = SOURCE, added_history: bytes | None = None) -> Pending:
    return Pending(source_id, content(letter), POLICY, 7, 1, f"snapshot {letter}".encode(), added_history)


async def complete(ledger: ImportRuns, run: ImportRun, now: float = 2.0, validators: Validators | None = None) -> bool:
    return await ledger.mark_completed(run, added=1, removed=2, policy_hash=POLICY, now=now, validators=validators)


def test_marks_are_given_once_and_for_ever(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        a, b, c = SourceId("a"), SourceId("b"), SourceId("c")
        assert await ledger.marks_for([a, b]) == {a: 1, b: 2}
        assert await ledger.marks_for([c, a]) == {c: 3, a: 1}

    with_ledger(tmp_path, use)


def test_the_mark_of_manual_bans_is_given_again_once_no_ban_and_no_marker_has_it(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        one, two, three = (SourceId(f"manual-{digit * 8}") for digit in "123")
        assert await ledger.marks_for([MANUAL, SourceId("a"), one]) == {MANUAL: 1, "a": 2, one: 3}
        assert await ledger.marks_for([two], [Marker(Mark(3), one, content("a"), POLICY)]) == {two: 4}
        assert await ledger.marks_for([three, two]) == {three: 3, two: 4}
        assert await ledger.marks_for([SourceId("b")]) == {"b": 5}
        assert await ledger.marks_for([one, three]) == {one: 4, three: 3}
        assert await ledger.marks_for([MANUAL]) == {MANUAL: 1}

    with_ledger(tmp_path, use)


def test_one_content_of_one_source_has_one_row(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        first = await ledger.upsert_pending(pending("a"), 1.0)
        again = await ledger.upsert_pending(pending("a"), 2.0)
        assert (first.id, first.attempts) == (again.id, again.attempts - 1)
        assert again.generation > first.generation
        assert len(await ledger.history(SOURCE, 10)) == 1

    with_ledger(tmp_path, use)


def test_the_same_content_of_another_source_has_its_own_row(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        first = await ledger.upsert_pending(pending("a"), 1.0)
        second = await ledger.upsert_pending(pending("a", SourceId("t")), 1.0)
        assert first.id != second.id

    with_ledger(tmp_path, use)


def test_only_one_importer_closes_a_run(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        winner = await ledger.upsert_pending(pending("a"), 1.0)
        loser = await ledger.upsert_pending(pending("a"), 1.0)
        assert winner.id == loser.id
        assert await complete(ledger, winner)
        assert not await complete(ledger, loser)
        (row,) = await ledger.history(SOURCE, 10)
        assert (row.state, row.added, row.removed, row.completed_at) == (RunState.COMPLETED, 1, 2, 2.0)

    with_ledger(tmp_path, use)


def test_two_processes_that_import_the_same_content_make_one_row(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_database(tmp_path / "db") as one, open_database(tmp_path / "db") as two:
            ledgers = [ImportRuns(one), ImportRuns(two)]
            runs = await asyncio.gather(*(ledgers[turn % 2].upsert_pending(pending("a"), 1.0) for turn in range(20)))
            assert {run.id for run in runs} == {runs[0].id}
            assert sorted(run.attempts for run in runs) == list(range(1, 21))
            won = await asyncio.gather(*(complete(ledgers[turn % 2], run) for turn, run in enumerate(runs)))
            assert sum(won) == 1

    asyncio.run(run())


def test_validators_are_kept_only_with_the_content_that_they_belong_to(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        validators = Validators("etag", "yesterday", "f" * 64, "recipe")
        run = await ledger.upsert_pending(pending("a"), 1.0)
        assert (await ledger.poll(SOURCE)).validators == Validators()
        await complete(ledger, run, validators=validators)
        poll = await ledger.poll(SOURCE)
        assert (poll.validators, poll.content_hash) == (validators, content("a"))
        failing = await ledger.upsert_pending(pending("b"), 3.0)
        await ledger.mark_failed(failing, "the kernel said no", 4.0)
        assert (await ledger.poll(SOURCE)).content_hash == content("a")

    with_ledger(tmp_path, use)


def test_a_failed_run_leaves_the_one_before_accepted(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a"), 1.0))
        await ledger.mark_failed(await ledger.upsert_pending(pending("b"), 3.0), "no", 4.0)
        newest, accepted = await ledger.newest(SOURCE), await ledger.accepted(SOURCE)
        assert newest is not None
        assert (newest.content_hash, newest.state, newest.error) == (content("b"), RunState.FAILED, "no")
        assert accepted is not None
        assert accepted.content_hash == content("a")
        assert await ledger.snapshot(SOURCE, content("a")) == b"snapshot a"

    with_ledger(tmp_path, use)


def test_content_that_cannot_be_applied_once_more_stays_accepted(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a"), 1.0))
        await ledger.upsert_pending(pending("a"), 3.0)  # interrupted, so that it is opened twice
        again = await ledger.upsert_pending(pending("a"), 4.0)
        assert (again.state, again.completed_at) == (RunState.PENDING, None)
        await ledger.mark_failed(again, "no", 5.0)
        accepted = await ledger.accepted(SOURCE)
        assert accepted is not None
        assert (accepted.content_hash, accepted.state, accepted.completed_at) == (content("a"), RunState.COMPLETED, 2.0)
        assert [(run.state, run.error) for run in await ledger.history(SOURCE, 10)] == [
            (RunState.FAILED, "no"),
            (RunState.COMPLETED, ""),
        ]

    with_ledger(tmp_path, use)


def test_a_list_that_comes_back_and_cannot_be_applied_leaves_the_one_before_accepted(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a"), 1.0))
        await complete(ledger, await ledger.upsert_pending(pending("b"), 3.0))
        await ledger.mark_failed(await ledger.upsert_pending(pending("a"), 4.0), "no", 5.0)
        accepted = await ledger.accepted(SOURCE)
        assert accepted is not None
        assert accepted.content_hash == content("b")
        assert await ledger.snapshot(SOURCE, content("b")) is not None

    with_ledger(tmp_path, use)


def test_a_list_that_comes_back_is_the_newest_again_in_its_old_row(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        first = await ledger.upsert_pending(pending("a"), 5.0)
        await complete(ledger, first)
        await complete(ledger, await ledger.upsert_pending(pending("b"), 4.0))
        # The clock went back meanwhile; the order of generations does not care.
        back = await ledger.upsert_pending(pending("a"), 3.0)
        assert back.id == first.id
        accepted = await ledger.accepted(SOURCE)
        assert accepted is not None
        assert (accepted.content_hash, accepted.state) == (content("a"), RunState.PENDING)

    with_ledger(tmp_path, use)


def test_old_snapshots_go_when_a_newer_content_is_completed_and_not_before(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a"), 1.0))
        run = await ledger.upsert_pending(pending("b"), 2.0)
        assert await ledger.snapshot(SOURCE, content("a")) is not None
        await complete(ledger, run)
        assert await ledger.snapshot(SOURCE, content("a")) is None
        assert await ledger.snapshot(SOURCE, content("b")) == b"snapshot b"

    with_ledger(tmp_path, use)


def test_the_same_failure_again_counts_up_instead_of_filling_the_disk(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        for now in range(5):
            await ledger.record_failure(SOURCE, "404", POLICY, float(now))
        await ledger.record_failure(SOURCE, "500", POLICY, 9.0)
        history = await ledger.history(SOURCE, 10)
        assert [(run.error, run.attempts) for run in history] == [("500", 1), ("404", 5)]
        assert await ledger.newest(SOURCE) is None

    with_ledger(tmp_path, use)


def test_history_is_kept_short_and_never_loses_what_is_in_force(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a"), 0.0))
        for now in range(KEPT_RUNS + 20):
            await ledger.record_failure(SOURCE, f"failure {now}", POLICY, float(now + 10))
        assert len(await ledger.history(SOURCE, 1000)) <= KEPT_RUNS + 1
        accepted = await ledger.accepted(SOURCE)
        assert accepted is not None
        assert accepted.content_hash == content("a")

    with_ledger(tmp_path, use)


def test_added_history_is_newest_first_and_begins_with_everything(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a"), 1.0))
        await complete(ledger, await ledger.upsert_pending(pending("b", added_history=b"one"), 2.0))
        await complete(ledger, await ledger.upsert_pending(pending("c", added_history=b"two"), 3.0))
        assert await ledger.added_history(SOURCE) == [(3.0, b"two"), (2.0, b"one"), (1.0, None)]

    with_ledger(tmp_path, use)


def test_a_content_that_is_applied_again_arrived_when_it_first_came(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        await complete(ledger, await ledger.upsert_pending(pending("a", added_history=b"one"), 1.0))
        await complete(ledger, await ledger.upsert_pending(pending("a"), 9.0))
        assert await ledger.added_history(SOURCE) == [(1.0, b"one")]

    with_ledger(tmp_path, use)


def test_a_poll_is_remembered_without_touching_the_validators(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        run = await ledger.upsert_pending(pending("a"), 1.0)
        await complete(ledger, run, validators=Validators("etag"))
        await ledger.save_poll(Poll(SOURCE, due_at=99.0, polled_at=9.0, failures=2, error="late", failing_since=3.0))
        assert await ledger.poll(SOURCE) == Poll(SOURCE, Validators("etag"), content("a"), 99.0, 9.0, 2, "late", 3.0)

    with_ledger(tmp_path, use)


def test_the_polls_of_some_sources_are_those_of_each(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        names = [SourceId(f"s{number}") for number in range(5)]
        for name in names[:4]:
            await ledger.save_poll(Poll(name, due_at=9.0, polled_at=3.0))
        some = await ledger.polls(names[2:])
        assert some == {name: await ledger.poll(name) for name in names[2:4]}
        assert await ledger.polls([]) == {}
        assert (await ledger.polls()).keys() == {*names[:4]}

    with_ledger(tmp_path, use)


def test_the_accepted_runs_of_all_sources_are_those_of_each(tmp_path: Path) -> None:
    async def use(ledger: ImportRuns) -> None:
        first, second, third = (SourceId(name) for name in ("first", "second", "third"))
        await ledger.marks_for([first, second, third])
        for name in (first, second):
            run = await ledger.upsert_pending(Pending(name, content("a"), PolicyHash("p"), 1, 0, b"a"), 1.0)
            await ledger.mark_completed(run, added=1, removed=0, policy_hash=PolicyHash("p"), now=2.0, validators=None)
        await ledger.upsert_pending(Pending(second, content("b"), PolicyHash("p"), 1, 0, b"b"), 3.0)
        await ledger.record_failure(first, "late", PolicyHash("p"), 4.0)
        await ledger.record_failure(third, "late", PolicyHash("p"), 4.0)
        runs = await ledger.accepted_runs()
        assert runs == {name: await ledger.accepted(name) for name in (first, second)}
        assert [runs[name].content_hash for name in (first, second)] == [content("a"), content("b")]

    with_ledger(tmp_path, use)


def test_the_newest_run_of_all_sources_is_found_without_a_look_at_every_run(tmp_path: Path) -> None:
    async def run() -> None:
        async with open_database(tmp_path / "db") as database:
            ledger = ImportRuns(database)
            for name in "abc":
                await complete(ledger, await ledger.upsert_pending(pending("a", SourceId(name)), 1.0), now=float(ord(name)))
            assert [one.source_id for one in await ledger.history(None, 1)] == ["c"]

    asyncio.run(run())
    with closing(sqlite3.connect(tmp_path / "db")) as database:
        plan = database.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM import_runs WHERE 1"
            " ORDER BY iif(state = 'pending', started_at, completed_at) DESC, id DESC LIMIT 1"
        ).fetchall()
    assert [row[3] for row in plan] == ["SCAN import_runs USING INDEX import_runs_by_end"]
