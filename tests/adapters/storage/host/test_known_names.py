"""Names and addresses outlive the process."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.host.known_names import KnownNames


def test_what_was_kept_last_is_known_after_a_restart_and_nothing_else(tmp_path: Path) -> None:
    async def first() -> None:
        async with open_database(tmp_path / "db") as database:
            names = KnownNames(database)
            assert await names.every() == {}
            await names.keep({"a": ("192.0.2.1", "2001:db8::1"), "b": ("192.0.2.2",)})
            await names.keep({"a": ("192.0.2.1", "2001:db8::1"), "c": ("192.0.2.3",)})

    async def second() -> None:
        async with open_database(tmp_path / "db") as database:
            assert await KnownNames(database).every() == {"a": ["192.0.2.1", "2001:db8::1"], "c": ["192.0.2.3"]}

    asyncio.run(first())
    asyncio.run(second())
