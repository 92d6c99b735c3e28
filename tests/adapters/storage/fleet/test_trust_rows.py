"""What was verified of fleets, on a real file."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.fleet.trust_rows import TrustTable
from banlistd.core.fleet.trust import FleetState, KnownTrust

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

    async def read() -> None:
        async with open_database(tmp_path / "db") as database:
            table = TrustTable(database)
            rows = {"timestamp.json": b"2", "root_history/1.root.json": b"r", "drop.json": b"d"}
            assert await table.load("main") == KnownTrust(rows, STATE)
            assert await table.state("main") == STATE
            assert await table.state("none") == FleetState()
            assert (await table.load("other")).rows.keys() == {"timestamp.json", "junk.json"}

    asyncio.run(write())
    asyncio.run(read())
