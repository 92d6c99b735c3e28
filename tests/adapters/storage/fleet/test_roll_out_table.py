"""Lists that are stopped, on a real file and in the fake: one contract."""

import asyncio
from dataclasses import replace
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.fleet.roll_out_table import RollOutTable
from banlistd.core.fleet.roll_out.stops import UNTOUCHED, Questioner, RollOutState, after_order, after_release
from banlistd.ports.fleet import RollOutLog
from support.roll_outs import RollOuts

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
STOPPED = after_order(UNTOUCHED, [C, B, A], [C, B], Questioner("web-1", None, "wide", "10.0.0.0/8"), 1.5)
OTHER = after_order(UNTOUCHED, [A], [], Questioner(uid=0, reason="let us see"), 2.5)
RELEASED = replace(after_release(STOPPED, B), number=2, signed=1)
NOTHING = RollOutState(None, (), 3)


async def contract(log: RollOutLog) -> None:
    assert await log.every() == {}
    await log.keep("drop", STOPPED)
    await log.keep("ssh", OTHER)
    assert await log.every() == {"drop": STOPPED, "ssh": OTHER}
    await log.keep("ssh", NOTHING)
    await log.keep("drop", RELEASED)
    assert await log.every() == {"drop": RELEASED, "ssh": NOTHING}
    assert await log.highest() == 0
    for version in (7, 3):
        await log.published(version)
    assert await log.highest() == 7


def test_the_fake_keeps_what_is_written() -> None:
    asyncio.run(contract(RollOuts()))


def test_the_table_keeps_what_is_written_for_the_next_process(tmp_path: Path) -> None:
    async def write() -> None:
        async with open_database(tmp_path / "db") as database:
            await contract(RollOutTable(database, "main"))

    async def read() -> dict[str, RollOutState]:
        async with open_database(tmp_path / "db") as database:
            return dict(await RollOutTable(database, "main").every())

    asyncio.run(write())
    assert asyncio.run(read()) == {"drop": RELEASED, "ssh": NOTHING}
