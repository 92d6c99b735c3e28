"""Logins are kept as they are."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.host.logins import LoginTable
from banlistd.model import Family, Login

ONE = Login(Family.IPV4, 0xC0000201, 1.5, 2.5)
TWO = Login(Family.IPV6, 1, 3.0, 4.0)


def test_logins_are_kept_and_those_that_are_left_out_are_gone(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            assert await LoginTable(database).load() == []
            await LoginTable(database).keep([ONE, TWO])
        async with open_database(tmp_path / "db") as database:
            assert {login.remote: login for login in await LoginTable(database).load()} == {ONE.remote: ONE, TWO.remote: TWO}
            await LoginTable(database).keep([TWO])
            assert await LoginTable(database).load() == [TWO]

    asyncio.run(story())
