"""How much of a long test is done."""

import os
from datetime import UTC, datetime

import pytest


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
