"""The ends of a list's entries are kept with the content that they are of."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.import_runs import ImportRuns
from banlistd.adapters.storage.list_ends import EndTable
from banlistd.core.addresses.sets import AddressSet
from banlistd.core.feeds.content import Ends, Pending
from banlistd.model import ContentHash, PolicyHash
from support.sources import ONE, TWO

A, B = ContentHash("a" * 64), ContentHash("b" * 64)


def test_the_last_ends_of_each_source_are_kept(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            table = EndTable(database)
            assert await table.ends(ONE) is None
            await table.keep(ONE, A, Ends(b"first", 10))
            await table.keep(ONE, B, Ends(b"second", 20))
            await table.keep(TWO, A, Ends(b"other", 30))
        async with open_database(tmp_path / "db") as database:
            table = EndTable(database)
            assert await table.ends(ONE) == (B, b"second")
            assert [await table.over(now) for now in (19.9, 20.0, 30.0)] == [set(), {ONE}, {ONE, TWO}]
            await table.keep(ONE, B, Ends())
            assert await table.ends(ONE) is None
            assert await table.over(1e9) == {TWO}

    asyncio.run(story())


def test_a_run_is_opened_with_the_ends_of_its_content(tmp_path: Path) -> None:
    snapshot = AddressSet.none().encode()

    def pending(content_hash: ContentHash, ends: Ends | None) -> Pending:
        return Pending(ONE, content_hash, PolicyHash("p"), entries=0, rejected=0, snapshot=snapshot, ends=ends)

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            table, ledger = EndTable(database), ImportRuns(database)
            await ledger.upsert_pending(pending(A, Ends(b"first", 10)), 1.0)
            assert await table.ends(ONE) == (A, b"first")
            await ledger.upsert_pending(pending(B, None), 2.0)
            assert await table.ends(ONE) == (A, b"first")
            await ledger.upsert_pending(pending(B, Ends()), 3.0)
            assert await table.ends(ONE) is None

    asyncio.run(story())
