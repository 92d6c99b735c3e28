"""A hub whose clock is wrong: it withdraws no shared ban because of that."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.reports.stores import ReportTables
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.config.model import Source
from banlistd.core.config.service.reports import Reports
from banlistd.core.feeds.parsed_list import Download
from banlistd.core.fleet.reports.addresses import Exempt
from banlistd.core.fleet.reports.judging import Node, ReportMessage
from banlistd.errors import LedgerError
from banlistd.model import NotModified, SourceId, Validators
from banlistd.ports.reports import ReportStores
from banlistd.services.reports.clock_witness import LONGEST_JUMP, LONGEST_SILENCE, ClockWitness
from banlistd.services.reports.gathering import Gathering, GatheringPlace
from banlistd.services.reports.sighted import Sighted
from support.fakes import FakeAnnouncer, FakeClock
from support.reporters import FLEET, message_of, node, report, reported

LIST = Source(id=SourceId("reports"), reports=Reports(quorum=2))
EXEMPT = Exempt(reserved_ranges())
YEARS = 10 * 365 * 86_400.0


async def exempt() -> Exempt:
    return EXEMPT


async def no_body() -> None:
    pass


class Hub:
    """What hears nodes, and what lists their bans. Nodes have the right time, which is that of the fake clock."""

    def __init__(self, database: Database, path: Path, clock: FakeClock) -> None:
        self.clock, self.witness = clock, ClockWitness(clock)
        self.stores = ReportTables(database, path)
        place = GatheringPlace(FLEET, is_signed_by, exempt, lambda: None, lambda: 90_000.0, self.witness)
        self._gathering = Gathering(place, self.stores.nodes(), self.stores.sightings(), FakeAnnouncer(), clock)
        self._fetcher = Sighted(self.stores, exempt, clock, cast("Any", None), self.witness)
        self._seq = 0
        self.validators = Validators()

    async def hear(self, *names: str) -> None:
        """Both report the same ban."""
        self._seq += 1
        now = self.clock.time
        for name in names:
            ban = reported("203.0.113.7", now, None)
            made = report(now, ban, name=name, boot=int(now), seq=self._seq)
            self._gathering.hear(ReportMessage(name, message_of(made)))
        await self._gathering.turn()

    async def hear_late(self, at: float, *names: str, seq: int = 1) -> None:
        """Reports that were signed at this moment."""
        for name in names:
            made = report(at, reported("203.0.113.8", at, None), name=name, boot=int(at), seq=seq)
            self._gathering.hear(ReportMessage(name, message_of(made)))
        await self._gathering.turn()

    async def listed(self) -> int | None:
        """How many addresses; None: the list stays as it was."""
        found = await self._fetcher.fetch(LIST, self.validators, no_body)
        if isinstance(found, NotModified):
            return None
        assert isinstance(found, Download)
        self.validators = found.validators
        return found.parsed.entries

    @property
    def words(self) -> str:
        return " ".join(one.message for one in self.witness.remarks())


def run(disk: Path, story: Callable[[Hub, Callable[[], Hub]], Awaitable[None]]) -> None:
    """`story`: with a hub, and what makes the hub of the next start."""

    async def main() -> None:
        async with open_database(disk / "db") as database:
            clock = FakeClock()
            hub = Hub(database, disk / "db", clock)
            for name in ("node-1", "node-2", "node-3"):
                await hub.stores.nodes().admit(node(name, name))

            def restarted() -> Hub:
                after = Hub(database, disk / "db", clock)
                after.validators = hub.validators
                return after

            await hub.hear("node-1", "node-2")
            assert (await hub.listed(), hub.words) == (1, "")
            await story(hub, restarted)

    asyncio.run(main())


def test_a_clock_that_jumps_ahead_lets_no_ban_run_out_until_nodes_say_that_it_is_right(tmp_path: Path) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        hub.clock.ahead = YEARS
        assert await hub.listed() is None
        assert "the clock of this hub is 3,650 days ahead of what it was" in hub.words
        await hub.hear("node-1")
        assert await hub.listed() is None
        await hub.hear("node-2")
        assert await hub.listed() is None
        assert "2 nodes sign with times some 3,650 days behind the clock of this hub" in hub.words
        # Set back: what it was is known to be right.
        hub.clock.ahead = 0
        assert (await hub.listed(), hub.words) == (None, "")
        # The time itself has passed, and the ban is over.
        hub.clock.ahead = 3 * LONGEST_SILENCE
        assert await hub.listed() is None
        assert hub.words
        hub.clock.time, hub.clock.ahead = hub.clock.time + hub.clock.ahead, 0
        await hub.hear("node-3")
        assert (await hub.listed(), hub.words) == (0, "")

    run(tmp_path, story)


def test_a_start_long_after_the_newest_report_withdraws_nothing_until_one_comes(tmp_path: Path) -> None:
    async def story(hub: Hub, restarted: Callable[[], Hub]) -> None:
        hub.clock.time += LONGEST_SILENCE
        soon = restarted()
        assert (await soon.listed(), soon.words) == (None, "")
        hub.clock.time += YEARS
        late = restarted()
        assert await late.listed() is None
        assert "ahead of the newest report before the start" in late.words
        await late.hear("node-3")
        assert (await late.listed(), late.words) == (0, "")
        hub.clock.ahead = -YEARS
        behind = restarted()
        assert await behind.listed() is None
        assert "behind the newest report before the start" in behind.words

    run(tmp_path, story)


def test_who_has_the_broker_keeps_no_ban_in_force_by_reports_that_come_late(tmp_path: Path) -> None:
    async def story(hub: Hub, restarted: Callable[[], Hub]) -> None:
        begin = hub.clock.time
        hub.clock.time += 7200
        # They came before.
        again = restarted()
        await again.hear_late(begin, "node-1", "node-2")
        assert (await again.listed(), again.words) == (None, "")
        # They were kept back, on the way to a hub whose clock was proven to be right.
        await hub.hear_late(begin + 60, "node-1", "node-2", "node-3")
        assert (await hub.listed(), hub.words) == (None, "")
        hub.clock.time += 2 * LONGEST_SILENCE
        await hub.hear_late(begin + 120, "node-1", "node-2", "node-3")
        assert (await hub.listed(), hub.words) == (0, "")

    run(tmp_path, story)


def test_nodes_that_are_suspended_or_forgotten_say_nothing_against_the_clock(tmp_path: Path) -> None:
    async def story(hub: Hub, _: Callable[[], Hub]) -> None:
        await hub.stores.nodes().admit(node("node-4", "node-4"))
        await hub.hear_late(hub.clock.time + YEARS, "node-1", "node-3", "node-4")
        assert await hub.listed() is None
        assert "3 nodes sign with times" in hub.words
        await hub.stores.nodes().suspend("node-3", hub.clock.time)
        assert await hub.listed() is None
        assert "2 nodes sign with times" in hub.words
        await hub.stores.nodes().forget("node-4")
        await hub.stores.nodes().suspend("node-1", hub.clock.time)
        assert (await hub.listed(), hub.words) == (0, "")

    run(tmp_path, story)


def test_one_node_with_a_wrong_clock_makes_no_doubt_and_the_majority_decides() -> None:
    clock = FakeClock()
    witness = ClockWitness(clock)
    stores = stores_with()

    async def main() -> None:
        witness.hear("node-1", YEARS)
        assert await witness.doubt(stores) == ""
        witness.hear("node-2", YEARS)
        assert "ahead of the clock of this hub" in await witness.doubt(stores)
        for number in (3, 4):
            witness.hear(f"node-{number}", 0.0)
        assert await witness.doubt(stores) == ""
        witness.hear("node-3", YEARS)
        assert await witness.doubt(stores)
        # What was said of another time says nothing of this one.
        clock.ahead = LONGEST_JUMP + 1
        assert "1 h ahead of what it was" in await witness.doubt(stores)
        witness.hear("node-1", 0.0)
        assert await witness.doubt(stores) == ""

    asyncio.run(main())


def test_while_the_database_cannot_be_used_every_node_counts() -> None:
    async def main() -> None:
        witness = ClockWitness(FakeClock())
        for number in range(2):
            witness.hear(f"node-{number}", YEARS)
        assert "ahead of the clock of this hub" in await witness.doubt(stores_with(None))

    asyncio.run(main())


@pytest.mark.parametrize("nodes", [(), (replace(node(), reported_at=None),), None])
def test_a_hub_that_knows_of_no_report_believes_its_clock(nodes: Sequence[Node] | None) -> None:
    assert asyncio.run(ClockWitness(FakeClock()).doubt(stores_with(nodes))) == ""


def stores_with(nodes: Sequence[Node] | None = ()) -> ReportStores:
    """None: the database cannot be used."""

    class Register:
        async def every(self) -> Sequence[Node]:
            if nodes is None:
                raise LedgerError("broken")
            return nodes

        async def some(self, ids: Collection[str]) -> Sequence[Node]:
            if nodes is None:
                raise LedgerError("broken")
            return [node(one) for one in ids]

    class Stores:
        def nodes(self) -> Register:
            return Register()

    return cast("ReportStores", Stores())
