"""The last contents of a list, as the ledger writes them with the runs that bring them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.versions import version_table
from banlistd.adapters.storage.versions.version_table import VersionTable
from banlistd.core.feeds.content import Pending
from banlistd.core.feeds.versions.version import MOST_VERSIONS, HistoryBounds, Step
from banlistd.model import ContentHash, ImportRun, PolicyHash, SourceId

ONE, TWO = SourceId("one"), SourceId("two")
POLICY = PolicyHash("p")
DAY = 86_400.0
BOUNDS = HistoryBounds(30 * DAY, 1000)

Life = Callable[[ImportRuns, VersionTable], Awaitable[None]]


def run(disk: Path, life: Life) -> None:
    async def live() -> None:
        async with open_database(disk / "db") as database:
            await life(ImportRuns(database), VersionTable(database))

    asyncio.run(live())


def content(letter: str) -> ContentHash:
    return ContentHash(letter * 64)


def pending(letter: str, before: str = "", source_id: SourceId = ONE, bounds: HistoryBounds | None = BOUNDS) -> Pending:
    """The delta is the two letters; a content that follows none has none."""
    delta = f"{before}{letter}".encode() if before else b""
    step = Step(content(before) if before else None, bounds, delta) if bounds else None
    return Pending(source_id, content(letter), POLICY, 7, 0, b"snapshot", step=step)


async def complete(ledger: ImportRuns, one: Pending, now: float) -> ImportRun:
    opened = await ledger.upsert_pending(one, now)
    assert await ledger.mark_completed(opened, added=1, removed=0, policy_hash=POLICY, now=now, validators=None)
    return opened


async def known(versions: VersionTable, source_id: SourceId = ONE) -> list[tuple[str, bytes | None]]:
    return [(version.content_hash[0], delta) for version, delta in await versions.deltas(source_id)]


def test_versions_are_newest_first_with_what_leads_to_the_one_before(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        first = await complete(ledger, pending("a"), 1.0)
        await complete(ledger, pending("b", "a"), 2.0)
        last = await complete(ledger, pending("c", "b"), 3.0)
        assert await known(versions) == [("c", b"bc"), ("b", b"ab"), ("a", None)]
        newest, _, oldest = await versions.of(ONE)
        assert (newest.run_id, newest.came_at, newest.left_at, newest.entries) == (last.id, 3.0, None, 7)
        assert (oldest.run_id, oldest.came_at, oldest.left_at) == (first.id, 1.0, 2.0)
        assert [delta for _, delta in await versions.deltas(ONE, newest.id - 1)] == [b"bc", None, None]
        assert await versions.sources() == [ONE]
        assert await versions.octets() == {ONE: 4}
        assert await versions.of(TWO) == []

    run(tmp_path, life)


def test_a_content_that_comes_back_is_a_version_of_its_own(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        first = await complete(ledger, pending("a"), 1.0)
        await complete(ledger, pending("b", "a"), 2.0)
        again = await complete(ledger, pending("a", "b"), 3.0)
        assert again.id == first.id
        assert await known(versions) == [("a", b"ba"), ("b", b"ab"), ("a", None)]

    run(tmp_path, life)


def test_a_content_that_is_applied_again_is_no_new_version(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        await complete(ledger, pending("a"), 1.0)
        await complete(ledger, pending("b", "a"), 2.0)
        await complete(ledger, pending("b"), 3.0)
        assert await known(versions) == [("b", b"ab"), ("a", None)]
        newest, _ = await versions.of(ONE)
        assert newest.came_at == 2.0

    run(tmp_path, life)


def test_a_run_that_is_not_completed_is_no_version(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        await complete(ledger, pending("a"), 1.0)
        failed = await ledger.upsert_pending(pending("b", "a"), 2.0)
        assert await known(versions) == [("a", None)]
        await ledger.mark_failed(failed, "the firewall is gone", 2.0)
        await complete(ledger, pending("c", "a"), 3.0)
        assert await known(versions) == [("c", b"ac"), ("a", None)]

    run(tmp_path, life)


def test_a_run_that_a_restart_completes_is_a_version(tmp_path: Path) -> None:
    async def before_the_kill(ledger: ImportRuns, _: VersionTable) -> None:
        await complete(ledger, pending("a"), 1.0)
        await ledger.upsert_pending(pending("b", "a"), 2.0)

    async def after_it(ledger: ImportRuns, versions: VersionTable) -> None:
        newest = await ledger.newest(ONE)
        assert newest is not None
        await ledger.mark_completed(newest, added=0, removed=0, policy_hash=POLICY, now=5.0, validators=None)
        assert await known(versions) == [("b", b"ab"), ("a", None)]

    run(tmp_path, before_the_kill)
    run(tmp_path, after_it)


def test_a_history_begins_with_the_content_that_an_older_version_of_banlistd_left(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        first = await complete(ledger, pending("a", bounds=None), 1.0)
        assert await versions.of(ONE) == []
        await complete(ledger, pending("b", "a"), 2.0)
        assert await known(versions) == [("b", b"ab"), ("a", None)]
        assert (await versions.of(ONE))[1].run_id == first.id

    run(tmp_path, life)


def test_after_a_gap_the_history_begins_anew(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        await complete(ledger, pending("a"), 1.0)
        await complete(ledger, pending("b", "a"), 2.0)
        await complete(ledger, pending("d", "c"), 3.0)
        assert await known(versions) == [("d", b"cd")]
        await complete(ledger, pending("e"), 4.0)
        assert await known(versions) == [("e", None)]

    run(tmp_path, life)


def test_versions_that_were_replaced_too_long_ago_are_forgotten_and_the_one_in_force_never(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        bounds = HistoryBounds(DAY, 1000)
        await complete(ledger, pending("a", bounds=bounds), 0.0)
        await complete(ledger, pending("b", "a", bounds=bounds), DAY / 2)
        await complete(ledger, pending("c", "b", bounds=bounds), DAY * 1.4)
        assert await known(versions) == [("c", b"bc"), ("b", b"ab"), ("a", None)]
        await complete(ledger, pending("d", "c", bounds=bounds), DAY * 1.6)
        assert await known(versions) == [("d", b"cd"), ("c", b"bc"), ("b", None)]
        await complete(ledger, pending("e", "d", bounds=bounds), DAY * 90)
        assert await known(versions) == [("e", b"de"), ("d", None)]

    run(tmp_path, life)


def test_the_oldest_versions_go_first_when_all_together_are_too_large(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        bounds = HistoryBounds(30 * DAY, 5)
        for number, letter in enumerate("bcde"):
            await complete(ledger, pending(letter, chr(ord(letter) - 1), bounds=bounds), float(number))
        assert await known(versions) == [("e", b"de"), ("d", b"cd"), ("c", None)]
        assert await versions.octets() == {ONE: 4}

    run(tmp_path, life)


@pytest.mark.parametrize(("large", "too_large", "kept"), [(1 << 40, 1 << 40, 5), (0, 1 << 40, 3), (0, 0, 1)])
def test_a_large_database_keeps_less_of_each_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: int, too_large: int, kept: int
) -> None:
    monkeypatch.setattr(version_table, "LARGE_FILE", large)
    monkeypatch.setattr(version_table, "TOO_LARGE_FILE", too_large)

    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        bounds = HistoryBounds(30 * DAY, 32)
        for number, letter in enumerate("bcdef"):
            await complete(ledger, pending(letter, chr(ord(letter) - 1) if number else "", bounds=bounds), float(number))
        assert len(await versions.of(ONE)) == kept

    run(tmp_path, life)


def test_a_list_that_changes_each_second_has_a_bounded_number_of_versions(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        await complete(ledger, pending("a"), 0.0)
        rows = [(ONE, 1, content("b"), 7, 1.0, 1, b"x")] * (MOST_VERSIONS + 10)
        add = "INSERT INTO versions (source_id, run_id, content_hash, entries, came_at, octets, delta) VALUES (?,?,?,?,?,?,?)"

        async def work(connection: object) -> None:
            await connection.executemany(add, rows)  # type: ignore[attr-defined]  # an aiosqlite connection

        await versions._database.write(work)
        bounds = HistoryBounds(30 * DAY, 1 << 20)
        await complete(ledger, pending("c", "b", bounds=bounds), 2.0)
        assert len(await versions.of(ONE)) == MOST_VERSIONS

    run(tmp_path, life)


def test_history_that_is_switched_off_forgets_that_source_only(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        for source_id in (ONE, TWO):
            await complete(ledger, pending("a", source_id=source_id), 1.0)
            await complete(ledger, pending("b", "a", source_id), 2.0)
        await complete(ledger, pending("c", "b", bounds=None), 3.0)
        assert await versions.sources() == [TWO]

    run(tmp_path, life)


def test_versions_of_a_source_that_is_gone_are_forgotten_after_the_longest_time(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, versions: VersionTable) -> None:
        await complete(ledger, pending("a", source_id=TWO), 0.0)
        await complete(ledger, pending("a"), 366 * DAY)
        assert await versions.sources() == [ONE]

    run(tmp_path, life)
