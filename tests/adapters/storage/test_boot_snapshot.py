"""The boot snapshot follows a restart with other settings, also where the policy is the same."""

import asyncio
from pathlib import Path

from banlistd.adapters.storage.database import open_database
from banlistd.adapters.storage.start.boot_snapshot import BootSnapshotTable, last_boot_snapshot
from banlistd.backends import BackendName
from banlistd.core.config.model import Config
from banlistd.core.ruleset.policy import policy_of
from banlistd.model import Ownership


def test_a_changed_setting_is_kept_under_the_same_policy(tmp_path: Path) -> None:
    policy = policy_of(Config(), {}, 0.0)

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            for backend, owner, translated in (
                (BackendName.NFTABLES, Ownership.AUTO, True),
                (BackendName.NFTABLES, Ownership.AUTO, False),
                (BackendName.NFTABLES, Ownership.NO, False),
                (BackendName.IPSET, Ownership.NO, False),
            ):
                await BootSnapshotTable(database, backend, owner, translated=translated).keep(policy.hash, policy, [])
                kept = await last_boot_snapshot(database)
                assert kept is not None
                assert (kept.backend, kept.owner, kept.translated) == (backend, owner, translated)

    asyncio.run(story())


def test_what_is_kept_is_not_looked_for_again_until_another_database_takes_over(tmp_path: Path) -> None:
    policy = policy_of(Config(), {}, 0.0)

    async def story() -> None:
        async with open_database(tmp_path / "db") as database:
            table = BootSnapshotTable(database, BackendName.NFTABLES, Ownership.NO, translated=False)
            for _ in range(2):
                await table.keep(policy.hash, policy, [])
            await database.run("DELETE FROM footing")
            await table.keep(policy.hash, policy, [])
            assert await last_boot_snapshot(database) is None
            before = database.successors
            (tmp_path / "db").unlink()
            await database.run("SELECT 1")
            assert database.successors > before
            await table.keep(policy.hash, policy, [])
            assert await last_boot_snapshot(database) is not None

    asyncio.run(story())
