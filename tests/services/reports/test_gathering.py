"""What a hub does with messages of nodes: a flood of one delays no other, and each refusal is announced once in an hour."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.adapters.signatures.ed25519 import is_signed_by
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.reports.node_table import NodeTable
from banlistd.adapters.storage.reports.sighting_table import SightingTable
from banlistd.core.addresses.reserved import reserved_ranges
from banlistd.core.fleet.reports.addresses import Exempt
from banlistd.core.fleet.reports.judging import ReportMessage
from banlistd.core.fleet.reports.report import MOST_REPORT_OCTETS
from banlistd.errors import LedgerError, VerificationError
from banlistd.events import EventName
from banlistd.services.reports import gathering as gathering_module
from banlistd.services.reports.allowances import BURST
from banlistd.services.reports.clock_witness import ClockWitness
from banlistd.services.reports.early import KEPT_FOR, MOST_EARLY_OCTETS, OVERHEAD, EarlyReports
from banlistd.services.reports.gathering import (
    MOST_OCTETS_TO_JUDGE,
    MOST_TO_JUDGE,
    MOST_TRIES,
    Gathering,
    GatheringPlace,
)
from banlistd.services.reports.silence import SILENT_AFTER, Silence
from support.fakes import FakeAnnouncer, FakeClock
from support.reporters import FLEET, message_of, node, report, reported, signer

EXEMPT = Exempt(reserved_ranges())


async def nothing_more() -> Exempt:
    return EXEMPT


def test_a_flood_of_one_node_delays_no_other_and_is_announced_once(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer, changes = FakeClock(), FakeAnnouncer(), list[int]()
        async with open_database(tmp_path / "db") as database:
            nodes, log = NodeTable(database), SightingTable(database)
            place = GatheringPlace(
                FLEET, is_signed_by, nothing_more, lambda: changes.append(1), lambda: 3600.0, ClockWitness(clock)
            )
            gathering = Gathering(place, nodes, log, announcer, clock)
            await nodes.admit(node("node-1", "oslo"))
            await nodes.admit(node("node-2", "bergen"))
            for _ in range(1000):
                gathering.hear(ReportMessage("node-1", b"garbage"))
            now = clock.now()
            gathering.hear(ReportMessage("node-2", message_of(report(now, reported("203.0.113.7", now), name="node-2"))))
            await gathering.turn()
            assert (await log.counts(), changes) == ({"node-2": 1}, [1])
            reasons = [(event.fields["NODE"], event.fields["REASON"]) for event in announcer.events]
            assert reasons == [("node-1", "too_often"), ("node-1", "malformed")]
            clock.time += 3600
            gathering.hear(ReportMessage("node-1", b"garbage"))
            await gathering.turn()
            assert [event.fields["REASON"] for event in announcer.events[2:]] == ["malformed"]

    asyncio.run(life())


def test_a_thousand_nodes_that_report_at_one_moment_are_all_heard_and_large_reports_fill_no_memory(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()
        async with open_database(tmp_path / "db") as database:
            place = GatheringPlace(FLEET, is_signed_by, nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock))
            gathering = Gathering(place, NodeTable(database), SightingTable(database), announcer, clock)
            for number in range(1000):
                gathering.hear(ReportMessage(f"node-{number}", b"x" * 1024))
            assert gathering.waiting == 1000
            for number in range(2000):
                gathering.hear(ReportMessage(f"large-{number}", b"x" * MOST_REPORT_OCTETS))
            assert gathering.waiting * 1024 + (gathering.waiting - 1000) * (MOST_REPORT_OCTETS - 1024) <= MOST_OCTETS_TO_JUDGE
            before = gathering.waiting
            await gathering.turn()
            for number in range(2000):
                gathering.hear(ReportMessage(f"small-{number}", b"x"))
            assert before < gathering.waiting <= before + 2000

    asyncio.run(life())


def test_topics_without_number_fill_no_memory_and_no_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()
        async with open_database(tmp_path / "db") as database:
            place = GatheringPlace(FLEET, is_signed_by, nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock))
            gathering = Gathering(place, NodeTable(database), SightingTable(database), announcer, clock)
            monkeypatch.setattr(gathering_module, "MOST_TO_JUDGE", 512)
            for number in range(3 * 512):
                gathering.hear(ReportMessage(f"node-{number}", b"x"))
            turns = 0
            while gathering.waiting:
                await gathering.turn()
                turns += 1
            assert turns * 32 == 512
            assert len(announcer.events) == 10
            assert BURST < MOST_TO_JUDGE

    asyncio.run(life())


def test_reports_wait_while_the_database_cannot_be_used_and_one_that_cannot_be_stored_leaves_out_no_other(
    tmp_path: Path,
) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()
        async with open_database(tmp_path / "db") as database:
            nodes, log = NodeTable(database), SightingTable(database)
            gathering = Gathering(
                GatheringPlace(FLEET, is_signed_by, nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock)),
                nodes,
                log,
                announcer,
                clock,
            )
            names = [f"node-{number}" for number in (1, 2, 3)]

            def all_report(seq: int) -> None:
                for number, name in enumerate(names):
                    made = report(clock.now(), reported(f"203.0.113.{number}", clock.now()), name=name, seq=seq)
                    gathering.hear(ReportMessage(name, message_of(made)))

            for name in names:
                await nodes.admit(node(name, name))
            await database.run("CREATE TRIGGER full BEFORE INSERT ON sightings BEGIN SELECT RAISE(ABORT, 'full'); END")
            all_report(1)
            with pytest.raises(LedgerError):
                await gathering.turn()
            await database.run("DROP TRIGGER full")
            await gathering.turn()
            assert (await log.counts(), announcer.events) == (dict.fromkeys(names, 1), [])
            await database.run(
                "CREATE TRIGGER full BEFORE UPDATE ON nodes WHEN old.id = 'node-2' BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
            all_report(2)
            for _ in range(MOST_TRIES - 1):
                with pytest.raises(LedgerError):
                    await gathering.turn()
            await gathering.turn()
            assert [(event.fields["NODE"], event.fields["REASON"]) for event in announcer.events] == [("node-2", "not_stored")]
            assert {one.id: one.seq for one in await nodes.every()} == {"node-1": 2, "node-2": 1, "node-3": 2}
            assert gathering.waiting == 0

    asyncio.run(life())


def test_a_signature_that_cannot_be_checked_leaves_out_no_other_report(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()

        def is_signed(key: bytes, signature: bytes, octets: bytes) -> bool:
            if key == signer("node-1").public:
                raise VerificationError("no such curve")
            return is_signed_by(key, signature, octets)

        async with open_database(tmp_path / "db") as database:
            nodes, log = NodeTable(database), SightingTable(database)
            place = GatheringPlace(FLEET, is_signed, nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock))
            gathering = Gathering(place, nodes, log, announcer, clock)
            for name in ("node-1", "node-2"):
                await nodes.admit(node(name, name))
                made = report(clock.now(), reported("203.0.113.7", clock.now()), name=name)
                gathering.hear(ReportMessage(name, message_of(made)))
            await gathering.turn()
            assert await log.counts() == {"node-2": 1}
            assert [(event.fields["NODE"], event.fields["REASON"]) for event in announcer.events] == [("node-1", "not_checked")]

    asyncio.run(life())


def test_what_came_before_a_node_or_its_new_key_was_admitted_counts_once_it_is(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()
        async with open_database(tmp_path / "db") as database:
            nodes, log = NodeTable(database), SightingTable(database)
            place = GatheringPlace(FLEET, is_signed_by, nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock))
            gathering = Gathering(place, nodes, log, announcer, clock)
            await nodes.admit(replace(node("node-2", "bergen"), key=signer("before").public))
            await nodes.admit(node("node-3", "bodo"))
            for name, by in (("node-1", "node-1"), ("node-2", "node-2"), ("node-3", "thief"), ("node-4", "node-4")):
                made = report(clock.now(), reported("203.0.113.7", clock.now()), name=name)
                gathering.hear(ReportMessage(name, message_of(made, signer(by))))
            await gathering.turn()
            await gathering.take_early()
            assert (gathering.waiting, await log.counts()) == (0, {})
            for name in ("node-1", "node-2", "node-3"):
                await nodes.admit(node(name, name))
            await gathering.take_early()
            assert gathering.waiting == 2
            await gathering.turn()
            assert await log.counts() == {"node-1": 1, "node-2": 1}
            clock.time += KEPT_FOR
            await nodes.admit(node("node-4", "oslo"))
            await gathering.take_early()
            assert (gathering.waiting, len(announcer.events)) == (0, 4)

    asyncio.run(life())


def test_what_a_suspended_node_signs_with_its_new_key_counts_once_that_is_admitted(tmp_path: Path) -> None:
    async def life() -> None:
        clock = FakeClock()
        async with open_database(tmp_path / "db") as database:
            nodes, log = NodeTable(database), SightingTable(database)
            place = GatheringPlace(FLEET, is_signed_by, nothing_more, lambda: None, lambda: 3600.0, ClockWitness(clock))
            gathering = Gathering(place, nodes, log, FakeAnnouncer(), clock)
            for name, key in (("node-1", "stolen"), ("node-2", "node-2")):
                await nodes.admit(replace(node(name), key=signer(key).public))
                await nodes.suspend(name, clock.now())
                made = report(clock.now(), reported("203.0.113.7", clock.now()), name=name)
                gathering.hear(ReportMessage(name, message_of(made, signer(name))))
            await gathering.turn()
            for name in ("node-1", "node-2"):
                await nodes.admit(node(name))
            await gathering.take_early()
            assert gathering.waiting == 1
            await gathering.turn()
            # What the second one signed while it was suspended, with the key that it has still, counts for nothing.
            assert await log.counts() == {"node-1": 1}

    asyncio.run(life())


def test_early_reports_are_few_and_the_newest() -> None:
    early = EarlyReports()
    for number in range(100):
        early.keep(ReportMessage("node-1", b"%d" % number), None, 0.0)
    found = early.provable([node("node-1")], 1.0)
    assert [one.payload for one in found] == [b"96", b"97", b"98", b"99"]
    assert (early.nodes, early.provable([node("node-1")], 1.0)) == ([], [])
    for number in range(100):
        early.keep(ReportMessage(f"node-{number}", bytes(MOST_REPORT_OCTETS)), None, 0.0)
    most = MOST_EARLY_OCTETS // (MOST_REPORT_OCTETS + OVERHEAD)
    assert early.nodes == [f"node-{number}" for number in range(100 - most, 100)]


def test_a_node_is_silent_once_an_hour_has_passed_and_again_after_it_was_heard_until_none_is(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()

        def silent() -> list[str]:
            return [str(event.fields["NODE"]) for event in announcer.events if event.name is EventName.NODE_SILENT]

        async with open_database(tmp_path / "db") as database:
            nodes = NodeTable(database)
            for name in ("node-1", "node-2", "node-3"):
                await nodes.admit(node(name, "oslo"))
            await nodes.suspend("node-3", clock.now())
            silence = Silence(nodes, announcer, clock)
            clock.time += SILENT_AFTER - 1
            silence.hear("node-1")
            await silence.look()
            assert silent() == []
            clock.time += 1
            await silence.look()
            await silence.look()
            assert silent() == ["node-2"]
            silence.hear("node-2")
            await silence.look()
            clock.time += SILENT_AFTER
            await silence.look()
            assert silent() == ["node-2", "node-1", "node-2"]
            silence.hear("node-1")
            await silence.look()
            await nodes.forget("node-2")
            for _ in range(2):
                await silence.look()
            over = [event.name for event in announcer.events if event.name is EventName.NODE_SILENT_OVER]
            assert len(over) == 2

    asyncio.run(life())


def test_what_was_silent_before_a_restart_has_its_end_and_is_not_announced_again(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()

        def names() -> list[EventName]:
            return [event.name for event in announcer.events]

        async with open_database(tmp_path / "db") as database:
            nodes = NodeTable(database)
            for name in ("node-1", "node-2"):
                await nodes.admit(node(name, "oslo"))
            before = Silence(nodes, announcer, clock)
            clock.time += SILENT_AFTER
            noticed = clock.now()
            before.hear("node-2")
            await before.look()
            clock.time += 60
            after = Silence(nodes, announcer, clock)
            await after.look()
            assert {one.id: one.silent_since for one in await nodes.every()} == {"node-1": noticed, "node-2": None}
            clock.time += SILENT_AFTER
            after.hear("node-2")
            await after.look()
            assert names() == [EventName.NODE_SILENT]
            after.hear("node-1")
            await after.look()
            await after.look()
            assert names() == [EventName.NODE_SILENT, EventName.NODE_SILENT_OVER]
            assert [one.silent_since for one in await nodes.every()] == [None, None]

    asyncio.run(life())


def test_a_hub_that_listens_to_no_node_any_more_ends_the_notices_of_silent_ones(tmp_path: Path) -> None:
    async def life() -> None:
        clock, announcer = FakeClock(), FakeAnnouncer()
        async with open_database(tmp_path / "db") as database:
            nodes = NodeTable(database)
            await nodes.admit(node("node-1", "oslo"))
            silence = Silence(nodes, announcer, clock)
            await silence.leave()
            clock.time += SILENT_AFTER
            await silence.look()
            await silence.leave()
            await silence.leave()
            assert [event.name for event in announcer.events] == [EventName.NODE_SILENT, EventName.NODE_SILENT_OVER]

    asyncio.run(life())


def test_sightings_stay_while_a_reload_has_taken_the_list_that_is_made_of_them(tmp_path: Path) -> None:
    async def life() -> None:
        clock, kept = FakeClock(), [3600.0]
        async with open_database(tmp_path / "db") as database:
            nodes, log = NodeTable(database), SightingTable(database)
            place = GatheringPlace(FLEET, is_signed_by, nothing_more, lambda: None, lambda: kept[0], ClockWitness(clock))
            gathering = Gathering(place, nodes, log, FakeAnnouncer(), clock)
            await nodes.admit(node("node-1", "oslo"))
            now = clock.now()
            gathering.hear(ReportMessage("node-1", message_of(report(now, reported("203.0.113.7", now)))))
            await gathering.turn()
            for seconds, counts in ((0.0, {"node-1": 1}), (60.0, {})):
                kept[0] = seconds
                clock.time += 700
                gathering.hear(ReportMessage("node-1", b"garbage"))
                await gathering.turn()
                assert await log.counts() == counts

    asyncio.run(life())
