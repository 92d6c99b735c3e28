"""Which version a hub says that it publishes."""

from types import SimpleNamespace
from typing import Any

import pytest

from banlistd.control.commands.fleet.rows import published_row
from banlistd.core.fleet.roll_out.stops import UNTOUCHED, Questioner, after_order

NEWEST, BEFORE = "a" * 64, "b" * 64


@pytest.mark.parametrize(("proposals", "shown"), [((), BEFORE), (("drop",), NEWEST)])
def test_a_withdrawal_that_another_hub_has_not_signed_is_not_published(proposals: tuple[str, ...], shown: str) -> None:
    parts: Any = SimpleNamespace(roll_out=lambda: SimpleNamespace(proposals=dict.fromkeys(proposals)), user_name=str)
    state = after_order(UNTOUCHED, [NEWEST, BEFORE], [NEWEST], Questioner(reason="wrong"), 5.0)
    row = published_row(parts, "drop", [NEWEST, BEFORE], state)
    assert (row["content_hash"], row["withdrawn"]) == (shown, [NEWEST])
