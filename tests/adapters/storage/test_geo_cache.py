"""The geo cache on a real SQLite file: all or nothing, whatever ends it in the middle."""

import asyncio
import itertools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.database_schema import Work
from banlistd.adapters.storage.geo_cache import GeoCacheTable
from banlistd.core.geo.types import GeoEntry, GeoNegEntry, Origin
from banlistd.errors import LedgerError
from banlistd.model import Family
from banlistd.ports.geo import GeoCache

T = TypeVar("T")
V4, V6 = Family.IPV4, Family.IPV6
NORWAY = Origin("NO", "Norway", 64496, "Example Network")
NOW, LATER = 1000.0, 2000.0

_: type[GeoCache] = GeoCacheTable


def entry(first: int, last: int, origin: Origin = NORWAY, family: Family = V4, expires_at: float = LATER) -> GeoEntry:
    return GeoEntry(family, first, last, origin, expires_at)


def nobody(first: int, last: int, family: Family = V4, expires_at: float = LATER) -> GeoNegEntry:
    return GeoNegEntry(family, first, last, expires_at)


def work(path: Path, use: Callable[[GeoCacheTable], Awaitable[T]]) -> T:
    async def run() -> T:
        async with open_database(path / "db") as database:
            return await use(GeoCacheTable(database))

    return asyncio.run(run())


def rows(path: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(path / "db") as connection:
        return connection.execute("SELECT first, last, negative, asn FROM geo_cache ORDER BY first").fetchall()


def many(count: int, number: int = 1) -> list[GeoEntry]:
    return [entry(10 * at, 10 * at + 9, Origin("NO", "Norway", number)) for at in range(count)]


def test_an_entry_is_found_at_each_of_its_addresses_also_after_a_restart(tmp_path: Path) -> None:
    async def write(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries([entry(100, 199)], [])
        await cache.bulk_upsert_entries_and_neg_entries([], [nobody(300, 399)])
        await cache.bulk_upsert_entries_and_neg_entries([entry(100, 199, Origin("SE"), V6)], [])

    async def read(cache: GeoCacheTable) -> None:
        found = await cache.find(V4, [99, 100, 150, 199, 200, 300, 2**32 - 1], NOW)
        assert found == [None, entry(100, 199), entry(100, 199), entry(100, 199), None, nobody(300, 399), None]
        assert await cache.find(V6, [100, 300], NOW) == [entry(100, 199, Origin("SE"), V6), None]
        assert await cache.find(V4, [], NOW) == []

    work(tmp_path, write)
    work(tmp_path, read)


def test_what_has_expired_is_not_found_and_a_newer_answer_takes_its_place(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries([], [nobody(1, 9, expires_at=NOW + 1)])
        assert await cache.find(V4, [5], NOW) == [nobody(1, 9, expires_at=NOW + 1)]
        assert await cache.find(V4, [5], NOW + 1) == [None]
        await cache.bulk_upsert_entries_and_neg_entries([entry(1, 9)], [])
        assert await cache.find(V4, [5], NOW + 1) == [entry(1, 9)]

    work(tmp_path, use)
    assert len(rows(tmp_path)) == 1


def test_the_whole_of_both_families_fits(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries([entry(0, 2**32 - 1)], [])
        await cache.bulk_upsert_entries_and_neg_entries([], [nobody(0, 2**128 - 1, V6)])
        assert await cache.find(V4, [0, 2**31, 2**32 - 1], NOW) == [entry(0, 2**32 - 1)] * 3
        found = await cache.find(V6, [0, 2**127, 2**128 - 1], NOW)
        assert all(isinstance(one, GeoNegEntry) for one in found)

    work(tmp_path, use)


def test_a_narrower_answer_leaves_the_rest_of_a_wider_one(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries([entry(0, 255)], [])
        await cache.bulk_upsert_entries_and_neg_entries([], [nobody(64, 127)])
        assert await cache.find(V4, [63, 64, 127, 128], NOW) == [
            entry(0, 63),
            nobody(64, 127),
            nobody(64, 127),
            entry(128, 255),
        ]
        await cache.bulk_upsert_entries_and_neg_entries([entry(32, 200, Origin("SE"))], [])
        assert await cache.find(V4, [31, 32, 200, 201], NOW) == [
            entry(0, 31),
            entry(32, 200, Origin("SE")),
            entry(32, 200, Origin("SE")),
            entry(201, 255),
        ]

    work(tmp_path, use)


spans = st.tuples(st.integers(0, 40), st.integers(0, 15)).map(lambda pair: (pair[0], pair[0] + pair[1]))
batches = st.lists(st.lists(st.tuples(spans, st.integers(0, 3), st.sampled_from([V4, V6])), max_size=6), max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_newest_answer_wins_for_each_address(
    tmp_path_factory: pytest.TempPathFactory, written: list[list[tuple[tuple[int, int], int, Family]]]
) -> None:
    naive: dict[tuple[Family, int], int] = {}
    # At the ends of the space, where the shared index could mix the families up.
    base = {V4: 2**32 - 60, V6: (0xFFFF << 32) + 2**32}

    async def use(cache: GeoCacheTable) -> None:
        for batch in written:
            entries = [entry(base[f] + a, base[f] + b, Origin(asn=n), f) for (a, b), n, f in batch if n]
            negatives = [nobody(base[f] + a, base[f] + b, f) for (a, b), n, f in batch if not n]
            await cache.bulk_upsert_entries_and_neg_entries(entries, negatives)
            for (first, last), number, family in sorted(batch, key=lambda one: one[1] != 0):
                naive.update({(family, at): number for at in range(first, last + 1)})
        for family in (V4, V6):
            found = await cache.find(family, [base[family] + at for at in range(60)], NOW)
            numbers = [one and (one.origin.asn if isinstance(one, GeoEntry) else 0) for one in found]
            assert numbers == [naive.get((family, at)) for at in range(60)]

    work(tmp_path_factory.mktemp("cache"), use)


def test_more_than_a_statement_can_bind_is_written_and_found(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries(many(5000), [])
        await cache.bulk_upsert_entries_and_neg_entries(many(5000, number=2), [])
        found = await cache.find(V4, range(0, 50_000, 5), NOW)
        assert all(isinstance(one, GeoEntry) and one.origin.asn == 2 for one in found)

    work(tmp_path, use)
    assert len(rows(tmp_path)) == 5000


def test_a_page_follows_the_one_before_it_to_the_end(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        mixed = [*many(7), entry(5, 9, family=V6), entry(2**100, 2**101, family=V6)]
        await cache.bulk_upsert_entries_and_neg_entries(mixed, [nobody(1000, 2000)])
        await cache.bulk_upsert_entries_and_neg_entries([entry(5000, 5000, expires_at=NOW)], [])
        seen: list[GeoEntry] = []
        while page := await cache.page(seen[-1] if seen else None, 2, NOW):
            assert len(page) <= 2
            seen += page
        assert len(seen) == len(mixed)
        assert set(seen) == set(mixed)

    work(tmp_path, use)


def test_what_has_expired_is_forgotten_in_steps_the_oldest_first(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries([entry(at, at, expires_at=NOW - at) for at in range(25)], [])
        await cache.bulk_upsert_entries_and_neg_entries([], [nobody(90, 99)])
        assert await cache.prune(NOW, 10) == 10
        assert [one is None for one in await cache.find(V4, [24, 15, 14], 0.0)] == [True, True, False]
        assert [await cache.prune(NOW, 10) for _ in range(3)] == [10, 5, 0]
        assert await cache.find(V4, [95], NOW) == [nobody(90, 99)]

    work(tmp_path, use)


# All or nothing


@pytest.mark.parametrize("bad", [entry(9, 5), entry(5, 9, expires_at=float("nan"))], ids=["no range", "no time"])
def test_one_row_that_cannot_be_leaves_the_whole_call_unwritten(tmp_path: Path, bad: GeoEntry) -> None:
    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries([entry(0, 4, Origin("SE"))], [])
        with pytest.raises(LedgerError):
            await cache.bulk_upsert_entries_and_neg_entries([*many(50), bad], [nobody(10_000, 20_000)])
        assert await cache.find(V4, [0, 100, 15_000], NOW) == [entry(0, 4, Origin("SE")), None, None]
        await cache.bulk_upsert_entries_and_neg_entries([entry(7, 8)], [])

    work(tmp_path, use)
    assert len(rows(tmp_path)) == 2


class Haltable(Database):
    """A database whose next write waits, when all of it is written and nothing committed, until it is let go."""

    def __init__(self, path: Path | None, connection: aiosqlite.Connection) -> None:
        super().__init__(path, connection)
        self.written = threading.Event()
        self.go = threading.Event()

    async def write(self, work: Work[T]) -> T:
        async def halted(connection: aiosqlite.Connection) -> T:
            result = await work(connection)
            self.written.set()
            self.go.wait()
            return result

        return await super().write(halted)


def test_a_write_that_is_cancelled_in_the_middle_is_whole_or_absent(tmp_path: Path) -> None:
    async def use() -> None:
        database = await Haltable.on_file(tmp_path / "db")
        try:
            cache = GeoCacheTable(database)
            writing = asyncio.ensure_future(cache.bulk_upsert_entries_and_neg_entries(many(500), []))
            await asyncio.to_thread(database.written.wait)
            writing.cancel()
            assert not rows(tmp_path), "nothing is seen before it is committed"
            database.go.set()
            with suppress(asyncio.CancelledError):
                await writing
            assert len(rows(tmp_path)) in (0, 500)
            await cache.bulk_upsert_entries_and_neg_entries([], [nobody(9_999_999, 9_999_999)])
        finally:
            await database.close()

    asyncio.run(use())


CHILD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from adapters.storage.test_geo_cache import Haltable, GeoCacheTable, many, nobody
async def run():
    database = await Haltable.on_file(Path({path!r}))
    cache = GeoCacheTable(database)
    database.go.set()
    await cache.bulk_upsert_entries_and_neg_entries(many(300, number=1), [])
    database.go.clear()
    database.written.clear()
    writing = asyncio.ensure_future(cache.bulk_upsert_entries_and_neg_entries(many(600, number=2), [nobody(90_000, 99_000)]))
    await asyncio.to_thread(database.written.wait)
    print("in the middle", flush=True)
    await writing
asyncio.run(run())
"""


def test_a_process_that_is_killed_in_the_middle_of_a_write_leaves_what_was_before(tmp_path: Path) -> None:
    code = CHILD.format(tests=str(Path(__file__).parents[2]), path=str(tmp_path / "db"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in the middle\n"
        child.kill()
    assert {row[3] for row in rows(tmp_path)} == {1}
    assert len(rows(tmp_path)) == 300

    async def use(cache: GeoCacheTable) -> None:
        await cache.bulk_upsert_entries_and_neg_entries(many(600, number=3), [])

    work(tmp_path, use)
    assert {row[3] for row in rows(tmp_path)} == {3}


LOOP = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from adapters.storage.test_geo_cache import GeoCacheTable, many, open_database
async def run():
    async with open_database(Path({path!r})) as database:
        for number in range(1, 10_000):
            await GeoCacheTable(database).bulk_upsert_entries_and_neg_entries(many(400, number=number), [])
            print(number, flush=True)
asyncio.run(run())
"""


@pytest.mark.parametrize("turns", range(1, 6))
def test_a_process_that_is_killed_at_any_moment_leaves_whole_calls(tmp_path: Path, turns: int) -> None:
    code = LOOP.format(tests=str(Path(__file__).parents[2]), path=str(tmp_path / "db"))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(turns)]
        child.kill()
    numbers = {row[3] for row in rows(tmp_path)}
    assert len(numbers) == 1, "two calls are mixed"
    assert numbers.pop() >= told[-1], "what was acknowledged is lost"
    assert len(rows(tmp_path)) == 400


def test_two_writers_on_one_file_wait_for_each_other(tmp_path: Path) -> None:
    async def use() -> None:
        async with open_database(tmp_path / "db") as one, open_database(tmp_path / "db") as two:
            caches = [GeoCacheTable(one), GeoCacheTable(two)]
            await asyncio.gather(
                *(caches[turn % 2].bulk_upsert_entries_and_neg_entries(many(200, number=turn), []) for turn in range(1, 21))
            )
            own = [[entry(10_000 * (turn + 1), 10_000 * (turn + 1) + 5)] for turn in range(20)]
            await asyncio.gather(
                *(caches[turn % 2].bulk_upsert_entries_and_neg_entries(entries, []) for turn, entries in enumerate(own))
            )

    asyncio.run(use())
    found = rows(tmp_path)
    assert len(found) == 220
    assert len({row[3] for row in found[:200]}) == 1, "two calls are mixed"


def test_writes_wait_for_a_locked_file(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        other = sqlite3.connect(tmp_path / "db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO geo_cache (first, last, expires_at) VALUES (?, ?, 1)", (bytes(16), bytes(16)))
        writing = asyncio.ensure_future(cache.bulk_upsert_entries_and_neg_entries(many(3), []))
        # A question is answered meanwhile, with what was committed.
        assert await cache.find(V4, [0], NOW) == [None]
        assert not writing.done()
        other.execute("COMMIT")
        await writing
        other.close()

    work(tmp_path, use)
    assert len(rows(tmp_path)) == 4


def test_rows_never_overlap_in_the_file_itself(tmp_path: Path) -> None:
    async def use(cache: GeoCacheTable) -> None:
        for width in (1000, 7, 90, 1, 400):
            ends: Sequence[GeoEntry] = [entry(at, at + width, family=V6) for at in range(0, 5000, width + 3)]
            await cache.bulk_upsert_entries_and_neg_entries(ends, [])

    work(tmp_path, use)
    found = rows(tmp_path)
    assert all(left[1] < right[0] for left, right in itertools.pairwise(found))
