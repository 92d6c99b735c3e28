"""What a node has to report, on a real file, written down with its manual bans."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import Database, open_database
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.adapters.storage.reports.outbox_table import OutboxNotes, OutboxTable, put_changes
from banlistd.core.fleet.reports.outbox import LIFTED_AGAIN, MOST_IN_OUTBOX, ReportChange
from banlistd.core.manual.ended_bans import BanEnd, EndedBan
from banlistd.core.manual.manual_bans import read_ban
from banlistd.errors import LedgerError
from banlistd.model import ManualBan
from support.reporters import lifted, reported

NOW = 1_800_000_000
PATTERNS = ("fail2ban/*",)


def run(disk: Path, life: Callable[[Database], Awaitable[None]]) -> None:
    async def live() -> None:
        async with open_database(disk / "db") as database:
            await life(database)

    asyncio.run(live())


def bans_of(database: Database) -> ManualBanTable:
    """The table of a node that reports."""
    return ManualBanTable(database, OutboxNotes(PATTERNS, lambda: NOW + 1.0).note)


def ban(address: str, origin: str = "fail2ban/sshd", at: float = NOW) -> ManualBan:
    return read_ban({"address": address, "origin": origin, "for": "10m"}).at(at)


async def lift(table: ManualBanTable, *bans: ManualBan) -> None:
    await table.change([], [one.key for one in bans], [EndedBan(one, NOW + 1.0, BanEnd.LIFTED) for one in bans])


async def put(database: Database, *changes: ReportChange, most: int = 100) -> None:
    await database.write(partial(put_changes, changes=changes, most=most))


async def waiting(database: Database) -> list[ReportChange]:
    return [change for _, change in await OutboxTable(database).oldest(100_000)]


def test_the_newest_change_of_each_address_waits_until_it_is_done(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table = OutboxTable(database)
        one, two, gone = reported("203.0.113.7", NOW), reported("2001:db8::7", NOW, None), lifted("203.0.113.7")
        await put(database, one, two)
        ((first, _), (second, _)) = before = await table.oldest(10)
        assert [change for _, change in before] == [one, two]
        await put(database, gone)
        # What was sent meanwhile is not the newest any more.
        await table.done([first, second])
        assert await waiting(database) == [gone]

    run(tmp_path, life)


def test_beyond_the_bound_the_oldest_go(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        bans = [reported(f"203.0.113.{number}", NOW) for number in range(12)]
        await put(database, *bans[:10], most=7)
        assert await waiting(database) == bans[3:10]
        await put(database, *bans[10:], most=7)
        assert await waiting(database) == bans[5:]

    run(tmp_path, life)


def test_each_start_has_a_larger_number_also_after_the_clock_was_set_back(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table = OutboxTable(database)
        assert [await table.next_boot(now) for now in (NOW + 0.5, NOW - 1000.0, NOW + 5.0)] == [NOW, NOW + 1, NOW + 5]

    run(tmp_path, life)


def test_a_ban_of_another_origin_and_one_that_has_run_out_write_nothing(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table, other, over = bans_of(database), ban("203.0.113.7", "operator"), ban("203.0.113.8", at=NOW - 599)
        await table.change([other, ban("203.0.113.0/25")], [])
        await table.change([], [over.key], [EndedBan(over, NOW + 1.0, BanEnd.EXPIRED)])
        await lift(table, other)
        assert await waiting(database) == []

    run(tmp_path, life)


@pytest.mark.parametrize("others", [0, 20])
def test_an_address_is_taken_back_once_no_reported_origin_bans_it(tmp_path: Path, others: int) -> None:
    async def life(database: Database) -> None:
        table, more = bans_of(database), [ban(f"198.51.100.{number}") for number in range(others)]
        first = [ban("203.0.113.7"), ban("203.0.113.8"), ban("2001:db8::9"), *more]
        await ManualBanTable(database).change(
            [*first, ban("203.0.113.7", "fail2ban/nginx"), ban("203.0.113.8", "operator"), ban("2001:db8::1")], []
        )
        await lift(table, *first)
        assert await waiting(database) == [lifted("203.0.113.8"), *(lifted(f"198.51.100.{number}") for number in range(others))]

    run(tmp_path, life)


def test_an_address_that_is_lifted_and_banned_in_one_change_is_banned(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        before, after = ban("203.0.113.7"), ban("203.0.113.7", "fail2ban/nginx")
        await bans_of(database).change([after], [before.key], [EndedBan(before, NOW + 1.0, BanEnd.LIFTED)])
        assert await waiting(database) == [reported("203.0.113.7", NOW, origin="fail2ban/nginx")]

    run(tmp_path, life)


def test_a_ban_and_its_report_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table = bans_of(database)
        await table.change([ban("203.0.113.7")], [])
        assert await waiting(database) == [reported("203.0.113.7", NOW)]
        await database.run("CREATE TRIGGER full BEFORE INSERT ON report_outbox BEGIN SELECT RAISE(ABORT, 'full'); END")
        with pytest.raises(LedgerError):
            await table.change([ban("203.0.113.8")], [])
        with pytest.raises(LedgerError):
            await lift(table, ban("203.0.113.7"))
        assert [one.key for one in (await table.load())[1]] == [ban("203.0.113.7").key]
        assert await waiting(database) == [reported("203.0.113.7", NOW)]

    run(tmp_path, life)


def test_the_newest_bans_in_force_are_repeated_beside_what_waits(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table = OutboxTable(database)
        bans = [ban(f"203.0.113.{number}", at=NOW + number) for number in range(6)]
        longer = replace(ban("203.0.113.5", "fail2ban/nginx", NOW - 100), expires_at=None)
        await ManualBanTable(database).change(
            [*bans, longer, ban("198.51.100.1", "operator"), ban("198.51.100.2", at=NOW - 900)], []
        )
        await put(database, lifted("203.0.113.4"))
        assert await table.repeat("me", PATTERNS, NOW + 10, 3) == 3
        assert await waiting(database) == [lifted("203.0.113.4"), *(reported(f"203.0.113.{n}", NOW + n) for n in (3, 5))]
        assert await table.repeat("me", PATTERNS, NOW + 10, 100) == 6

    run(tmp_path, life)


def test_a_full_outbox_repeats_nothing(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        changes = [lifted(f"198.51.{number >> 8}.{number & 255}") for number in range(MOST_IN_OUTBOX - 1)]
        await ManualBanTable(database).change([ban("203.0.113.7"), ban("203.0.113.8", at=NOW - 1)], [])
        await put(database, *changes, most=MOST_IN_OUTBOX)
        table = OutboxTable(database)
        assert [await table.repeat("me", PATTERNS, NOW, 100), await table.repeat("me", PATTERNS, NOW, 100)] == [1, 0]
        assert len(await waiting(database)) == MOST_IN_OUTBOX

    run(tmp_path, life)


def test_what_was_lifted_in_the_last_hours_and_is_not_banned_again_is_repeated(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table, bans = OutboxTable(database), ManualBanTable(database)
        again, long_ago = ban("203.0.113.8"), ban("203.0.113.9", at=NOW - 86_400)
        await lift(bans, ban("203.0.113.7"), again)
        await bans.change([again], [], [EndedBan(long_ago, NOW - LIFTED_AGAIN, BanEnd.LIFTED)])
        assert await table.repeat("me", PATTERNS, NOW + 2, 100) == 2
        assert await waiting(database) == [lifted("203.0.113.7"), reported("203.0.113.8", NOW)]

    run(tmp_path, life)


def test_who_repeated_last_is_known(tmp_path: Path) -> None:
    async def life(database: Database) -> None:
        table = OutboxTable(database)
        assert await table.repeater() == ""
        for name in ("main key-1 fail2ban/*", "main key-2 fail2ban/*"):
            await table.repeat(name, PATTERNS, NOW, 100)
            assert await table.repeater() == name

    run(tmp_path, life)
