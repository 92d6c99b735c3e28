"""The tables of nodes and of what they have reported, on a real file."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.reports.node_table import NodeTable
from banlistd.adapters.storage.reports.sighting_table import MOST_SIGHTINGS, SightingTable
from banlistd.core.fleet.reports.addresses import address_text, reported_address
from banlistd.core.fleet.reports.judging import SortedOut
from banlistd.core.fleet.reports.quorum import QuorumRule
from banlistd.core.fleet.reports.report import LiftedBan, NodeReport, ReportedBan
from banlistd.core.fleet.reports.sightings import MOST_SPELLS
from banlistd.errors import RefusedError
from banlistd.ports.reports import Taken
from support.reporters import lifted, node, report, reported

NOW = 1_800_000_000
RULE = QuorumRule(quorum=2, window=3600, lasting=86_400, most=100)
SITES = {"node-1": "oslo", "node-2": "bergen", "node-3": "oslo"}

Life = Callable[[NodeTable, SightingTable], Awaitable[None]]


def run(disk: Path, life: Life, *, on_file: bool = True, most: int = MOST_SIGHTINGS) -> None:
    async def live() -> None:
        async with open_database(disk / "db") as database:
            nodes = NodeTable(database)
            for name, site in SITES.items():
                await nodes.admit(replace(node(name, site), admitted_at=NOW))
            await life(nodes, SightingTable(database, disk / "db" if on_file else None, most))

    asyncio.run(live())


def said(*entries: ReportedBan | LiftedBan, name: str = "node-1", seq: int = 1, at: int = NOW) -> SortedOut:
    made: NodeReport = report(at, *entries, name=name, seq=seq)
    return SortedOut(made, node(name).key, made.bans)


async def agreed(table: SightingTable, now: float = NOW + 60) -> list[str]:
    return sorted(map(address_text, await table.agreed(RULE, now)))


@pytest.mark.parametrize("on_file", [True, False])
def test_what_two_sites_report_is_listed_until_one_takes_it_back(tmp_path: Path, *, on_file: bool) -> None:
    async def life(_: NodeTable, table: SightingTable) -> None:
        bans = [reported("203.0.113.7", NOW), reported("203.0.113.8", NOW), reported("2001:db8::7", NOW)]
        assert await table.take([said(*bans)], NOW) == [Taken(3, 0, 0)]
        assert await agreed(table) == []
        await table.take([said(*bans[:1], name="node-3")], NOW)
        assert await agreed(table) == []
        await table.take([said(bans[0], reported("2001:db8::99", NOW), name="node-2")], NOW)
        assert await agreed(table) == ["2001:db8::/64", "203.0.113.7"]
        assert [(one.node, one.site) for one in await table.of(reported_address("203.0.113.7"))] == [*SITES.items()]
        assert await table.counts() == {"node-1": 3, "node-2": 2, "node-3": 1}
        assert await table.take([said(lifted("203.0.113.7"), name="node-2", seq=2)], NOW) == [Taken(0, 1, 0)]
        assert await agreed(table) == ["2001:db8::/64"]
        assert await agreed(table, NOW + RULE.kept) == []

    run(tmp_path, life, on_file=on_file)


def test_a_report_that_is_not_newer_or_of_a_suspended_node_changes_nothing(tmp_path: Path) -> None:
    async def life(nodes: NodeTable, table: SightingTable) -> None:
        ban = reported("203.0.113.7", NOW)
        assert await table.take([said(ban, seq=5), said(ban, seq=5), said(ban, seq=4)], NOW) == [Taken(1, 0, 0), None, None]
        (known,) = await nodes.some(["node-1", "node-9"])
        assert (known.place, known.reported_at, known.quota.left(NOW)) == ((1, 5), NOW, 499)
        assert await nodes.suspend("node-1", NOW)
        assert not await nodes.suspend("node-9", NOW)
        assert await table.of(reported_address("203.0.113.7")) == []
        assert await table.take([said(ban, seq=6), said(ban, name="node-9")], NOW) == [None, None]
        await nodes.admit(node("node-1", "oslo"))
        assert await table.take([said(ban, seq=5), said(ban, seq=6)], NOW) == [None, Taken(1, 0, 0)]
        assert await nodes.forget("node-1")
        assert await table.counts() == {}

    run(tmp_path, life)


def test_a_node_admitted_anew_with_another_key_is_another_node(tmp_path: Path) -> None:
    async def life(nodes: NodeTable, table: SightingTable) -> None:
        await table.take([said(reported("203.0.113.7", NOW), seq=9)], NOW)
        await nodes.admit(replace(node("node-1", "oslo"), key=b"k" * 32))
        assert await table.counts() == {}
        assert [one.place for one in await nodes.some(["node-1"])] == [(0, 0)]
        # Judged before that, and written down after it.
        assert await table.take([said(reported("203.0.113.7", NOW), seq=10)], NOW) == [None]
        assert [one.place for one in await nodes.some(["node-1"])] == [(0, 0)]
        with pytest.raises(RefusedError, match="another node has this key"):
            await nodes.admit(replace(node("node-4", "paris"), key=b"k" * 32))

    run(tmp_path, life)


def test_a_canary_that_is_admitted_again_stays_one_until_it_is_said_to_be_none(tmp_path: Path) -> None:
    async def life(nodes: NodeTable, _: SightingTable) -> None:
        async def admitted(key: bytes, site: str, is_canary: bool | None = None) -> bool:
            await nodes.admit(replace(node("node-1", site), key=key * 32), is_canary)
            (one,) = await nodes.some(["node-1"])
            assert (one.key, one.site) == (key * 32, site)
            return one.is_canary

        assert [one.is_canary for one in await nodes.every()] == [False] * 3
        assert await admitted(b"k", "oslo", is_canary=True)
        assert await admitted(b"k", "paris")
        assert await admitted(b"l", "paris")
        assert not await admitted(b"l", "paris", is_canary=False)
        assert not await admitted(b"m", "paris")
        await admitted(b"m", "paris", is_canary=True)
        await nodes.forget("node-1")
        assert not await admitted(b"m", "paris")

    run(tmp_path, life)


def test_own_addresses_are_those_of_all_nodes(tmp_path: Path) -> None:
    async def life(nodes: NodeTable, _: SightingTable) -> None:
        await nodes.admit(node("node-1", "oslo", "203.0.113.1", "2001:db8::1"))
        await nodes.admit(node("node-2", "bergen", "203.0.113.2"))
        assert await nodes.own_addresses() == {reported_address(text) for text in ("203.0.113.1", "2001:db8::2", "203.0.113.2")}

    run(tmp_path, life)


def test_reports_beyond_the_quota_are_left_out_and_counted(tmp_path: Path) -> None:
    async def life(_: NodeTable, table: SightingTable) -> None:
        bans = [reported(f"203.0.{high}.{low}", NOW) for high in (112, 113, 114) for low in range(200)]
        assert await table.take([said(*bans[:400], seq=1), said(*bans[200:], seq=2)], NOW) == [
            Taken(400, 0, 0),
            Taken(100, 0, 100),
        ]
        assert await table.take([said(*bans[500:501], seq=3)], NOW + 3600) == [Taken(0, 0, 1)]
        assert await table.take([said(*bans[500:501], seq=4)], NOW + 3700) == [Taken(1, 0, 0)]

    run(tmp_path, life)


def test_reports_that_follow_each_other_are_one_sighting(tmp_path: Path) -> None:
    async def life(_: NodeTable, table: SightingTable) -> None:
        for seq, later in enumerate((0, 600, 1201, 300, 900), 1):
            await table.take([said(reported("203.0.113.7", NOW + later), seq=seq)], NOW)
        found = await table.of(reported_address("203.0.113.7"))
        assert [(one.first_at - NOW, one.last_at - NOW) for one in found] == [(0, 1201)]
        await table.prune(NOW + 1202, 0)
        assert await table.of(reported_address("203.0.113.7")) == []

    run(tmp_path, life)


def test_what_was_reported_while_the_clock_was_years_ahead_ends_as_if_it_were_reported_now(tmp_path: Path) -> None:
    async def life(_: NodeTable, table: SightingTable) -> None:
        later = NOW + 10 * 365 * 86_400
        for name in ("node-1", "node-2"):
            bans = [reported("203.0.113.7", at) for at in (NOW - 2000, later, later + 5000)]
            await table.take([said(one, name=name, seq=seq) for seq, one in enumerate(bans, 1)], later)
            await table.take([said(reported("203.0.113.8", NOW + 3000), name=name, seq=9)], later)
        await table.prune(NOW, 86_400)
        found = await table.of(reported_address("203.0.113.7"))
        assert [(one.first_at - NOW, one.last_at - NOW) for one in found] == [(-2000, -2000), (0, 0)] * 2
        assert [one.last_at - NOW for one in await table.of(reported_address("203.0.113.8"))] == [3000, 3000]
        assert await agreed(table, NOW + 60) == ["203.0.113.7", "203.0.113.8"]
        assert await agreed(table, NOW + RULE.kept) == ["203.0.113.8"]

    run(tmp_path, life)


def test_another_moment_of_a_known_address_counts_against_the_quota_and_the_address_has_few_rows(tmp_path: Path) -> None:
    async def life(_: NodeTable, table: SightingTable) -> None:
        bans = [[reported(f"203.0.113.{low}", NOW - 700 * back) for low in range(50)] for back in range(12)]
        taken = await table.take([said(*some, seq=seq) for seq, some in enumerate(bans, 1)], NOW)
        assert taken == [Taken(50, 0, 0)] * 10 + [Taken(0, 0, 50)] * 2
        assert len(await table.of(reported_address("203.0.113.7"))) == MOST_SPELLS

    run(tmp_path, life)


def test_beyond_the_bound_a_node_with_many_sightings_loses_its_oldest_and_others_keep_theirs(tmp_path: Path) -> None:
    async def life(_: NodeTable, table: SightingTable) -> None:
        await table.take([said(*(reported(f"203.0.113.{low}", NOW + low) for low in range(100)))], NOW)
        await table.take([said(*(reported(f"203.0.112.{low}", NOW - 5000) for low in range(5)), name="node-2")], NOW)
        await table.prune(NOW, 6000)
        assert await table.counts() == {"node-1": 15, "node-2": 5}
        assert await table.of(reported_address("203.0.113.84")) == []
        assert len(await table.of(reported_address("203.0.113.85"))) == 1

    run(tmp_path, life, most=20)
