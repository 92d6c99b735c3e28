"""What was verified of fleets, on a real file."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.fleet.trust_rows import TrustTable
from banlistd.core.fleet.trust import FleetState, KnownTrust
from banlistd.errors import LedgerError

STATE = FleetState(12.5, 3, "ab" * 32, 7, 99.0, "https://a.example")


def test_what_was_verified_is_known_to_the_next_process_without_roles_that_no_list_has(tmp_path: Path) -> None:
    async def write() -> None:
        async with open_database(tmp_path / "db") as database:
            table = TrustTable(database)
            assert await table.load("main") == KnownTrust()
            rows = {"timestamp.json": b"1", "root_history/1.root.json": b"r", "drop.json": b"d", "junk.json": b"j"}
            await table.keep("main", rows, ["drop", "junk"], FleetState())
            await table.keep("main", {"timestamp.json": b"2"}, ["drop"], STATE)
            await table.keep("other", {"timestamp.json": b"o", "junk.json": b"o"}, ["junk"], FleetState())
            await is_known(table)

    async def read() -> None:
        async with open_database(tmp_path / "db") as database:
            await is_known(TrustTable(database))

    async def is_known(table: TrustTable) -> None:
        rows = {"timestamp.json": b"2", "root_history/1.root.json": b"r", "drop.json": b"d"}
        assert await table.load("main") == KnownTrust(rows, STATE)
        assert await table.state("main") == STATE
        assert await table.state("none") == FleetState()
        assert (await table.load("other")).rows.keys() == {"timestamp.json", "junk.json"}

    asyncio.run(write())
    asyncio.run(read())


class Counting(Database):
    """With how often it was read, and a disk that may be full."""

    reads = 0
    is_full = False

    async def read(self, work: Any) -> Any:
        self.reads += 1
        return await super().read(work)

    async def write(self, work: Any) -> Any:
        if self.is_full:
            raise LedgerError("disk full")
        return await super().write(work)


async def counted_loads(folder: Path, rows: dict[str, bytes], *, is_full: bool = False) -> tuple[int, bytes]:
    """How often five loads read, after a write each; and the timestamp of the last one."""
    async with open_database(folder / "db") as database:
        database.__class__ = Counting
        assert isinstance(database, Counting)
        table = TrustTable(database)
        await table.keep("main", rows, ["drop"], STATE)
        for number in range(5):
            timestamp = (await table.load("main")).rows["timestamp.json"]
            database.is_full = is_full
            with suppress(LedgerError):
                await table.keep("main", {"timestamp.json": b"%d" % number}, ["drop"], STATE)
        return database.reads, timestamp


def test_pull_after_pull_reads_what_was_verified_once(tmp_path: Path) -> None:
    assert asyncio.run(counted_loads(tmp_path, {"timestamp.json": b"x"})) == (1, b"3")


def test_metadata_that_is_long_is_not_kept_in_memory(tmp_path: Path) -> None:
    rows = {"timestamp.json": b"x", "snapshot.json": bytes(300_000)}
    assert asyncio.run(counted_loads(tmp_path, rows)) == (5, b"3")


def test_what_a_full_disk_did_not_take_is_not_believed_to_be_there(tmp_path: Path) -> None:
    assert asyncio.run(counted_loads(tmp_path, {"timestamp.json": b"x"}, is_full=True)) == (5, b"x")
