"""How much of a long test is done."""

from datetime import UTC, datetime

import pytest


@pytest.fixture
def day(request: pytest.FixtureRequest) -> int | None:
    """None where the run asks for a marker of the test (`-m sweep`, `-m boot`): all is done. Otherwise the number of the day,
    by which a part of it is chosen.
    """
    asked = str(request.config.getoption("markexpr"))
    return None if any(mark.name in asked for mark in request.node.iter_markers()) else datetime.now(UTC).toordinal()
