"""The table of what was allowed or protected, on a real file."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.host import exemptions
from banlistd.adapters.storage.host.exemptions import ExemptionTable
from banlistd.core.ruleset.allowing.exemptions import ExemptSpan
from banlistd.model import Family

FOUR = ExemptSpan((Family.IPV4, 0xC0000200, 0xC00002FF), "gateway", True, 10.5)
SIX = ExemptSpan((Family.IPV6, 1, 2**128 - 1), "allowed by the configuration", False, 11.0)
YEAR = 365 * 86_400.0


def use(disk: Path, life: Callable[[ExemptionTable], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_database(disk / "db") as database:
            await life(ExemptionTable(database))

    asyncio.run(run())


def test_an_end_takes_the_place_of_the_open_row_and_is_found_by_any_address(tmp_path: Path) -> None:
    over = replace(FOUR, until=20.0)

    async def write(table: ExemptionTable) -> None:
        await table.change([FOUR, SIX])
        assert await table.load() == [FOUR, SIX]
        await table.change([over])

    async def read(table: ExemptionTable) -> None:
        assert await table.load() == [SIX]
        for first, last, found in ((0xC00002FF, 0xC0000300, [over]), (0xC0000000, 0xC00001FF, []), (1, 2**32 - 1, [over])):
            assert await table.ended((Family.IPV4, first, last)) == found
        assert await table.ended((Family.IPV6, 1, 2)) == []

    use(tmp_path, write)
    use(tmp_path, read)


def test_old_ends_and_surplus_ones_go_and_open_rows_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemptions, "_MOST_ENDED", 3)
    span = FOUR.span

    async def life(table: ExemptionTable) -> None:
        await table.change([SIX, replace(FOUR, until=20.0)])
        await table.change([replace(FOUR, since=30.0, until=21.0 + YEAR)])
        assert [one.since for one in await table.ended(span)] == [30.0]
        for number in range(5):
            await table.change([replace(FOUR, since=40.0 + number, until=30.0 + YEAR + number)])
        assert [one.since for one in await table.ended(span)] == [44.0, 43.0, 42.0]
        assert await table.load() == [SIX]

    use(tmp_path, life)


def test_a_reason_that_is_no_utf8_is_kept_escaped_and_its_end_finds_it(tmp_path: Path) -> None:
    strange = replace(FOUR, reason="network of w\udcff0")

    async def life(table: ExemptionTable) -> None:
        await table.change([strange])
        assert [one.reason for one in await table.load()] == [r"network of w\udcff0"]
        await table.change([replace(strange, until=20.0)])
        assert await table.load() == []
        assert [one.until for one in await table.ended(FOUR.span)] == [20.0]

    use(tmp_path, life)


def test_of_too_many_ends_the_oldest_go_whatever_the_age_of_their_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exemptions, "_MOST_ENDED", 3)

    async def life(table: ExemptionTable) -> None:
        await table.change([FOUR])
        for number in range(5):
            await table.change([replace(FOUR, since=40.0 + number, until=50.0 + number)])
        await table.change([replace(FOUR, until=60.0)])
        assert [one.since for one in await table.ended(FOUR.span)] == [FOUR.since, 44.0, 43.0]

    use(tmp_path, life)
