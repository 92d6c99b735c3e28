"""nodes admit, on a real database: whether the node is a canary is said each time, and stays what it was."""

import re
from pathlib import Path

import pytest

from banlistd.control.commands.reports.admitting import NODES_ADMIT
from banlistd.control.declaration import PageContext
from banlistd.core.config.model import Config
from banlistd.errors import UsageError
from support.operators import ANNA, BERT, key_text
from worlds import DaemonWorld, Environment, run

CANARY = "node-1 of oslo is admitted: what it reports counts, and it is a canary: what it refuses is stopped for the fleet"
NONE = "node-1 of oslo is admitted: what it reports counts, and it is no canary"


def test_a_canary_with_another_key_stays_one_and_the_answer_says_so(tmp_path: Path) -> None:
    async def life(world: DaemonWorld) -> None:
        async def said(key: str, **flags: bool) -> list[object]:
            row = await world.ask("nodes admit", node="node-1", site="oslo", key=key, **flags)
            return [*NODES_ADMIT.page(row, PageContext(0.0, lambda _: None))]

        first, second = key_text(ANNA), key_text(BERT)
        assert await said(first) == [NONE]
        assert await said(first, canary=True) == [CANARY]
        assert await said(second) == [CANARY]
        assert await said(second, no_canary=True) == [NONE]
        with pytest.raises(UsageError, match=re.escape("a node is a canary or none")):
            await said(second, canary=True, no_canary=True)

    run(Environment(tmp_path), Config(), life)
