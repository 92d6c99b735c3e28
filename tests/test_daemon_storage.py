"""What befalls the file of the ledger is told, and mended as soon as it can be."""

import asyncio
from pathlib import Path

from banlistd.events import EventName
from support.disk import Disk
from support.serving import BOTH, ONE, TWO, Application, completed, serve


def test_a_disk_that_is_full_is_told_and_a_reload_tries_it_again(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:

        async def life(application: Application) -> None:
            await completed(application, ONE, TWO)
            await asyncio.to_thread(disk.fill)
            application.fetcher.bodies[ONE] = b"\n".join(b"198.18.%d.%d" % divmod(n, 256) for n in range(5000))
            await application.service.refresh([ONE])
            fault = await application.announcer.until(EventName.LEDGER_FAULT)
            assert "SQLITE_FULL" in fault.message
            assert "in memory" in fault.message
            assert any("SQLITE_FULL" in heard for heard in application.supervisor.heard)
            await asyncio.to_thread(disk.free)
            await application.service.reload()
            await application.announcer.until(EventName.LEDGER_MENDED)
            assert {run.source_id for run in await application.ledger.history(None, 9)} == {ONE, TWO}

        serve(disk.place, BOTH, life)
