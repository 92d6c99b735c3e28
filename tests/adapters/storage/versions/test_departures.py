"""What left the lists, as the ledger writes it down with the run of the content that came."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.versions.departures import DepartureTable
from banlistd.core.feeds.content import Pending
from banlistd.model import ContentHash, PolicyHash, SourceId

ONE, TWO = SourceId("one"), SourceId("two")
HOUR, DAY = 3600.0, 86_400.0

Life = Callable[[ImportRuns, DepartureTable], Awaitable[None]]


def pending(letter: str, source_id: SourceId = ONE, departed: bytes | None = None, remembered: float = DAY) -> Pending:
    return Pending(source_id, ContentHash(letter * 64), PolicyHash("p"), 1, 0, b"", None, departed, remembered)


def run(disk: Path, life: Life) -> None:
    async def live() -> None:
        async with open_database(disk / "db") as database:
            await life(ImportRuns(database), DepartureTable(database))

    asyncio.run(live())


def test_departures_come_in_order_within_both_bounds_and_of_one_source(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, departures: DepartureTable) -> None:
        for hour, letter in enumerate("abcd"):
            await ledger.upsert_pending(pending(letter, departed=letter.encode()), hour * HOUR)
            await ledger.upsert_pending(pending(letter, TWO, departed=b"other"), hour * HOUR)
        assert await departures.between(ONE, 1 * HOUR, 2 * HOUR) == [(1 * HOUR, b"b"), (2 * HOUR, b"c")]
        assert len(await departures.between(TWO, 0.0, 9 * HOUR)) == 4
        assert await departures.between(SourceId("three"), 0.0, 9 * HOUR) == []

    run(tmp_path, life)


def test_the_same_moment_may_have_several(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, departures: DepartureTable) -> None:
        for letter in "ab":
            await ledger.upsert_pending(pending(letter, departed=letter.encode()), HOUR)
        assert [body for _, body in await departures.between(ONE, 0.0, DAY)] == [b"a", b"b"]

    run(tmp_path, life)


def test_what_is_older_than_the_window_is_deleted_with_the_next_run_of_its_source(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, departures: DepartureTable) -> None:
        await ledger.upsert_pending(pending("a", departed=b"old"), 0.0)
        await ledger.upsert_pending(pending("b", TWO, departed=b"other"), 0.0)
        await ledger.upsert_pending(pending("c", departed=b"new"), DAY + 1.0)
        assert await departures.between(ONE, 0.0, 9 * DAY) == [(DAY + 1.0, b"new")]
        assert await departures.between(TWO, 0.0, 9 * DAY) == [(0.0, b"other")]

    run(tmp_path, life)


def test_nothing_is_written_of_a_source_that_no_window_asks_for(tmp_path: Path) -> None:
    async def life(ledger: ImportRuns, departures: DepartureTable) -> None:
        await ledger.upsert_pending(pending("a", departed=b"kept"), 0.0)
        await ledger.upsert_pending(pending("b", departed=b"not asked for", remembered=0.0), HOUR)
        assert await departures.between(ONE, 0.0, DAY) == []

    run(tmp_path, life)
