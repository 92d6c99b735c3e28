"""What befalls the file of the ledger is told, and mended as soon as it can be."""

import asyncio
from pathlib import Path

from banlistd.events import EventName
from support.disk import Disk
from support.sources import BOTH, ONE, TWO
from worlds import DaemonWorld, Environment, run


def test_full_disk_is_reported_and_a_reload_tries_again(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:

        async def life(world: DaemonWorld) -> None:
            await world.completed(ONE, TWO)
            await asyncio.to_thread(disk.fill)
            world.fetcher.bodies[ONE] = b"\n".join(b"198.18.%d.%d" % divmod(n, 256) for n in range(5000))
            await world.service.refresh([ONE])
            fault = await world.announcer.until(EventName.LEDGER_FAULT)
            assert "SQLITE_FULL" in fault.message
            assert "in memory" in fault.message
            assert any("SQLITE_FULL" in heard for heard in world.environment.supervisor.heard)
            await asyncio.to_thread(disk.free)
            await world.service.reload()
            await world.announcer.until(EventName.LEDGER_MENDED)
            assert {run.source_id for run in await world.ledger.history(None, 9)} == {ONE, TWO}

        run(Environment(disk.place), BOTH, life, serve=True)
