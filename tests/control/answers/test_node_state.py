"""The state of a host, as it is published."""

from pathlib import Path

import pytest

from banlistd.control.ordering import node_state
from banlistd.control.ordering.node_state import NODE_STATE
from support.sources import BOTH, ONE, TWO
from worlds import DaemonWorld, Environment, run


def test_the_bans_are_the_same_number_wherever_they_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def life(world: DaemonWorld) -> None:
        async def bans() -> int:
            return (await NODE_STATE.answer(world.parts, ()))["bans"]

        assert await bans() == 0
        await world.poll(ONE)
        await world.poll(TWO)
        here = await bans()
        monkeypatch.setattr(node_state, "_FEW", 0)
        assert await bans() == here == len(world.banned())

    run(Environment(tmp_path), BOTH, life)
