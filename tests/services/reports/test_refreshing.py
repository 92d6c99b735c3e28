"""How soon what nodes have reported becomes a list again."""

import asyncio

import pytest

from banlistd.errors import LedgerError
from banlistd.services.reports.refreshing import Refreshing
from support.virtual_time import run_in_virtual_time


class Imports:
    """When each import began, in seconds. `takes`: seconds of one. `changes`: whether it changes the list; None: it fails."""

    def __init__(self, takes: float, *, changes: bool | None) -> None:
        self.began: list[float] = []
        self._takes = takes
        self._changes = changes

    async def refresh(self) -> bool:
        self.began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self._takes)
        if self._changes is None:
            raise LedgerError("the disk is full")  # its event says so; the next change is imported all the same
        return self._changes


async def under_reports(imports: Imports, seconds: float) -> None:
    """A report each tenth of a second."""
    refreshing = Refreshing(imports.refresh)

    async def turns() -> None:
        while True:
            await refreshing.turn()

    work = asyncio.ensure_future(turns())
    for _ in range(round(10 * seconds)):
        refreshing.note()
        await asyncio.sleep(0.1)
    work.cancel()


@pytest.mark.parametrize("changes", [True, None])
@pytest.mark.parametrize(("takes", "apart"), [(0.01, 0.51), (0.2, 1.2), (2.0, 5.0)])
def test_the_rest_between_imports_grows_with_what_an_import_takes(takes: float, apart: float, *, changes: bool | None) -> None:
    imports = Imports(takes, changes=changes)
    run_in_virtual_time(under_reports(imports, 20.0))
    assert imports.began[0] == 0
    assert len(imports.began) == pytest.approx(20.0 / apart, abs=2)


@pytest.mark.parametrize(("changes", "second"), [(False, 0.3), (True, 0.55)])
def test_the_report_that_completes_a_quorum_need_not_wait_after_one_that_listed_nothing(
    second: float, *, changes: bool
) -> None:
    imports = Imports(0.05, changes=changes)

    async def reports() -> None:
        refreshing = Refreshing(imports.refresh)
        refreshing.note()
        await refreshing.turn()
        refreshing.note()
        await refreshing.turn()

    run_in_virtual_time(reports())
    assert imports.began == pytest.approx([0, second])
