"""The list that a hub makes of what nodes report: what is left out of it at this moment."""

import asyncio
from pathlib import Path
from typing import Any, cast

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.reports.stores import ReportTables
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.config.model import Source
from banlistd.core.config.service.reports import Reports
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.fleet.reports.addresses import Exempt
from banlistd.core.fleet.reports.judging import SortedOut
from banlistd.model import SourceId, Validators
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.reports.sighted import Sighted
from support.fakes import FakeClock
from support.reporters import node, report, reported


async def exempt() -> Exempt:
    return Exempt(reserved_ranges())


async def no_body() -> None:
    pass


def test_an_address_that_is_found_to_be_a_nodes_own_is_listed_no_more(tmp_path: Path) -> None:
    async def life() -> None:
        clock = FakeClock()
        async with open_database(tmp_path / "db") as database:
            stores = ReportTables(database, tmp_path / "db")
            source = Source(id=SourceId("reports"), reports=Reports(quorum=2))
            fetcher = Sighted(stores, exempt, clock, cast("Any", None), ClockWitness(clock))

            async def listed() -> int:
                found = await fetcher.fetch(source, Validators(), no_body)
                assert isinstance(found, Download)
                return found.parsed.entries

            now = clock.now()
            for name in ("node-1", "node-2"):
                await stores.nodes().admit(node(name, name))
                made = report(now, *(reported(f"203.0.{net}.7", now) for net in (112, 114)), name=name)
                await stores.sightings().take([SortedOut(made, node(name).key, made.bans)], now)
            assert await listed() == 2
            await stores.nodes().admit(node("node-3", "node-3", "203.0.112.7"))
            assert await listed() == 1

    asyncio.run(life())
