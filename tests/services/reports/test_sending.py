"""When a node tells its hub again what is in force."""

import asyncio
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.reports.outbox_table import OutboxNotes, OutboxTable
from banlistd.core.fleet.reports.report import read_report
from banlistd.core.manual.manual_bans import read_ban
from banlistd.core.mqtt.topics import NodeTopics
from banlistd.errors import BusError
from banlistd.ports.mqtt import BusMessage
from banlistd.services.reports.sending import (
    OUTBOX_EVERY,
    REPEAT_EVERY,
    REPEAT_REST,
    REPEAT_SPREAD,
    Reporter,
    ReportSending,
)
from support.fakes import FakeClock
from support.reporters import FLEET, reported

TOPICS = NodeTopics("node-1", FLEET)


def test_what_is_in_force_is_sent_again_at_once_to_a_new_hub_soon_after_each_connection_and_each_hour(tmp_path: Path) -> None:
    async def life() -> None:
        clock, sent = FakeClock(), list[bytes]()

        async def deliver(message: BusMessage) -> bool:
            sent.append(message.payload)
            return True

        def new(name: str) -> ReportSending:
            reporter = Reporter(name, FLEET, ["fail2ban/*"], lambda payload: payload, lambda most: most / 2)
            return ReportSending(reporter, OutboxTable(database), clock, asyncio.sleep)

        async def turn_after(seconds: float) -> int:
            """How many reports are sent."""
            clock.time += seconds
            before = len(sent)
            await sending.turn(deliver, TOPICS)
            return len(sent) - before

        async with open_database(tmp_path / "db") as database:
            sending = new("main key-1")
            ban = read_ban({"address": "203.0.113.7", "origin": "fail2ban/sshd", "for": "1d"}).at(clock.now())
            await ManualBanTable(database).change([ban], [])
            await sending.begin()
            assert [await turn_after(seconds) for seconds in (0, 10)] == [1, 0]
            assert read_report(sent[0]).bans == (reported("203.0.113.7", ban.created_at, 86_400),)
            # The daemon starts again.
            sending = new("main key-1")
            await sending.begin()
            assert [await turn_after(seconds) for seconds in (REPEAT_SPREAD / 2 - 1, 1, 10)] == [0, 1, 0]
            assert [await turn_after(seconds) for seconds in (REPEAT_EVERY + REPEAT_SPREAD / 2 - 11, 1, 10)] == [0, 1, 0]
            await sending.begin()
            assert [await turn_after(seconds) for seconds in (REPEAT_REST - 11, 1)] == [0, 1]
            # It starts with another key.
            sending = new("main key-2")
            await sending.begin()
            assert await turn_after(0) == 1

    asyncio.run(life())


def test_reports_of_a_node_whose_clock_was_behind_at_its_start_count_once_it_is_set(tmp_path: Path) -> None:
    """On a machine without a clock that runs on, and without a disk that it may write."""

    async def life() -> list[tuple[int, int]]:
        clock, places = FakeClock(), list[tuple[int, int]]()

        async def deliver(message: BusMessage) -> bool:
            places.append(read_report(message.payload).place)
            return True

        async with open_database(tmp_path / "db") as database:
            reporter = Reporter("main key-1", FLEET, ["fail2ban/*"], lambda payload: payload, lambda _: 1e9)
            sending = ReportSending(reporter, OutboxTable(database), clock, asyncio.sleep)
            noted = ManualBanTable(database, OutboxNotes(reporter.origins, clock.now).note)
            for number, ahead in enumerate((0.0, 5.0, 86_400.0, 86_400.0), 7):
                clock.ahead = ahead
                ban = read_ban({"address": f"203.0.113.{number}", "origin": "fail2ban/sshd", "for": "1d"}).at(clock.now())
                await noted.change([ban], [])
                await sending.turn(deliver, TOPICS)
        return places

    begin = int(FakeClock().now())
    assert asyncio.run(life()) == [(begin, 1), (begin, 2), (begin + 86_400, 1), (begin + 86_400, 2)]


def test_a_ban_is_reported_as_soon_as_it_is_made(tmp_path: Path) -> None:
    async def life() -> None:
        clock, asked, sent = FakeClock(), list[float](), list[bytes]()
        ban = read_ban({"address": "203.0.113.7", "origin": "fail2ban/sshd", "for": "1d"}).at(clock.now())

        async def news(seconds: float) -> None:
            asked.append(seconds)
            await ManualBanTable(database, OutboxNotes(reporter.origins, clock.now).note).change([ban], [])

        async def deliver(message: BusMessage) -> bool:
            sent.append(message.payload)
            raise BusError("the connection is lost")

        async with open_database(tmp_path / "db") as database:
            reporter = Reporter("main key-1", FLEET, ["fail2ban/*"], lambda payload: payload, lambda most: most)
            with pytest.raises(BusError):
                await ReportSending(reporter, OutboxTable(database), clock, news).run(deliver, TOPICS)
        assert asked == [OUTBOX_EVERY]
        assert read_report(sent[0]).bans == (reported("203.0.113.7", ban.created_at, 86_400),)

    asyncio.run(life())
