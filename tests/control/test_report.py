"""What real sources are worth, asked of a daemon."""

import asyncio
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from banlistd.adapters.storage.value.shadows import ShadowTable
from banlistd.core.addresses.sets import Addresses, AddressSet, from_numbers
from banlistd.core.feeds.content import Content
from banlistd.core.feeds.value.candidates import Met
from banlistd.core.ruleset.evidence.packets import Flow, SampledPacket
from banlistd.errors import FetchError, NoSuchSourceError, UsageError
from banlistd.model import Action, Counter, Direction, Family, Mark, SourceId
from banlistd.services.null_objects import NoConnections
from banlistd.services.value.reporting import ValueReports
from banlistd.services.value.shadows import Shadows
from support.data import real_list
from support.fakes import FakeFetcher, FakeFirewall, FakeHost
from support.geography import DOCUMENTATION, write_mmdb
from support.sources import ONE, THREE, TWO, allow, config_of, source
from worlds import DaemonWorld, Environment, run

LISTS: dict[SourceId, bytes | FetchError] = {
    ONE: b"192.0.2.1\n192.0.2.2\n198.51.100.0/24\n",
    TWO: b"192.0.2.2\n198.51.100.7\n203.0.113.9\n",
}


async def rows_of(world: DaemonWorld, **fields: Any) -> dict[str, Any]:
    return {row["id"]: row for row in (await world.ask("report", **fields))["lists"]}


def test_each_list_is_compared_with_every_other_whatever_its_action(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        rows = await rows_of(world)
        expected = {
            "entries": 3,
            "unique": 1,
            "addresses": 258,
            "unique_addresses": 256,
            "overlap": {"two": 2},
            "action": "drop",
        }
        assert {key: rows["one"][key] for key in expected} == expected
        assert (rows["two"]["unique"], rows["two"]["overlap"], rows["two"]["action"]) == (1, {"one": 2}, "count")
        assert list(await rows_of(world, ids="two")) == ["two"]

    config = config_of(source(ONE), source(TWO, action=Action.COUNT))
    run(Environment(tmp_path, fetcher=FakeFetcher({**LISTS})), config, life)


def test_a_source_that_is_made_of_others_and_manual_bans_make_nothing_less_unique(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        await world.poll(THREE)
        await world.ask("ban", address="203.0.113.9")
        rows = await rows_of(world)
        assert {name: row["unique"] for name, row in rows.items()} == {"one": 1, "two": 1}
        with pytest.raises(UsageError, match="three is not compared"):
            await world.ask("report", ids="three")

    config = config_of(source(ONE), source(TWO), source(THREE, merge=(ONE, TWO)))
    run(Environment(tmp_path, fetcher=FakeFetcher({**LISTS})), config, life)


def test_entries_that_met_an_allowed_or_protected_address_are_candidates(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        await world.ask("allow", address="198.51.100.7", comment="a customer")
        row = (await rows_of(world))["one"]
        assert row["candidates"] == 3
        assert [(one["entry"], one["met"], one["address"]) for one in row["met"]] == [
            ("192.0.2.1", "allowed", "192.0.2.1"),
            ("192.0.2.2", "protected", "192.0.2.2"),
            ("198.51.100.0/24", "allowed", "198.51.100.7"),
        ]

    environment = Environment(tmp_path, fetcher=FakeFetcher({**LISTS}), host=FakeHost("192.0.2.2"))
    run(environment, config_of(source(ONE), source(TWO), allow=(allow("192.0.2.1"),)), life)


def test_an_entry_that_a_host_here_connects_to_is_a_candidate(tmp_path: Path) -> None:
    class Talking(NoConnections):
        async def answering(self) -> Mapping[Family, Addresses]:
            return {Family.IPV4: from_numbers(Family.IPV4, [int(ip_address("198.51.100.9")), int(ip_address("8.8.8.8"))])}

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        shadows = await Shadows.opened(ShadowTable(world.database), world.announcer, world.clock)
        reports = ValueReports(world.enforcer, shadows, world.parts.history, Talking(), world.parts.evidence)
        one, two = (await reports.report(world.service.config, set(), world.clock.now())).lists
        assert (one.candidates.entries, two.candidates.entries) == (1, 0)
        (suspect,) = one.candidates.shown
        assert (suspect.entry, suspect.met, suspect.address) == ("198.51.100.0/24", Met.CONNECTED, "198.51.100.9")

    run(Environment(tmp_path, fetcher=FakeFetcher({**LISTS})), config_of(source(ONE), source(TWO)), life)


def test_packets_are_counted_for_each_thousand_entries(tmp_path: Path) -> None:
    class Counting(FakeFirewall):
        async def counters(self) -> Mapping[Mark, Counter]:
            return {marker.mark: Counter(6, 360) for marker in await self.markers() if marker.source_id == ONE}

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        rows = await rows_of(world)
        assert [(rows[name]["packets"], rows[name]["hits_per_1000"]) for name in ("one", "two")] == [(6, 2000.0), (None, None)]

    run(Environment(tmp_path, Counting(), fetcher=FakeFetcher({**LISTS})), config_of(source(ONE), source(TWO)), life)


def test_the_versions_say_which_list_had_an_address_first_and_for_how_long(tmp_path: Path) -> None:
    environment = Environment(tmp_path)

    async def life(world: DaemonWorld) -> None:
        bodies = environment.fetcher.bodies
        steps = (
            (b"192.0.2.1\n", b"192.0.2.2\n"),
            (b"192.0.2.1\n203.0.113.7\n", b"192.0.2.2\n"),
            (b"192.0.2.1\n203.0.113.7\n", b"192.0.2.2\n203.0.113.7\n"),
            (b"192.0.2.1\n", b"192.0.2.2\n203.0.113.7\n"),
        )
        for bodies[ONE], bodies[TWO] in steps:
            await world.poll(ONE)
            await world.poll(TWO)
            world.clock.time += 2 * 86_400.0
        assert (await rows_of(world))["one"]["past"] is None
        rows = await rows_of(world, past="true")
        past = {
            name: {key: row["past"][key] for key in ("first", "days_ahead", "left", "days_listed")}
            for name, row in rows.items()
        }
        assert past == {
            "one": {"first": 1, "days_ahead": 2.0, "left": 1, "days_listed": 4.0},
            "two": {"first": 0, "days_ahead": None, "left": 0, "days_listed": None},
        }

    run(environment, config_of(source(ONE), source(TWO)), life)


MOST_OF_A_REPORT = 0.6


def test_status_answers_while_a_report_of_two_million_addresses_is_made(tmp_path: Path) -> None:
    names = [SourceId(f"list-{n}") for n in range(40)]
    chance = np.random.default_rng(5)
    drawn = {name: np.unique(chance.integers(1 << 24, 1 << 30, 50_000, dtype=np.uint32)) for name in names}
    contents = {name: AddressSet.of(hosts) for name, hosts in drawn.items()}

    async def life(world: DaemonWorld) -> None:
        await world.enforcer.enforce_all([Content(name, one.content_hash(), one) for name, one in contents.items()])
        clock = asyncio.get_running_loop().time
        shares = []
        for _ in range(3):
            began = clock()
            report = asyncio.ensure_future(world.ask("report"))
            waits: list[float] = []
            while not report.done():
                asked = clock()
                await world.ask("status")
                waits.append(clock() - asked)
            shares.append(max(waits) / (clock() - began))
            assert len((await report)["lists"]) == 40
            if shares[-1] < MOST_OF_A_REPORT:  # a busy machine may let one wait for another program
                break
        # A report on the event loop would let one status wait for all of it.
        assert min(shares) < MOST_OF_A_REPORT

    run(Environment(tmp_path), config_of(*(source(name, action=Action.NONE) for name in names)), life)


def test_since_a_moment_the_report_has_entries_and_hits_over_time_and_where_bans_belong(tmp_path: Path) -> None:
    database = write_mmdb(tmp_path / "geo.mmdb", DOCUMENTATION)
    environment = Environment(tmp_path, fetcher=FakeFetcher({**LISTS}), geo_databases=(database,))
    # A new list must not be shorter than its guards allow.
    longer: dict[SourceId, bytes | FetchError] = {ONE: b"192.0.2.1\n192.0.2.2\n192.0.2.3\n198.51.100.0/24\n", TWO: LISTS[TWO]}

    async def life(world: DaemonWorld) -> None:
        began = world.clock.now()
        world.clock.time += 60.0
        await world.service.refresh([])
        await world.poll(THREE)
        world.clock.time += 3_540.0
        environment.fetcher.bodies.update(longer)
        await world.poll(ONE)
        await world.poll(THREE)
        flow = Flow(Family.IPV4, int(ip_address("198.51.100.7")), int(ip_address("10.0.0.1")), 6, 40_000, 22)
        environment.packets.arrive(SampledPacket(ONE, Direction.IN, flow))
        await world.parts.evidence.hits.listen()
        assert "over_time" not in await world.ask("report")
        answer = await world.ask("report", since=f"@{began}")
        found = answer["over_time"]
        assert (found["since"], found["until"], found["slot"]) == (began, world.clock.now(), 60.0)
        one, two = found["lists"]
        assert (one["entries"], two["entries"]) == ([None, *[3] * 58, 4], [None, *[3] * 59])
        assert found["entries"] == [0, *[6] * 58, 7], "a combination has the entries of its parts"
        assert (one["hits"], one["connections"], one["samples"]) == ([0] * 59 + [1], 1, 1)
        assert found["hits"] == one["hits"]
        countries = {row["key"]: row["bans"] for row in answer["countries"]["rows"]}
        assert countries == {"NO": 3, "SE": 1, "DK": 1}
        assert answer["networks"]["rows"][0]["name"] == "Example Network One"
        (alone,) = (await world.ask("report", since=f"@{began}", ids="two"))["over_time"]["lists"]
        assert alone == two
        with pytest.raises(UsageError, match="since='yesterday' is no moment"):
            await world.ask("report", since="yesterday")

    run(environment, config_of(source(ONE), source(TWO), source(THREE, merge=(ONE, TWO))), life)


def test_without_a_database_the_report_says_that_no_country_is_known(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await world.ask("report", since="@0")
        assert answer["countries"] == {
            "bans": 4,
            "total": 0,
            "rows": [],
            "unknown": "no database on this machine knows countries",
        }

    run(Environment(tmp_path, fetcher=FakeFetcher({**LISTS})), config_of(source(ONE), source(TWO)), life)


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        assert await world.ask("report") == {"lists": [], "left_out": []}
        with pytest.raises(UsageError, match="one is not compared"):
            await world.ask("report", ids="one")
        with pytest.raises(NoSuchSourceError):
            await world.ask("report", ids="none")
        with pytest.raises(UsageError, match="too many lists are named"):
            await world.ask("report", ids=",".join(f"a{n}" for n in range(64)))

    run(Environment(tmp_path), config_of(source(ONE)), life)


def test_of_more_lists_than_can_be_compared_the_named_and_the_largest_are(tmp_path: Path) -> None:
    names = [SourceId(f"list-{n}") for n in range(65)]
    bodies: dict[SourceId, bytes | FetchError] = {
        name: f"192.0.2.1\n198.51.100.{n}\n203.0.113.{n}\n".encode() for n, name in enumerate(names[1:])
    }
    bodies[names[0]] = b"192.0.2.1\n"

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        answer = await world.ask("report")
        assert "list-0" in answer["left_out"]
        assert len(answer["lists"]) == 63
        (row,) = (await world.ask("report", ids="list-0"))["lists"]
        assert (row["entries"], row["unique"], set(row["overlap"].values()), len(row["overlap"])) == (1, 0, {1}, 62)

    run(Environment(tmp_path, fetcher=FakeFetcher(bodies)), config_of(*(source(name) for name in names)), life)


def test_real_lists_overlap_as_counting_their_lines_says(tmp_path: Path) -> None:
    green, emerging = (real_list(f"feeds/{name}") for name in ("greensnow.txt", "emergingthreats.txt"))
    lines = [set(path.read_text(encoding="ascii").split()) for path in (green, emerging)]
    bodies: dict[SourceId, bytes | FetchError] = {ONE: green.read_bytes(), TWO: emerging.read_bytes()}

    async def life(world: DaemonWorld) -> None:
        await world.service.refresh([])
        rows = await rows_of(world)
        assert [rows[name]["entries"] for name in ("one", "two")] == [len(one) for one in lines]
        assert rows["one"]["overlap"] == {"two": len(lines[0] & lines[1])}
        assert rows["two"]["unique"] == len(lines[1] - lines[0])

    run(Environment(tmp_path, fetcher=FakeFetcher(bodies)), config_of(source(ONE), source(TWO)), life)
