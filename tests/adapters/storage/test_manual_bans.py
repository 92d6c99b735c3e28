"""The table of bans by hand, on a real file."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.adapters.storage import manual_bans
from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.database_schema import migrations
from banlistd.adapters.storage.manual_bans import ManualBanTable
from banlistd.core.manual.ended_bans import BanEnd, EndedBan
from banlistd.errors import LedgerError
from banlistd.model import Family, ManualBan
from banlistd.scopes.scope import Scope

FOUR = ManualBan(Family.IPV4, 0xC0000200, 0xC00002FF, "fail2ban/sshd", "5 failures", 10.5, 610.5, 1001)
SCOPE = Scope(("eth0",), (), ((22, 22), (80, 90)), ("tcp",), only_new=True)
SIX = ManualBan(Family.IPV6, 0, 2**128 - 1, "operator", "", 11.0, None, confirm_by=71.0, scope=SCOPE)


def use(disk: Path, life: Callable[[ManualBanTable], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(disk / "db") as database:
            await life(ManualBanTable(database))

    asyncio.run(run())


def test_what_is_written_is_read_back_by_the_next_process(tmp_path: Path) -> None:
    async def write(table: ManualBanTable) -> None:
        assert await table.load() == (False, [])
        await table.begin([FOUR], 9.0)
        await table.change([SIX], [])

    async def read(table: ManualBanTable) -> None:
        assert await table.load() == (True, [FOUR, SIX])

    use(tmp_path, write)
    use(tmp_path, read)


def test_each_origin_has_a_row_of_its_own_and_a_second_order_replaces_its_first(tmp_path: Path) -> None:
    async def life(table: ManualBanTable) -> None:
        other, longer = replace(FOUR, origin="fail2ban/recidive", created_at=12.0), replace(FOUR, expires_at=None, comment="")
        await table.begin([], 9.0)
        await table.change([FOUR, other], [])
        await table.change([longer, replace(SIX, confirm_by=None)], [])
        assert await table.load() == (True, [longer, replace(SIX, confirm_by=None), other])
        await table.change([], [FOUR.key, SIX.key])
        assert await table.load() == (True, [other])

    use(tmp_path, life)


def test_a_change_that_cannot_be_made_wholly_is_not_made(tmp_path: Path) -> None:
    async def life(table: ManualBanTable) -> None:
        await table.begin([FOUR], 9.0)
        with pytest.raises(LedgerError):
            await table.change([SIX, replace(SIX, first=2, last=1)], [FOUR.key])
        assert await table.load() == (True, [FOUR])

    use(tmp_path, life)


def test_bans_of_a_database_from_before_origins_are_an_operators(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "db")) as database, database:
        for number, script in migrations():
            if number < 11:
                database.executescript(script)
        database.execute("INSERT INTO manual_bans VALUES (x'c0000201', x'c0000201', 'why', 1.0, NULL)")
        database.execute("PRAGMA user_version = 10")

    async def life(table: ManualBanTable) -> None:
        assert await table.load() == (
            False,
            [ManualBan(Family.IPV4, 0xC0000201, 0xC0000201, "operator", "why", 1.0, None)],
        )

    use(tmp_path, life)


def test_bans_that_are_over_are_kept_within_a_bound_of_number_and_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manual_bans, "_MOST_ENDED", 3)
    year = manual_bans._LONGEST

    async def write(table: ManualBanTable) -> None:
        await table.change([], [FOUR.key], [EndedBan(FOUR, ended, BanEnd.LIFTED) for ended in (20.0, 21.0, 22.0, 23.0)])
        assert [one.ended_at for one in await table.ended(FOUR.span)] == [23.0, 22.0, 21.0]
        assert await table.ended((Family.IPV4, FOUR.last + 1, FOUR.last + 1)) == []
        await table.change([], [], [EndedBan(FOUR, 22.0 + year, BanEnd.EXPIRED)])
        assert [one.ended_at for one in await table.ended((Family.IPV4, FOUR.first, FOUR.first))] == [22.0 + year, 23.0, 22.0]
        await table.change([], [], [EndedBan(SIX, 24.0 + year, BanEnd.UNCONFIRMED)])
        (found,) = await table.ended((Family.IPV6, 7, 7))
        assert (found.ban, found.how) == (replace(SIX, confirm_by=None), BanEnd.UNCONFIRMED)
        assert [one.ended_at for one in await table.ended(FOUR.span)] == [22.0 + year]

    use(tmp_path, write)


def test_bans_that_are_over_are_asked_for_by_a_moment_and_by_their_age(tmp_path: Path) -> None:
    over = [
        EndedBan(replace(FOUR, created_at=begun), end, BanEnd.LIFTED) for begun, end in ((1.0, 5.0), (3.0, 8.0), (8.0, 9.0))
    ]

    async def write(table: ManualBanTable) -> None:
        await table.change([], [], over)
        for at in (0.5, 1.0, 4.0, 5.0, 8.0, 9.0):
            expected = [one for one in reversed(over) if one.covers(at)]
            assert await table.ended(FOUR.span, at=at) == expected
        assert [one.ended_at for one in await table.ended(FOUR.span, since=8.0)] == [9.0, 8.0]
        assert await table.ended(FOUR.span, since=6.0, at=4.0) == [over[1]]

    use(tmp_path, write)
