"""How much of a long test is done; a wall clock that a test sets."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.wall_clock import WallClock, build_library


@pytest.fixture
def day(request: pytest.FixtureRequest) -> int | None:
    """None where the run asks for a marker of the test (`-m sweep`, `-m boot`): all is done. Otherwise the number of the day,
    by which a part of it is chosen; `BANLISTD_TEST_DAY` asks for another one's part.
    """
    asked = str(request.config.getoption("markexpr"))
    if any(mark.name in asked for mark in request.node.iter_markers()):
        return None
    day = int(os.environ.get("BANLISTD_TEST_DAY") or datetime.now(UTC).toordinal())
    request.node.add_report_section("setup", "day", f"BANLISTD_TEST_DAY={day} repeats it")
    return day


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_library(tmp_path_factory.mktemp("clock"))


@pytest.fixture
def clock(tmp_path: Path, clock_library: Path) -> WallClock:
    """Not set yet: the machine's."""
    return WallClock(tmp_path / "clock", clock_library)
